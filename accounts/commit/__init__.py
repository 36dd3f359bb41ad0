"""Group commit: one thread a process takes whatever is ready and makes it durable together.

There is no timer: what queues while one commit runs is the next batch. For each batch the octets
are written, then its rows are made; once the octets are durable (one fdatasync) the rows are
committed (one transaction), then the futures are resolved. Where processes take turns at writing
rows (`accounts.turns`), the octets go to the disk while others have theirs. Where the database
locks rows and not itself, a unit larger than a whole batch (a COPY of a hundred thousand) is
committed aside, by a thread of its own: only what is about the same mailboxes waits for it.

Invariants (what a kill -9 at any line leaves behind):

1. A Future is resolved only after the commit: whatever was promised is on disk.
2. Before the commit nothing of the batch is visible; octets without rows are dead space that the
   collector frees.
3. A batch carries a mark inside it: the place of octets that it keeps, which no other row may
   have, or where there are none, a CommitMark. When the outcome of a commit is unknown the batch
   is repeated only if its mark is absent, and failed only once that is known or the database stays
   away; and should the lost commit still be under way, the repeat runs into its mark and ends
   there. So nothing is written twice.
4. A unit fails alone: an exception of its own undoes it alone, and an error of the data at the
   flush splits the batch until the culprit stands alone.
5. Before the commit no stamp (`accounts.stamps`) of its mailboxes is current any more, and one that
   is taken after a Future was resolved is of the state after it. Who follows commits is told the
   stamp of the state that one left, once it is known to have landed.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from typing import TypeVar

from accounts import blobs
from accounts.blobs import OutOfSpace, Spool
from accounts.commit.committer import MAX_ROWS, committers, goes_aside, keep_to
from accounts.commit.items import Item
from accounts.commit.octets import unavailable
from accounts.commit.telling import follow, listen, walk
from accounts.commit.units import DATABASE_AWAY, CommitUnavailable, Unit
from accounts.rows import FolderGone, MailboxGone, Rows
from accounts.statements import own_database

__all__ = [
    "DATABASE_AWAY",
    "MAX_ROWS",
    "CommitUnavailable",
    "FolderGone",
    "MailboxGone",
    "OutOfSpace",
    "Rows",
    "Unit",
    "follow",
    "keep_to",
    "listen",
    "reset",
    "run",
    "run_each",
    "shutdown",
    "start",
    "submit",
    "walk",
]

T = TypeVar("T")

log = logging.getLogger(__name__)

# Units of one long command that may wait or commit together.
WINDOW = 5

_committer, _aside = committers()


def submit(unit: Unit[T]) -> Future[T]:
    """Queue a unit for the next group commit.

    A spool that lies in a file is made a segment here, in the caller's thread: it is durable
    before it is queued and never holds up others. The Future raises what `write` raised,
    CommitUnavailable or OutOfSpace.
    """
    if own_database().in_atomic_block:
        # The committer would wait for the lock this transaction holds, and we for the committer.
        raise RuntimeError("a Unit cannot be submitted from inside a transaction")
    item = Item(unit)
    try:
        octets = unit.octets
        if isinstance(octets, Spool):
            if octets.path is not None:
                item.adopted = blobs.adopt(octets)
            else:
                payload = octets.octets()
                assert isinstance(payload, bytes)
                item.payload = payload
        else:
            item.payload = octets
        (_aside if goes_aside(unit) else _committer).put(item)
    except CommitUnavailable as error:
        item.future.set_exception(error)
    except OSError as error:
        log.warning("commit: a spool cannot be kept: %s", error)
        item.future.set_exception(unavailable(error))
    return item.future


def start() -> None:
    """Have the thread that commits begin: it has the priority of whoever asks first."""
    _committer.start()


def run(unit: Unit[T]) -> T:
    """Commit a unit and wait for it."""
    return submit(unit).result()


def run_each(units: Iterable[Unit[T]]) -> Iterator[T]:
    """Commit units in their order, a few under way at a time; their results as they come.

    The first are under way when this returns. When one fails its error is raised, and those behind
    it that were under way still commit.
    """
    waiting = iter(units)
    return _results(deque(map(submit, islice(waiting, WINDOW))), waiting)


def _results(under_way: deque[Future[T]], waiting: Iterator[Unit[T]]) -> Iterator[T]:
    while under_way:
        yield under_way.popleft().result()
        under_way.extend(map(submit, islice(waiting, 1)))


def shutdown() -> None:
    """Commit what waits and seal the open segment; later units are refused."""
    _aside.stop()
    _committer.stop()


def reset() -> None:
    """Commit what waits, then start afresh: for tests, whose database goes away between them."""
    global _committer, _aside
    shutdown()
    _committer, _aside = committers()
    blobs.reset()


def _start_afresh() -> None:
    global _committer, _aside
    _committer.forget()
    _committer, _aside = committers()


# A forked child has none of its parent's threads; the parent's units are the parent's to finish.
os.register_at_fork(after_in_child=_start_afresh)
