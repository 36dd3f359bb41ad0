"""Sets of UIDs: bounded chunks for long commands, conditions for queries, sequence-sets to keep."""

from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Q

from accounts.key_lists import listed
from accounts.uid_sets import is_range

# No write transaction that moves or deletes is longer than this many rows.
CHUNK = 2000
# Up to here a list of parameters is quicker than a subquery.
SHORT = 50


def chunked(uids: Iterable[int], size: int | None = None) -> Iterator[Sequence[int]]:
    """The UIDs ascending and each once, at most `size` (None: CHUNK) at a time."""
    size = size or CHUNK
    ordered = uids if isinstance(uids, range) else sorted(set(uids))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def in_uids(uids: Sequence[int]) -> Q:
    """The condition for ascending `uids`: a range where they are one, else a list."""
    if is_range(uids):
        return Q(uid__gte=uids[0], uid__lte=uids[-1])
    if len(uids) <= SHORT:
        return Q(uid__in=uids)
    return Q(uid__in=listed(uids))
