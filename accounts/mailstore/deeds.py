"""What a commit did to a folder, laid over the picture that was kept of the state before it.

Pure. Where the deeds do not fit the picture nothing comes of it: then the database is read.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from accounts.mailstore.picture import Counters, Picture, cut_out, following, pick, places_of
from accounts.uid_sets import as_range, runs


class Bits(NamedTuple):
    """What becomes of a set of bits: those outside `kept` go, then those of `added` come."""

    kept: int
    added: int

    @property
    def touched(self) -> int:
        """The bits that are decided: a set changes where its own of these are not `added`."""
        return ~self.kept | self.added

    def applied(self, column: Sequence[int]) -> Sequence[int]:
        """A column of such sets of bits afterwards."""
        kept, added = self
        if self == UNCHANGED:
            return column
        if isinstance(column, array) and column.itemsize == 1:
            # Flags are one octet each: ten thousand take no longer than one round of the list.
            octets = column.tobytes().translate(
                bytes((each & kept | added) & 255 for each in range(256))
            )
            return array(column.typecode, octets)
        return [bits & kept | added for bits in column]


UNCHANGED = Bits(-1, 0)


@dataclass(frozen=True, slots=True)
class Flagged:
    """Entries whose flags and keywords changed; UIDs ascending."""

    uids: Sequence[int]
    flags: Bits
    keywords: Bits


@dataclass(frozen=True, slots=True)
class Removed:
    """Entries that went; UIDs ascending."""

    uids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Came:
    """An entry that came, above all that were there."""

    uid: int
    flags: int
    keywords: int

    @property
    def uids(self) -> Sequence[int]:
        return (self.uid,)


@dataclass(frozen=True, slots=True)
class Shown:
    """Nothing but which entries are \\Recent: the counters say it."""


Alteration = Flagged | Removed | Came
Deed = Alteration | Shown


def followed(old: Picture, counters: Counters, deeds: Sequence[Deed]) -> Picture | None:
    """`old` after all deeds of the one commit that led to `counters`; None where they do not fit.

    Where nothing went the UIDs stay the same object, which tells upper rooms so.
    """
    changes = [deed for deed in deeds if not isinstance(deed, Shown)]
    if not changes:
        return replace(old, recent_from_uid=counters.recent_from_uid)
    uids, flags, keywords, modseqs = old.uids, old.flags[:], old.keywords[:], old.modseqs[:]
    if not all(isinstance(change, Flagged) for change in changes):
        uids = uids[:]
    for change in changes:
        match change:
            case Came(uid, flag_bits, keyword_bits):
                if uids and uids[-1] >= uid:
                    return None
                uids.append(uid)
                flags.append(flag_bits)
                keywords.append(keyword_bits)
                modseqs.append(counters.highest_modseq)
            case Flagged():
                places = places_of(uids, change.uids)
                if places is None:
                    return None
                change_bits(flags, places, change.flags)
                change_bits(keywords, places, change.keywords)
                _put(modseqs, places, array("Q", [counters.highest_modseq]) * len(places))
            case Removed():
                if places_of(uids, change.uids) is None:
                    return None
                cut_out(runs(change.uids), uids, flags, keywords, modseqs)
    return following(old, counters, (uids, flags, keywords, modseqs), _all_uids(changes), {})


def change_bits(column: "array[int]", places: Sequence[int], bits: Bits) -> None:
    """Do to the sets of bits at these places what `bits` says."""
    if bits != UNCHANGED:
        _put(column, places, array(column.typecode, bits.applied(pick(column, places))))


def _put(column: "array[int]", places: Sequence[int], values: "array[int]") -> None:
    if isinstance(places, range):
        column[places.start : places.stop] = values
        return
    for place, value in zip(places, values, strict=True):
        column[place] = value


def _all_uids(changes: Sequence[Alteration]) -> Sequence[int]:
    if len(changes) == 1:
        return as_range(changes[0].uids)
    return as_range(sorted(set(chain.from_iterable(change.uids for change in changes))))
