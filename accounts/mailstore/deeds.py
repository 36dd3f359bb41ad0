"""What a commit did to a folder, laid over the picture that was kept of the state before it.

Pure. Where the deeds do not fit the picture nothing comes of it: then the database is read.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from accounts.mailstore.picture import Counters, Picture, longer_journal
from accounts.uid_sets import as_range


class Bits(NamedTuple):
    """What becomes of a set of bits: those outside `kept` go, then those of `added` come."""

    kept: int
    added: int


@dataclass(frozen=True, slots=True)
class Flagged:
    """Entries whose flags and keywords changed; UIDs ascending."""

    uids: Sequence[int]
    flags: Bits
    keywords: Bits


def followed(old: Picture, counters: Counters, deeds: Sequence[Flagged]) -> Picture | None:
    """`old` after all deeds of the one commit that led to `counters`; None where they do not fit.

    The UIDs stay the same object, which tells upper rooms that nobody came or went.
    """
    flags, keywords, modseqs = old.flags[:], old.keywords[:], old.modseqs[:]
    for deed in deeds:
        places = _places(old.uids, deed.uids)
        if places is None:
            return None
        _change(flags, places, deed.flags)
        _change(keywords, places, deed.keywords)
        _set(modseqs, places, counters.highest_modseq)
    return replace(
        old,
        uidnext=counters.uidnext,
        highest_modseq=counters.highest_modseq,
        recent_from_uid=counters.recent_from_uid,
        keyword_names=tuple(counters.keywords),
        flags=flags,
        keywords=keywords,
        modseqs=modseqs,
        journal=longer_journal(old, _all_uids(deeds)),
        memo={},
    )


def _places(uids: "array[int]", chosen: Sequence[int]) -> slice | list[int] | None:
    """Where the chosen UIDs are: a slice where they lie side by side; None if one is missing."""
    start = bisect_left(uids, chosen[0])
    stop = start + len(chosen)
    if stop <= len(uids) and uids[stop - 1] == chosen[-1] and _are_equal(uids[start:stop], chosen):
        return slice(start, stop)
    places = [bisect_left(uids, uid) for uid in chosen]
    is_there = all(
        at < len(uids) and uids[at] == uid for at, uid in zip(places, chosen, strict=True)
    )
    return places if is_there else None


def _are_equal(some: "array[int]", chosen: Sequence[int]) -> bool:
    # As many different UIDs between the same two ends: a range has no others.
    return (isinstance(chosen, range) and some[0] == chosen[0]) or some == array("I", chosen)


def _change(column: "array[int]", places: slice | list[int], bits: Bits) -> None:
    kept, added = bits
    if (kept, added) == (-1, 0):
        return
    if isinstance(places, slice):
        column[places] = array(column.typecode, [old & kept | added for old in column[places]])
        return
    for place in places:
        column[place] = column[place] & kept | added


def _set(column: "array[int]", places: slice | list[int], value: int) -> None:
    if isinstance(places, slice):
        column[places] = array(column.typecode, [value]) * (places.stop - places.start)
        return
    for place in places:
        column[place] = value


def _all_uids(deeds: Sequence[Flagged]) -> Sequence[int]:
    if len(deeds) == 1:
        return as_range(deeds[0].uids)
    return as_range(sorted(set(chain.from_iterable(deed.uids for deed in deeds))))
