"""Runs of neighbouring messages in a client's numbering, and how they are cut up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocols.wire.imap.options import Page

Span = tuple[int, int]
"""Places from the first (counted from 0) up to but not including the second."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some messages in order: the numbers a client knows them by, their places in the picture."""

    numbers: Sequence[int]
    places: Sequence[int]
    has_ghosts: bool = False

    def __len__(self) -> int:
        return len(self.places)


def paged(spans: Sequence[Span], page: Page) -> list[Span]:
    """The part of `spans` on a page (RFC 9394 §3.3)."""
    chosen = page.cut(range(sum(stop - start for start, stop in spans)))
    if not chosen:
        return []
    low, high = chosen[0], chosen[-1] + 1
    found: list[Span] = []
    passed = 0
    for start, stop in spans:
        first, last = max(low - passed, 0), min(high - passed, stop - start)
        if first < last:
            found.append((start + first, start + last))
        passed += stop - start
    return found


def pieces(spans: Sequence[Span], size: int) -> Iterator[Sequence[int]]:
    """The places of `spans` in order, at most `size` at a time.

    Pieces of a large span end at multiples of `size`, so that what is made for one can be kept.
    """
    gathered: list[int] = []
    for start, stop in spans:
        while not gathered and stop - start >= size:
            end = start - start % size + size
            yield range(start, end)
            start = end
        while start < stop:
            end = min(stop, start + size - len(gathered))
            gathered.extend(range(start, end))
            start = end
            if len(gathered) == size:
                yield _as_range(gathered)
                gathered = []
    if gathered:
        yield _as_range(gathered)


def _as_range(places: list[int]) -> Sequence[int]:
    is_run = places[-1] - places[0] + 1 == len(places)
    return range(places[0], places[-1] + 1) if is_run else places


def numbers_of(places: Sequence[int]) -> Sequence[int]:
    """The numbers of places, in a numbering without ghosts: counted from 1."""
    if isinstance(places, range):
        return range(places.start + 1, places.stop + 1)
    return [place + 1 for place in places]
