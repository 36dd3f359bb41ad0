"""A folder at one moment: UID, flags, keywords and MODSEQ of every entry, as arrays.

A Picture is never changed once made, so all sessions of a process share it without locks. Pure:
rows come in as tuples, nothing here may ask the database.

Invariants: entries are in UID order; the four arrays are of one length; a journal step names every
UID that differs between the two MODSEQs it joins.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, compress
from typing import Any, TypeVar

from accounts.uid_sets import as_range, is_range

# About 22 octets an entry, and as many again and more for what upper rooms keep in `memo`.
OCTETS_PER_ENTRY = 80
JOURNAL_STEPS = 16
# In all steps, a range counting as none.
JOURNAL_UIDS = 10_000

T = TypeVar("T")

Row = tuple[int, int, int, int]
"""(UID, flags, keywords, MODSEQ), as an Entry has them."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What the Folder row says of its entries."""

    mailbox_id: int
    uidvalidity: int
    uidnext: int
    highest_modseq: int
    recent_from_uid: int
    exists_count: int
    keywords: Sequence[str]


@dataclass(frozen=True, slots=True)
class Step:
    """The UIDs that came, changed or went after `after_modseq`, up to the next step."""

    after_modseq: int
    uids: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One folder at one MODSEQ. Bit n of a `keywords` item stands for `keyword_names[n]`."""

    folder_id: int
    mailbox_id: int
    uidvalidity: int
    uidnext: int
    highest_modseq: int
    recent_from_uid: int
    keyword_names: tuple[str, ...]
    uids: "array[int]"
    # An octet each.
    flags: "array[int]"
    keywords: "array[int]"
    modseqs: "array[int]"
    journal: tuple[Step, ...] = ()
    # What upper rooms derive from this picture and want to keep as long as it lives.
    memo: dict[object, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def octets(self) -> int:
        """An estimate of the memory this picture holds."""
        return 1_000 + OCTETS_PER_ENTRY * len(self.uids)

    def remembered(self, name: str, make: Callable[[], T]) -> T:
        """What `make` makes of this picture, made once for as long as it lives."""
        if name not in self.memo:
            self.memo[name] = make()
        found: T = self.memo[name]
        return found

    def position(self, uid: int) -> int:
        """The place of `uid` (from 0), or -1 when it is not in the folder."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else -1

    def first_without(self, flag: int) -> int:
        """The place of the first entry without a flag, or -1."""
        # Octets are looked through fifty times as fast as numbers: a folder whose hundred thousand
        # messages have all been read is nothing rare.
        return self._marks(flag).find(0)

    def with_flag(self, flag: int, *, at_most: int) -> list[int] | None:
        """The UIDs of the entries with a flag; None where there are more than `at_most`."""
        count = len(self) - self.count_without(flag)
        if count > at_most:
            return None
        return list(compress(self.uids, self._marks(flag))) if count else []

    def count_without(self, flag: int) -> int:
        """How many entries are without a flag."""
        return self._marks(flag).count(0)

    def _marks(self, flag: int) -> bytes:
        """For each entry the flag, or 0."""
        return self.flags.tobytes().translate(_only(int(flag)))

    def places(self, uids: Sequence[int]) -> range | list[int] | None:
        """As `places_of`, in this picture."""
        return places_of(self.uids, uids)

    def changed_since(self, modseq: int) -> range | frozenset[int] | None:
        """UIDs that came, changed or went after `modseq`; None when only a scan can tell."""
        if modseq == self.highest_modseq:
            return frozenset()
        found: list[Sequence[int]] = []
        for step in reversed(self.journal):
            found.append(step.uids)
            if step.after_modseq <= modseq:
                if len(found) == 1 and isinstance(step.uids, range):
                    return step.uids
                return frozenset(chain.from_iterable(found))
        return None


@cache
def _only(flag: int) -> bytes:
    """What leaves of each octet of flags this one alone."""
    return bytes(bits & flag for bits in range(256))


def places_of(column: "array[int]", uids: Sequence[int]) -> range | list[int] | None:
    """The places of ascending `uids`, a range where they lie together; None if one is not there."""
    if not uids:
        return range(0)
    start = bisect_left(column, uids[0])
    stop = start + len(uids)
    if stop <= len(column) and column[stop - 1] == uids[-1]:
        # As many between the same two ends: where `uids` have no gap they are the same.
        is_same = is_range(uids) and column[start] == uids[0]
        if is_same or column[start:stop] == array(column.typecode, uids):
            return range(start, stop)
    found = [bisect_left(column, uid) for uid in uids]
    is_there = found[-1] < len(column) and pick(column, found) == list(uids)
    return found if is_there else None


def pick(column: "array[int]", places: Sequence[int]) -> Sequence[int]:
    """The items of an array at these places."""
    if isinstance(places, range):
        return column[places.start : places.stop]
    return [column[place] for place in places]


def empty(folder_id: int, counters: Counters) -> Picture:
    return Picture(
        folder_id=folder_id,
        mailbox_id=counters.mailbox_id,
        uidvalidity=counters.uidvalidity,
        uidnext=1,
        highest_modseq=0,
        recent_from_uid=counters.recent_from_uid,
        keyword_names=(),
        uids=array("I"),
        flags=array("B"),
        keywords=array("Q"),
        modseqs=array("Q"),
    )


def advanced(
    old: Picture, counters: Counters, rows: Sequence[Row], gone: Sequence[range]
) -> Picture:
    """`old` with newer rows laid over it and vanished UIDs taken out."""
    if rows and not old.uids:
        columns = list(zip(*rows, strict=True))
        uids, flags = array("I", columns[0]), array("B", columns[1])
        keywords, modseqs = array("Q", columns[2]), array("Q", columns[3])
    elif not gone and (run := _run_in(old.uids, rows)) is not None:
        # Only flags changed, side by side: the UIDs stay the same object, which tells upper rooms
        # that nobody came or went.
        columns = list(zip(*rows, strict=True))
        uids, flags, keywords, modseqs = old.uids, old.flags[:], old.keywords[:], old.modseqs[:]
        flags[run], keywords[run] = array("B", columns[1]), array("Q", columns[2])
        modseqs[run] = array("Q", columns[3])
    elif rows or gone:
        uids, flags, keywords, modseqs = old.uids[:], old.flags[:], old.keywords[:], old.modseqs[:]
        _overlay(uids, flags, keywords, modseqs, rows)
    else:
        uids, flags, keywords, modseqs = old.uids, old.flags, old.keywords, old.modseqs
    if gone:
        cut_out(gone, uids, flags, keywords, modseqs)
    is_same = not rows and not gone and old.keyword_names == tuple(counters.keywords)
    memo = old.memo if is_same else {}
    return following(old, counters, (uids, flags, keywords, modseqs), _named(rows, gone), memo)


def following(
    old: Picture,
    counters: Counters,
    columns: "tuple[array[int], array[int], array[int], array[int]]",
    named: Sequence[int],
    memo: dict[object, Any],
) -> Picture:
    """The picture that comes after `old`, in which the UIDs named differ."""
    uids, flags, keywords, modseqs = columns
    return replace(
        old,
        uidnext=counters.uidnext,
        highest_modseq=counters.highest_modseq,
        recent_from_uid=counters.recent_from_uid,
        keyword_names=tuple(counters.keywords),
        uids=uids,
        flags=flags,
        keywords=keywords,
        modseqs=modseqs,
        journal=longer_journal(old, named),
        memo=memo,
    )


def _run_in(uids: "array[int]", rows: Sequence[Row]) -> slice | None:
    """The places of all rows, where they are in the folder already and next to each other."""
    if not rows:
        return None
    start = bisect_left(uids, rows[0][0])
    stop = start + len(rows)
    if uids[start:stop] != array(uids.typecode, (row[0] for row in rows)):
        return None
    return slice(start, stop)


def _overlay(
    uids: "array[int]",
    flags: "array[int]",
    keywords: "array[int]",
    modseqs: "array[int]",
    rows: Sequence[Row],
) -> None:
    at = -1
    for uid, flag_bits, keyword_bits, modseq in rows:
        at += 1
        # Changes come in runs more often than not: look next door before searching.
        if not (at < len(uids) and uids[at] == uid):
            at = bisect_left(uids, uid)
        if at == len(uids):
            uids.append(uid)
            flags.append(flag_bits)
            keywords.append(keyword_bits)
            modseqs.append(modseq)
        elif uids[at] == uid:
            flags[at], keywords[at], modseqs[at] = flag_bits, keyword_bits, modseq
        else:
            uids.insert(at, uid)
            flags.insert(at, flag_bits)
            keywords.insert(at, keyword_bits)
            modseqs.insert(at, modseq)


def cut_out(gone: Iterable[range], uids: "array[int]", *others: "array[int]") -> None:
    """Cut the UIDs of `gone` out of an array, and what stands at their places out of others."""
    arrays = (uids, *others)
    cuts = sorted(
        (low, high)
        for run in gone
        if (low := bisect_left(uids, run.start)) < (high := bisect_left(uids, run.stop))
    )
    if len(cuts) <= 64:
        for low, high in reversed(cuts):
            for column in arrays:
                del column[low:high]
        return
    # Many small cuts: copying what stays once is linear, cutting one by one is not.
    for column in arrays:
        kept = array(column.typecode)
        start = 0
        for low, high in cuts:
            kept += column[start:low]
            start = high
        kept += column[start:]
        column[:] = kept


def _named(rows: Sequence[Row], gone: Sequence[range]) -> Sequence[int]:
    # All that went is named, even what `old` has lost already: where an entry went while `old` was
    # read, another picture of the same MODSEQ has it still, and a session was told that one.
    if not gone:
        return as_range([row[0] for row in rows])
    return sorted({*(row[0] for row in rows), *chain.from_iterable(gone)})


def longer_journal(old: Picture, uids: Sequence[int]) -> tuple[Step, ...]:
    """The journal of the picture that comes after `old`, in which these UIDs differ."""
    if not old.highest_modseq:
        return ()
    steps = [Step(old.highest_modseq, uids)]
    room = JOURNAL_UIDS - _weight(steps[0])
    for step in reversed(old.journal[-JOURNAL_STEPS + 1 :]):
        room -= _weight(step)
        if room < 0:
            break
        steps.append(step)
    return tuple(reversed(steps)) if _weight(steps[0]) <= JOURNAL_UIDS else ()


def _weight(step: Step) -> int:
    return 0 if isinstance(step.uids, range) else len(step.uids)
