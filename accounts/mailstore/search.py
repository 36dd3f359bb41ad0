"""SEARCH: which messages of a folder match a program, exactly (RFC 3501 §6.4.4, RFC 5032).

A program runs over the folder slice by slice. In a slice each key narrows a list of candidates:
flags and numbers from the picture first, then stored columns, octets last and only for those
messages on which the answer still depends.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from accounts.mailstore import fetch
from accounts.mailstore.fetch import Columns, FetchRow
from accounts.mailstore.picture import Picture
from accounts.mailstore.search_text import Needle
from protocols.wire.imap import search as keys
from protocols.wire.imap.search import SearchKey, When
from protocols.wire.imap.sequence_set import Range, SequenceSet, within
from protocols.wire.message import LIST_VIEW_FIELDS, parse_date, split_header, unfold
from protocols.wire.message import iter_fields as fields_of

SLICE = 1_000
# Programs that read octets yield more often.
OCTETS_SLICE = 50
_OCTETS_AT_ONCE = 4 << 20
# No zone is farther from UTC (seconds).
_WIDEST_ZONE = 14 * 3600
_DAY = 86_400
_EPOCH = date(1970, 1, 1)

Places = list[int]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is searched: a picture, the client's numbering, and the session's \\Recent UIDs.

    `numbers` are the UIDs in the order the client numbers them from 1. `now` is in Unix seconds.
    """

    picture: Picture
    numbers: Sequence[int]
    recent: Sequence[range]
    now: int


def search(scope: Scope, program: SearchKey) -> Iterator[list[int]]:
    """The UIDs that match, ascending: a list a slice, perhaps empty."""
    size = OCTETS_SLICE if _cost(program) >= _OCTETS else SLICE
    count = len(scope.picture)
    ranges = _Ranges(scope)
    for start in range(0, count, size):
        some = _Slice(scope, ranges)
        places = some.matching(program, list(range(start, min(start + size, count))))
        yield [scope.picture.uids[place] for place in places]


_MEMORY, _COLUMNS, _HEADERS, _OCTETS = range(4)


def _cost(key: SearchKey) -> int:
    match key:
        case keys.And(keys=several) | keys.Or(keys=several):
            return max(_cost(each) for each in several)
        case keys.Not(key=inner):
            return _cost(inner)
        case keys.BodyHas() | keys.TextHas():
            return _OCTETS
        case keys.HeaderHas(name=name):
            return _HEADERS if name.encode() in LIST_VIEW_FIELDS else _OCTETS
        case keys.SentOn():
            return _HEADERS
        case (
            keys.ArrivedOn()
            | keys.LargerThan()
            | keys.SmallerThan()
            | keys.OlderThan()
            | keys.YoungerThan()
        ):
            return _COLUMNS
        case _:
            return _MEMORY


class _Ranges:
    """The UID ranges of the program's sets, worked out once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[int, tuple[Range, ...]] = {}

    def of_numbers(self, numbers: SequenceSet) -> tuple[Range, ...]:
        known = self._known.get(id(numbers))
        if known is None:
            uids = self._scope.numbers
            resolved = numbers.resolve(len(uids))
            known = tuple((uids[low - 1], uids[high - 1]) for low, high in resolved)
            self._known[id(numbers)] = known
        return known

    def of_uids(self, uids: SequenceSet) -> tuple[Range, ...]:
        known = self._known.get(id(uids))
        if known is None:
            numbers = self._scope.numbers
            known = uids.resolve(numbers[-1] if len(numbers) else 0)
            self._known[id(uids)] = known
        return known


class _Slice:
    """Some of a folder's messages, with what was read of them so far."""

    def __init__(self, scope: Scope, ranges: _Ranges) -> None:
        self._scope = scope
        self._picture = scope.picture
        self._ranges = ranges
        self._rows: dict[Columns, dict[int, FetchRow]] = {}

    def matching(self, key: SearchKey, places: Places) -> Places:
        """Those of `places` that match, in order."""
        if not places:
            return places
        match key:
            case keys.Everything():
                return places
            case keys.And(keys=several):
                for each in sorted(several, key=_cost):
                    places = self.matching(each, places)
                return places
            case keys.Or(keys=several):
                return self._matching_any(several, places)
            case keys.Not(key=inner):
                found = set(self.matching(inner, places))
                return [place for place in places if place not in found]
            case keys.HeaderHas() | keys.BodyHas() | keys.TextHas() | keys.SentOn():
                return self._matching_text(key, places)
            case _ if _cost(key) == _COLUMNS:
                return self._matching_columns(key, places)
            case _:
                return self._matching_memory(key, places)

    def _matching_any(self, several: Sequence[SearchKey], places: Places) -> Places:
        found: set[int] = set()
        for each in sorted(several, key=_cost):
            found.update(self.matching(each, [at for at in places if at not in found]))
        return [place for place in places if place in found]

    def _matching_memory(self, key: SearchKey, places: Places) -> Places:
        picture = self._picture
        uids, flags, keywords = picture.uids, picture.flags, picture.keywords
        match key:
            case keys.FlagIs(flag=flag, is_set=is_set):
                bit, wanted = int(flag), int(flag) if is_set else 0
                return [place for place in places if flags[place] & bit == wanted]
            case keys.KeywordIs(keyword=keyword, is_set=is_set):
                bit = _keyword_bit(picture, keyword)
                wanted = bit if is_set else 0
                if not bit:
                    return [] if is_set else places
                return [place for place in places if keywords[place] & bit == wanted]
            case keys.IsRecent():
                runs = self._scope.recent
                return [place for place in places if any(uids[place] in run for run in runs)]
            case keys.NumberIn(numbers=numbers):
                ranges = self._ranges.of_numbers(numbers)
            case keys.UidIn(uids=wanted_uids):
                ranges = self._ranges.of_uids(wanted_uids)
            case _:
                raise AssertionError(f"{key} is not answered from memory")
        return [place for place in places if within(ranges, uids[place])]

    def _matching_columns(self, key: SearchKey, places: Places) -> Places:
        test: Callable[[FetchRow], bool]
        columns = Columns.DATES
        now = self._scope.now
        match key:
            case keys.ArrivedOn(when=when, day=day):
                wanted = _days(day)
                test = lambda row: _compare(when, _arrival_day(row), wanted)  # noqa: E731
            case keys.OlderThan(seconds=seconds):
                test = lambda row: (row.internal_date or 0) <= now - seconds  # noqa: E731
            case keys.YoungerThan(seconds=seconds):
                test = lambda row: (row.internal_date or 0) >= now - seconds  # noqa: E731
            case keys.LargerThan(octets=octets):
                columns = Columns.SIZE
                test = lambda row: (row.size or 0) > octets  # noqa: E731
            case keys.SmallerThan(octets=octets):
                columns = Columns.SIZE
                test = lambda row: (row.size or 0) < octets  # noqa: E731
            case _:
                raise AssertionError(f"{key} is not answered from columns")
        rows = self._read(places, columns)
        return [place for place in places if place in rows and test(rows[place])]

    def _matching_text(self, key: SearchKey, places: Places) -> Places:
        match key:
            case keys.SentOn(when=when, day=day):
                return self._sent(when, _days(day), places)
            case keys.HeaderHas(name=name, text=text):
                needle, field = Needle(text), name.encode()
                if field in LIST_VIEW_FIELDS:
                    rows = self._read(places, Columns.HEADERS)
                    return [
                        place
                        for place in places
                        if place in rows
                        and needle.is_in_field(field, bytes(rows[place].headers or b""))
                    ]
                return self._with_octets(
                    places,
                    lambda octets: needle.is_in_field(field, octets[: split_header(octets)]),
                )
            case keys.BodyHas(text=text):
                return self._with_octets(places, Needle(text).is_in_body)
            case keys.TextHas(text=text):
                return self._with_octets(places, Needle(text).is_in_message)
            case _:
                raise AssertionError(f"{key} is no text")

    def _sent(self, when: When, wanted: int, places: Places) -> Places:
        """By the day in the Date field, in its own zone (RFC 3501 §6.4.4, SENTON)."""
        rows = self._read(places, Columns.SENT_AT)
        found: Places = []
        open_places: Places = []
        for place in places:
            sent_at = rows[place].sent_at if place in rows else None
            if sent_at is None:
                continue
            first = _compare(when, (sent_at - _WIDEST_ZONE) // _DAY, wanted)
            middle = _compare(when, sent_at // _DAY, wanted)
            last = _compare(when, (sent_at + _WIDEST_ZONE) // _DAY, wanted)
            if first == middle == last:
                if first:
                    found.append(place)
            else:
                open_places.append(place)
        with_headers = self._read(open_places, Columns.HEADERS)
        found += [
            place
            for place in open_places
            if place in with_headers
            and (day := _sent_day(bytes(with_headers[place].headers or b""))) is not None
            and _compare(when, day, wanted)
        ]
        return sorted(found)

    def _with_octets(self, places: Places, test: Callable[[bytes], bool]) -> Places:
        rows = self._read(places, Columns.OCTETS | Columns.SIZE)
        found: Places = []
        group: Places = []
        total = 0
        for place in [*places, -1]:
            size = (rows[place].size or 0) if place in rows else 0
            if group and (place < 0 or total + size > _OCTETS_AT_ONCE):
                octets = fetch.octets_many([rows[at] for at in group])
                found += [at for at, each in zip(group, octets, strict=True) if test(each)]
                group, total = [], 0
            if place in rows:
                group.append(place)
                total += size
        return found

    def _read(self, places: Places, columns: Columns) -> dict[int, FetchRow]:
        """Rows by place; a message that was expunged meanwhile has none."""
        known = self._rows.setdefault(columns, {})
        missing = [place for place in places if place not in known]
        if missing:
            uids = [self._picture.uids[place] for place in missing]
            rows = fetch.fetch(self._picture.folder_id, uids, columns=columns)
            place_of = dict(zip(uids, missing, strict=True))
            known.update((place_of[row.uid], row) for row in rows)
        return known


def _keyword_bit(picture: Picture, keyword: str) -> int:
    folded = keyword.casefold()
    for place, name in enumerate(picture.keyword_names):
        if name.casefold() == folded:
            return 1 << place
    return 0


def _days(day: date) -> int:
    return (day - _EPOCH).days


def _arrival_day(row: FetchRow) -> int:
    """The day of INTERNALDATE as the client is shown it, in its own zone."""
    return ((row.internal_date or 0) + (row.zone_minutes or 0) * 60) // _DAY


def _sent_day(headers: bytes) -> int | None:
    for field in fields_of(headers):
        if field.name == b"date":
            moment = parse_date(unfold(field.value))
            return None if moment is None else (moment.unix + moment.zone_minutes * 60) // _DAY
    return None


def _compare(when: When, day: int, wanted: int) -> bool:
    match when:
        case When.BEFORE:
            return day < wanted
        case When.ON:
            return day == wanted
        case When.SINCE:
            return day >= wanted
