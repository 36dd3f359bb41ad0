"""Jobs that wait for a thread: each owner's in their order, owners by turns. Pure.

An owner has at most so many at work, so that others find a thread; jobs of nobody (None) are
bounded by nothing.
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable
from typing import NamedTuple, TypeAlias

Job: TypeAlias = Callable[[], object]
Owner: TypeAlias = Hashable | None


class Waiting(NamedTuple):
    """A job, when it came, and whose it is."""

    came_at: float
    job: Job
    owner: Owner


class Line:
    """Whoever uses it sees to it that one thread does at a time."""

    def __init__(self, most: int) -> None:
        """`most` jobs of one owner are at work at once."""
        self._most = most
        # Owners in the order of their turns.
        self._waiting: dict[Owner, deque[Waiting]] = {}
        self._at_work: Counter[Owner] = Counter()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def may_begin(self, owner: Owner) -> bool:
        """Whether another job of the owner may be at work, and none of theirs came before it."""
        return owner not in self._waiting and self._has_room(owner)

    def add(self, job: Job, owner: Owner, now: float) -> None:
        """Have a job wait."""
        self._waiting.setdefault(owner, deque()).append(Waiting(now, job, owner))

    def first(self, came_by: float | None = None) -> Waiting | None:
        """Whose turn it is, of those who came by then; None: nobody's."""
        for owner, jobs in self._waiting.items():
            if self._has_room(owner) and (came_by is None or jobs[0].came_at <= came_by):
                return jobs[0]
        return None

    def take(self, found: Waiting) -> Job:
        """Take what `first` has found out of the line; the owner's next turn comes last."""
        jobs = self._waiting.pop(found.owner)
        jobs.popleft()
        if jobs:
            self._waiting[found.owner] = jobs
        return found.job

    def begin(self, owner: Owner) -> None:
        """A job of the owner is at work."""
        if owner is not None:
            self._at_work[owner] += 1

    def end(self, owner: Owner) -> None:
        """It is done."""
        if owner is not None:
            self._at_work[owner] -= 1
            if not self._at_work[owner]:
                del self._at_work[owner]

    def _has_room(self, owner: Owner) -> bool:
        return owner is None or self._at_work[owner] < self._most
