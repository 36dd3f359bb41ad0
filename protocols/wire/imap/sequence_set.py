"""Sets of message numbers or UIDs, as `1:3,7,12:*` (RFC 3501 §9, `sequence-set`).

A set is kept as the ranges the client wrote and resolved against the folder's largest number only
when it is used, because `*` means that number. Work is proportional to the ranges, never to the
numbers in them: `1:4294967295` is one range.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

MAX_NUMBER = 0xFFFFFFFF
# `*` inside a range; no message number or UID is zero.
STAR = 0

_NUMBER = rb"(?:[1-9][0-9]{0,9}+|\*)"
_RANGE = _NUMBER + rb"(?::" + _NUMBER + rb")?+"
PATTERN = re.compile(_RANGE + rb"(?:," + _RANGE + rb")*+")

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges of numbers, both ends included, in the order the client wrote them."""

    ranges: tuple[Range, ...]

    @property
    def highest(self) -> int:
        """The largest number written out; 0 when the set only says `*`."""
        return max((max(low, high) for low, high in self.ranges), default=0)

    @property
    def is_saved(self) -> bool:
        """Whether this is `$`, what the last SEARCH kept (RFC 5182): only the session knows it."""
        return not self.ranges

    @property
    def has_star(self) -> bool:
        """Whether the set depends on the largest number in the folder."""
        return any(low == STAR or high == STAR for low, high in self.ranges)

    def resolve(self, maximum: int) -> tuple[Range, ...]:
        """Ascending, disjoint, merged ranges within 1..`maximum`.

        `maximum` is the largest number in use, which `*` stands for; 0 means an empty folder and
        gives no ranges. The ends of a range may be in either order, so `559:*` in a folder whose
        largest UID is 100 holds 100 (RFC 3501 §6.4.8). Numbers above `maximum` are left out.
        """
        if maximum <= 0:
            return ()
        if len(self.ranges) == 1:
            low, high = self.ranges[0]
            low, high = low or maximum, high or maximum
            if low > high:
                low, high = high, low
            return ((low, min(high, maximum)),) if low <= maximum else ()
        return merge((low or maximum, high or maximum) for low, high in self.ranges)._cut(maximum)

    def to_bytes(self) -> bytes:
        """The set as written on the wire."""
        return (
            b"$"
            if self.is_saved
            else b",".join(
                _number(low) if low == high else _number(low) + b":" + _number(high)
                for low, high in self.ranges
            )
        )

    def _cut(self, maximum: int) -> tuple[Range, ...]:
        ranges = self.ranges
        if not ranges or ranges[-1][1] <= maximum:
            return ranges
        return tuple((low, min(high, maximum)) for low, high in ranges if low <= maximum)


SAVED = SequenceSet(())


def parse(text: bytes) -> SequenceSet | None:
    """The set that `text` writes, or None when it is not one."""
    if PATTERN.fullmatch(text) is None:
        return None
    ranges = []
    for piece in text.split(b","):
        low, _, high = piece.partition(b":")
        first = STAR if low == b"*" else int(low)
        last = first if not high else STAR if high == b"*" else int(high)
        if first > MAX_NUMBER or last > MAX_NUMBER:
            return None
        ranges.append((first, last))
    return SequenceSet(tuple(ranges))


def merge(ranges: Iterable[Range]) -> SequenceSet:
    """Ranges without `*`, their ends in either order, as an ascending set without overlaps."""
    merged: list[Range] = []
    for low, high in sorted((low, high) if low <= high else (high, low) for low, high in ranges):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return SequenceSet(tuple(merged))


def within(ranges: tuple[Range, ...], number: int) -> bool:
    """Whether resolved (ascending, disjoint) ranges hold `number`."""
    place = bisect_right(ranges, (number, MAX_NUMBER + 1)) - 1
    return place >= 0 and ranges[place][0] <= number <= ranges[place][1]


def compact(numbers: Iterable[int]) -> bytes:
    """Numbers as a set in their own order, runs joined: 1, 2, 3, 7 become `1:3,7`.

    The order is kept, because COPYUID pairs two lists by place (RFC 4315 §3). No numbers give b"".
    """
    pieces: list[bytes] = []
    first = last = -1
    for number in numbers:
        if number == last + 1 and first >= 0:
            last = number
            continue
        if first >= 0:
            pieces.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
        first = last = number
    if first >= 0:
        pieces.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
    return b",".join(pieces)


def _number(number: int) -> bytes:
    return b"%d" % number if number else b"*"
