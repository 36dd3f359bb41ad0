"""SORT: messages in the order of stored columns (RFC 5256 §2.2, RFC 5957).

Keys are read slice by slice, so that others have their turn; ties keep the order of the folder.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from accounts.mailstore.columns import large_ones, read_columns
from accounts.mailstore.fetch import Columns
from accounts.mailstore.search_text import collated
from protocols.wire.imap.sort import Criterion, SortKey
from protocols.wire.message import (
    Address,
    base_subject,
    decode_header,
    iter_fields,
    parse_addresses,
)

SLICE = 500
# A larger block of header fields is read alone.
_TEXT_OCTETS = 16 << 10

Value: TypeAlias = int | str
_Values: TypeAlias = dict[int, Value]

_COLUMNS = {
    SortKey.ARRIVAL: Columns.DATES,
    SortKey.DATE: Columns.DATES | Columns.SENT_AT,
    SortKey.SIZE: Columns.SIZE,
}


class Sorting:
    """UIDs of one folder being put in order."""

    def __init__(self, folder_id: int, criteria: Sequence[Criterion]) -> None:
        self._folder_id = folder_id
        self._criteria = criteria
        self._values: dict[SortKey, _Values] = {each.key: {} for each in criteria}
        self._columns = Columns(0)
        for each in criteria:
            self._columns |= _COLUMNS.get(each.key, Columns.HEADERS)

    def read(self, uids: Sequence[int]) -> Iterator[int]:
        """Read the keys of messages, pausing after each slice: how many are read."""
        for start in range(0, len(uids), SLICE):
            some = uids[start : start + SLICE]
            large = self._take(some, at_most=_TEXT_OCTETS)
            for uid in large:
                self._take([uid], at_most=0)
                yield start
            yield start + len(some)

    def ordered(self, uids: Sequence[int]) -> list[int]:
        """These (ascending) UIDs in order; one that was expunged meanwhile is left out."""
        there = self._values[self._criteria[0].key]
        found = [uid for uid in uids if uid in there]
        for each in reversed(self._criteria):
            found.sort(key=self._values[each.key].__getitem__, reverse=each.is_reverse)
        return found

    def _take(self, uids: Sequence[int], *, at_most: int) -> list[int]:
        """Take the keys of these messages; those whose header is too large are given back."""
        found = read_columns(self._folder_id, uids, columns=self._columns, at_most=at_most)
        large = frozenset(large_ones(found)) if at_most else frozenset[int]()
        headers = found.get("headers")
        for at, uid in enumerate(found["uid"]):
            if at in large:
                continue
            fields = {} if headers is None else _fields(bytes(headers[at]))
            for key, values in self._values.items():
                match key:
                    case SortKey.SIZE:
                        values[uid] = found["size"][at]
                    case SortKey.ARRIVAL:
                        values[uid] = found["internal_date"][at]
                    case SortKey.DATE:
                        sent_at = found["sent_at"][at]
                        values[uid] = found["internal_date"][at] if sent_at is None else sent_at
                    case _:
                        name, derive = _DERIVED[key]
                        values[uid] = collated(derive(fields.get(name, b"")))
        return [found["uid"][at] for at in large]


def _fields(headers: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for field in iter_fields(headers):
        found.setdefault(field.name, field.value)
    return found


def _subject(value: bytes) -> str:
    return base_subject(decode_header(value))


def _first(value: bytes) -> Address | None:
    return next(iter(parse_addresses(value, 1)), None)


def _mailbox(value: bytes) -> str:
    """The addr-mailbox of the first address, which for a group is its name."""
    address = _first(value)
    return "" if address is None else decode_header(address.local or b"")


def _display(value: bytes) -> str:
    """The name of the first address, else the address itself (RFC 5957 §3)."""
    address = _first(value)
    if address is None:
        return ""
    if address.name or address.domain is None:
        return decode_header(address.name or address.local or b"")
    return decode_header(b"@".join(filter(None, (address.local, address.domain))))


_DERIVED: dict[SortKey, tuple[bytes, Callable[[bytes], str]]] = {
    SortKey.SUBJECT: (b"subject", _subject),
    SortKey.FROM: (b"from", _mailbox),
    SortKey.TO: (b"to", _mailbox),
    SortKey.CC: (b"cc", _mailbox),
    SortKey.DISPLAYFROM: (b"from", _display),
    SortKey.DISPLAYTO: (b"to", _display),
}
