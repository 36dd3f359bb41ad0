"""SEARCH: which messages of a folder match a program, exactly (RFC 3501 §6.4.4, RFC 5032).

A program runs over the folder slice by slice. In a slice each key narrows a list of candidates:
flags and numbers from the picture first, then stored columns, octets last and only for those
messages on which the answer still depends. Every key counts its work before it does it
(`search_work`), so that a program of thousands is refused and not run for minutes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from accounts.mailstore import search_fields, search_order, search_work
from accounts.mailstore.fetch import Columns
from accounts.mailstore.object_ids import email_id, thread_id
from accounts.mailstore.picture import Picture
from accounts.mailstore.search_fuzzy import FuzzyNeedle
from accounts.mailstore.search_reading import LIKE, Places, Reading, Test
from accounts.mailstore.search_text import Needle
from accounts.mailstore.search_work import Work
from protocols.wire.imap import search as keys
from protocols.wire.imap.search import SearchKey, When
from protocols.wire.imap.sequence_set import Range, SequenceSet, within
from protocols.wire.message import LIST_VIEW_FIELDS, parse_date, split_header, unfold
from protocols.wire.message import iter_fields as fields_of

SLICE = 1_000
# Programs that read texts or octets yield more often.
OCTETS_SLICE = 250
# No zone is farther from UTC (seconds).
_WIDEST_ZONE = 14 * 3600
_DAY = 86_400
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is searched: a picture, the client's numbering, the session's \\Recent UIDs, ascending.

    `numbers` are the UIDs in the order the client numbers them from 1. `now` is in Unix seconds.
    `saved` are the UIDs that `$` stands for. `relevancy` takes how much messages are like what
    FUZZY keys ask for, by UID, from 1 to 100. Scopes of one command share their `work`.
    """

    picture: Picture
    numbers: Sequence[int]
    recent: Sequence[range]
    now: int
    saved: tuple[Range, ...] = ()
    relevancy: dict[int, int] = field(default_factory=dict)
    work: Work = field(default_factory=Work)


def search(scope: Scope, program: SearchKey) -> Iterator[list[int]]:
    """The UIDs that match, ascending: a list a slice, perhaps empty.

    SearchTooLarge: it is more work than one search may be.
    """
    size = slice_size(program)
    count = len(scope.picture)
    program = search_order.cheapest_first(program)
    narrowing = _Narrowing(scope)
    for start in range(0, count, size):
        scope.work.begin_slice()
        places = narrowing.matching(program, list(range(start, min(start + size, count))))
        yield [scope.picture.uids[place] for place in places]


def slice_size(program: SearchKey) -> int:
    """How many messages are looked at for each list that `search` gives."""
    return OCTETS_SLICE if reads_octets(program) else SLICE


def matching_among(scope: Scope, program: SearchKey, uids: Sequence[int]) -> list[int]:
    """Those of some (ascending) UIDs that match; one that is not there does not."""
    program = search_order.cheapest_first(program)
    narrowing = _Narrowing(scope)
    position = scope.picture.position
    places = [place for uid in uids if (place := position(uid)) >= 0]
    found: list[int] = []
    for start in range(0, len(places), SLICE):
        scope.work.begin_slice()
        found += narrowing.matching(program, places[start : start + SLICE])
    return [scope.picture.uids[place] for place in found]


def reads_octets(program: SearchKey) -> bool:
    """Whether a program may have to read whole messages."""
    return search_order.cost(program) >= search_order.OCTETS


def _exactly(needle: Needle) -> Test:
    return lambda _uid, text: needle.is_in_octets(text)


class _Ranges:
    """The UID ranges of the program's sets, worked out once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[int, tuple[Range, ...]] = {}

    def of_numbers(self, numbers: SequenceSet) -> tuple[Range, ...]:
        known = self._known.get(id(numbers))
        if known is None:
            uids = self._scope.numbers
            if numbers.is_saved:
                return self._scope.saved
            resolved = numbers.resolve(len(uids))
            known = tuple((uids[low - 1], uids[high - 1]) for low, high in resolved)
            self._known[id(numbers)] = known
        return known

    def of_uids(self, uids: SequenceSet) -> tuple[Range, ...]:
        known = self._known.get(id(uids))
        if known is None:
            numbers = self._scope.numbers
            if uids.is_saved:
                return self._scope.saved
            known = uids.resolve(numbers[-1] if len(numbers) else 0)
            self._known[id(uids)] = known
        return known


class _Narrowing:
    """Narrows lists of a folder's messages."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._picture = scope.picture
        self._ranges = _Ranges(scope)
        self._work = scope.work
        self._reading = Reading(scope.picture, scope.work)
        self._fuzzy: dict[str, FuzzyNeedle] = {}

    def matching(self, key: SearchKey, places: Places) -> Places:
        """Those of `places` that match, in order."""
        if not places:
            return places
        match key:
            case keys.And(keys=several):
                for each in several:
                    places = self.matching(each, places)
                    if not places:
                        break
                return places
            case keys.Or(keys=several):
                return self._matching_any(several, places)
            case keys.Fuzzy(key=inner):
                return self._matching_fuzzy(inner, places)
        self._work.begin_key()
        match key:
            case keys.Everything():
                self._work.add(len(places) * search_work.A_FLAG)
                return places
            case keys.Not(key=inner):
                self._work.add(len(places) * search_work.A_FLAG)
                found = set(self.matching(inner, places))
                return [place for place in places if place not in found]
            case keys.HeaderHas() | keys.BodyHas() | keys.TextHas() | keys.SentOn():
                return self._matching_text(key, places)
            case _ if search_order.cost(key) == search_order.COLUMNS:
                return self._matching_columns(key, places)
            case _:
                return self._matching_memory(key, places)

    def _matching_any(self, several: Sequence[SearchKey], places: Places) -> Places:
        found: set[int] = set()
        rest = places
        for each in several:
            if more := self.matching(each, rest):
                found.update(more)
                rest = [place for place in rest if place not in found]
                if not rest:
                    break
        return [place for place in places if place in found]

    def _matching_fuzzy(self, key: SearchKey, places: Places) -> Places:
        """As `matching`, where the words of a text need only be alike (RFC 6203 §3)."""
        self._work.begin_key()
        match key:
            case keys.And(keys=several):
                return self.matching(keys.And(tuple(map(keys.Fuzzy, several))), places)
            case keys.Or(keys=several):
                return self.matching(keys.Or(tuple(map(keys.Fuzzy, several))), places)
            case keys.Not(key=inner):
                return self.matching(keys.Not(keys.Fuzzy(inner)), places)
            case keys.BodyHas(text=text) if text:
                test = self._likeness(text)
                return self._reading.with_texts(places, test, with_header=False, a_look=LIKE)
            case keys.TextHas(text=text) if text:
                test = self._likeness(text)
                return self._reading.with_texts(places, test, with_header=True, a_look=LIKE)
            case keys.HeaderHas(name=name, text=text) if text and name.encode() in LIST_VIEW_FIELDS:
                return self._with_like_field(places, name.encode(), text)
            case _:
                return self.matching(key, places)

    def _likeness(self, text: str) -> Test:
        """Whether the text of a message is like a string; how much is remembered."""
        needle = self._fuzzy.setdefault(text, FuzzyNeedle(text))

        def is_like(uid: int, octets: bytes) -> bool:
            return self._is_relevant(uid, needle.likeness(octets.decode("utf-8", "surrogatepass")))

        return is_like

    def _with_like_field(self, places: Places, field: bytes, text: str) -> Places:
        self._work.add(len(places) * search_work.A_LIKE_FIELD)
        needle = self._fuzzy.setdefault(text, FuzzyNeedle(text))
        uids = [self._picture.uids[place] for place in places]
        values = search_fields.values(self._picture, field, uids)
        like = {
            uid
            for uid in uids
            if (value := values.get(uid)) and self._is_relevant(uid, needle.likeness(value))
        }
        # Fields too large for memory are searched exactly.
        rest = [at for at, uid in zip(places, uids, strict=True) if uid not in values]
        exact = self._with_field(rest, field, Needle(text)) if rest else []
        found = [at for at, uid in zip(places, uids, strict=True) if uid in like]
        return sorted(found + exact)

    def _is_relevant(self, uid: int, likeness: int) -> bool:
        if likeness:
            known = self._scope.relevancy.get(uid, likeness)
            self._scope.relevancy[uid] = min(known, likeness)
        return likeness > 0

    def _matching_memory(self, key: SearchKey, places: Places) -> Places:
        picture = self._picture
        uids, flags, keywords = picture.uids, picture.flags, picture.keywords
        in_bits = isinstance(key, keys.FlagIs | keys.KeywordIs | keys.ModseqFrom)
        self._work.add(len(places) * (search_work.A_FLAG if in_bits else search_work.A_RANGE))
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
                ranges = tuple((run.start, run.stop - 1) for run in self._scope.recent)
            case keys.ModseqFrom(modseq=modseq):
                modseqs = picture.modseqs
                return [place for place in places if modseqs[place] >= modseq]
            case keys.NumberIn(numbers=numbers):
                ranges = self._ranges.of_numbers(numbers)
            case keys.UidIn(uids=wanted_uids):
                ranges = self._ranges.of_uids(wanted_uids)
            case _:
                raise AssertionError(f"{key} is not answered from memory")
        return [place for place in places if within(ranges, uids[place])]

    def _matching_columns(self, key: SearchKey, places: Places) -> Places:
        self._work.add(len(places) * search_work.A_COLUMN)
        now = self._scope.now
        match key:
            case keys.ArrivedOn(when=when, day=day):
                wanted = _days(day)
                rows = self._reading.read(places, Columns.DATES, "internal_date", "zone_minutes")
                # The day as the client is shown it, in the zone of INTERNALDATE.
                return [
                    place
                    for place, at, zone in rows
                    if _compare(when, (at + zone * 60) // _DAY, wanted)
                ]
            case keys.OlderThan(seconds=seconds):
                rows = self._reading.read(places, Columns.DATES, "internal_date")
                return [place for place, at in rows if at <= now - seconds]
            case keys.YoungerThan(seconds=seconds):
                rows = self._reading.read(places, Columns.DATES, "internal_date")
                return [place for place, at in rows if at >= now - seconds]
            case keys.SavedOn(when=when, day=day):
                wanted = _days(day)
                rows = self._reading.read(places, Columns.SAVED_AT, "saved_at")
                return [place for place, at in rows if _compare(when, at // _DAY, wanted)]
            case keys.EmailIdIs(identifier=identifier):
                rows = self._reading.read(places, Columns.MESSAGE, "message_id")
                return [place for place, key in rows if email_id(key) == identifier]
            case keys.ThreadIdIs(identifier=identifier):
                rows = self._reading.read(places, Columns.THREAD, "thread")
                return [place for place, key in rows if key and thread_id(key) == identifier]
            case keys.LargerThan(octets=octets):
                rows = self._reading.read(places, Columns.SIZE, "size")
                return [place for place, size in rows if size > octets]
            case keys.SmallerThan(octets=octets):
                rows = self._reading.read(places, Columns.SIZE, "size")
                return [place for place, size in rows if size < octets]
            case _:
                raise AssertionError(f"{key} is not answered from columns")

    def _matching_text(self, key: SearchKey, places: Places) -> Places:
        match key:
            case keys.SentOn(when=when, day=day):
                return self._sent(when, _days(day), places)
            case keys.HeaderHas(name=name, text=text):
                needle, field = Needle(text), name.encode()
                if field in LIST_VIEW_FIELDS:
                    return self._with_field(places, field, needle)
                return self._reading.with_octets(
                    places, lambda octets: needle.is_in_field(field, octets[: split_header(octets)])
                )
            case keys.BodyHas(text=text):
                return self._with_text(places, Needle(text), with_header=False)
            case keys.TextHas(text=text):
                return self._with_text(places, Needle(text), with_header=True)
            case _:
                raise AssertionError(f"{key} is no text")

    def _with_text(self, places: Places, needle: Needle, *, with_header: bool) -> Places:
        if not needle.text:
            # It is in every text, that of a body without one too.
            return places
        places = self._reading.possibly(places, needle)
        return self._reading.with_texts(places, _exactly(needle), with_header=with_header)

    def _sent(self, when: When, wanted: int, places: Places) -> Places:
        """By the day in the Date field, in its own zone (RFC 3501 §6.4.4, SENTON)."""
        self._work.add(len(places) * search_work.A_COLUMN)
        found: Places = []
        open_places: Places = []
        for place, sent_at in self._reading.read(places, Columns.SENT_AT, "sent_at"):
            if sent_at is None:
                continue
            first = _compare(when, (sent_at - _WIDEST_ZONE) // _DAY, wanted)
            middle = _compare(when, sent_at // _DAY, wanted)
            last = _compare(when, (sent_at + _WIDEST_ZONE) // _DAY, wanted)
            if not first == middle == last:
                open_places.append(place)
            elif first:
                found.append(place)
        self._work.add(len(open_places) * search_work.A_HEADER)
        for place, headers in self._reading.read(open_places, Columns.HEADERS, "headers"):
            day = _sent_day(bytes(headers))
            if day is not None and _compare(when, day, wanted):
                found.append(place)
        return sorted(found)

    def _with_field(self, places: Places, field: bytes, needle: Needle) -> Places:
        """By a list-view field: its value in memory, else the block of header fields."""
        self._work.add(len(places) * search_work.A_FIELD)
        found: Places = []
        if needle.text:
            uids = [self._picture.uids[place] for place in places]
            values = search_fields.values(self._picture, field, uids)
            known = [
                (place, values[uid])
                for place, uid in zip(places, uids, strict=True)
                if uid in values
            ]
            found = [place for place, value in known if needle.is_in_folded(value)]
            if len(known) == len(places):
                return found
            places = [place for place, uid in zip(places, uids, strict=True) if uid not in values]
        self._work.add(len(places) * search_work.A_HEADER)
        rows = self._reading.read(places, Columns.HEADERS, "headers")
        found += [place for place, headers in rows if needle.is_in_field(field, bytes(headers))]
        return sorted(found)


def _keyword_bit(picture: Picture, keyword: str) -> int:
    folded = keyword.casefold()
    for place, name in enumerate(picture.keyword_names):
        if name.casefold() == folded:
            return 1 << place
    return 0


def _days(day: date) -> int:
    return (day - _EPOCH).days


def _sent_day(headers: bytes) -> int | None:
    for each in fields_of(headers):
        if each.name == b"date":
            moment = parse_date(unfold(each.value))
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
