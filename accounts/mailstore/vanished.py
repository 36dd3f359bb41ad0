"""Which UIDs left a folder since a MODSEQ, for a client that was away (RFC 7162 §3.2)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from accounts.mailstore.history import vanished_after
from accounts.mailstore.picture import Picture
from accounts.uid_sets import runs_in
from protocols.wire.imap.sequence_set import Range, SequenceSet, merge

# Above this many expunges it is cheaper to say which UIDs are not there (RFC 7162 §3.2.5.1), as it
# is said to who was away for longer than is known.
MAX_STEPS = 20_000


def vanished_since(picture: Picture, modseq: int, within: SequenceSet | None) -> list[Range]:
    """Ascending ranges of the UIDs that went after `modseq`; of those in `within` (None: all).

    `*` in `within` is the last UID ever given. UIDs that the picture has are never among them: what
    goes later is said later.
    """
    last = picture.uidnext - 1
    asked = [(1, last)] if within is None else within.resolve(last)
    if last < 1 or not asked:
        return []
    steps = vanished_after(picture.folder_id, modseq, MAX_STEPS + 1)
    if steps is None or len(steps) > MAX_STEPS:
        gone: Sequence[Range] = ((1, last),)
    else:
        runs = ((run.start, run.stop - 1) for _, text in steps for run in runs_in(text))
        gone = merge(runs).ranges
    return list(_without(picture, _common(gone, asked)))


def _common(some: Sequence[Range], others: Sequence[Range]) -> Iterator[Range]:
    """What is in both of two ascending, disjoint lists of ranges."""
    at = 0
    for low, high in some:
        while at < len(others) and others[at][1] < low:
            at += 1
        place = at
        while place < len(others) and others[place][0] <= high:
            yield max(low, others[place][0]), min(high, others[place][1])
            place += 1


def _without(picture: Picture, ranges: Iterable[Range]) -> Iterator[Range]:
    """The ranges without the UIDs that are in the folder."""
    for low, high in ranges:
        uids = picture.uids
        for uid in uids[bisect_left(uids, low) : bisect_right(uids, high)]:
            if low < uid:
                yield low, uid - 1
            low = uid + 1
        if low <= high:
            yield low, high
