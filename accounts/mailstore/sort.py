"""SORT: messages in the order of stored columns and kept keys (RFC 5256 §2.2, RFC 5957).

Keys are read slice by slice, so that others have their turn; ties keep the order of the folder.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from accounts.mailstore import sort_kept
from accounts.mailstore.columns import read_columns
from accounts.mailstore.fetch import Columns
from accounts.mailstore.search_fuzzy import BEST
from protocols.wire.imap.sort import Criterion, SortKey

EMPTY: Mapping[int, int] = MappingProxyType({})
SLICE = 500

Value: TypeAlias = int | bytes
_Values: TypeAlias = dict[int, Value]

_COLUMNS = {
    SortKey.ARRIVAL: Columns.DATES,
    SortKey.DATE: Columns.DATES | Columns.SENT_AT,
    SortKey.RELEVANCY: Columns.SIZE,
    SortKey.SIZE: Columns.SIZE,
}
# Fields of `sort_keys.Keys`.
_KEPT = {
    SortKey.SUBJECT: "subject",
    SortKey.FROM: "sender",
    SortKey.DISPLAYFROM: "sender_name",
    SortKey.TO: "recipient",
    SortKey.DISPLAYTO: "recipient_name",
    SortKey.CC: "copied",
}


class Sorting:
    """UIDs of one folder being put in order; `relevancy` is what FUZZY keys found, by UID."""

    def __init__(
        self, folder_id: int, criteria: Sequence[Criterion], relevancy: Mapping[int, int] = EMPTY
    ) -> None:
        self._relevancy = relevancy
        self._folder_id = folder_id
        self._criteria = criteria
        self._values: dict[SortKey, _Values] = {each.key: {} for each in criteria}
        self._kept = [key for key in self._values if key in _KEPT]
        self._columns = Columns(0)
        for key in self._values:
            self._columns |= _COLUMNS.get(key, Columns(0))

    def read(self, uids: Sequence[int]) -> Iterator[int]:
        """Read the keys of messages, pausing after each slice: how many are read."""
        for start in range(0, len(uids), SLICE):
            some = uids[start : start + SLICE]
            if self._columns:
                self._take_columns(some)
            if self._kept:
                names = [_KEPT[key] for key in self._kept]
                reading = sort_kept.read(self._folder_id, some, names, pause=start)
                found = yield from reading
                for key, name in zip(self._kept, names, strict=True):
                    # Some databases hand out views of octets, which have no order.
                    self._values[key].update(
                        zip(found["uid"], map(bytes, found[name]), strict=True)
                    )
            yield start + len(some)

    def ordered(self, uids: Sequence[int]) -> list[int]:
        """These (ascending) UIDs in order; one that was expunged meanwhile is left out."""
        everywhere = list(self._values.values())
        found = [uid for uid in uids if all(uid in values for values in everywhere)]
        for each in reversed(self._criteria):
            found.sort(key=self._values[each.key].__getitem__, reverse=each.is_reverse)
        return found

    def _take_columns(self, uids: Sequence[int]) -> None:
        found = read_columns(self._folder_id, uids, columns=self._columns)
        for key in _COLUMNS.keys() & self._values.keys():
            values: Sequence[int]
            match key:
                case SortKey.SIZE:
                    values = found["size"]
                case SortKey.RELEVANCY:
                    # The most relevant comes first.
                    values = [-self._relevancy.get(uid, BEST) for uid in found["uid"]]
                case SortKey.DATE:
                    values = sent_dates(found["sent_at"], found["internal_date"])
                case _:
                    values = found["internal_date"]
            self._values[key].update(zip(found["uid"], values, strict=True))


def sent_dates(sent_at: Sequence[int | None], internal_date: Sequence[int]) -> list[int]:
    """Sent dates of messages; where there is none, the date of arrival counts (RFC 5256 §2.2)."""
    return [
        arrived if sent is None else sent
        for sent, arrived in zip(sent_at, internal_date, strict=True)
    ]
