"""Sets of UIDs as the database keeps them: RFC 9051's sequence-set, such as "3:5,9"."""

from collections.abc import Iterator, Sequence
from itertools import chain


def is_range(uids: Sequence[int]) -> bool:
    """True when ascending UIDs have no gap."""
    return bool(uids) and uids[-1] - uids[0] + 1 == len(uids)


def as_range(uids: Sequence[int]) -> Sequence[int]:
    """Ascending UIDs, as a range where they have no gap: ten thousand cost no more than one."""
    return range(uids[0], uids[-1] + 1) if is_range(uids) else uids


def runs(uids: Sequence[int]) -> Iterator[range]:
    """Ascending UIDs as ranges."""
    if is_range(uids):
        yield range(uids[0], uids[-1] + 1)
        return
    at = 0
    while at < len(uids):
        end = at
        while end + 1 < len(uids) and uids[end + 1] == uids[end] + 1:
            end += 1
        yield range(uids[at], uids[end] + 1)
        at = end + 1


def sequence_set(uids: Sequence[int]) -> str:
    """Ascending UIDs as RFC 9051's sequence-set, e.g. "3:5,9"."""
    return ",".join(
        str(run.start) if len(run) == 1 else f"{run.start}:{run.stop - 1}" for run in runs(uids)
    )


def runs_in(text: str) -> Iterator[range]:
    """The UIDs of a set that `sequence_set` wrote, as ranges."""
    for part in text.split(","):
        if part:
            first, _, last = part.partition(":")
            yield range(int(first), int(last or first) + 1)


def uids_in(text: str) -> Iterator[int]:
    """The UIDs of a set that `sequence_set` wrote."""
    return chain.from_iterable(runs_in(text))
