"""The queue of units and the two threads that empty it, batch by batch."""

import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import connection

from accounts import blobs
from accounts.commit.batch import make_durable
from accounts.commit.items import Item
from accounts.commit.log_ahead import read_log_ahead
from accounts.commit.octets import OctetsLost, await_octets, store_octets
from accounts.commit.telling import settle
from accounts.commit.units import CommitUnavailable, Unit
from accounts.commit.writer import Writer
from accounts.turns import Turns

log = logging.getLogger(__name__)

MAX_UNITS = 200
MAX_OCTETS = 8 << 20
# About 15 ms of a write transaction.
MAX_ROWS = 10_000
MAX_WAITING = 20_000


# Where the committer's thread runs; None: anywhere.
_processor: int | None = None


def keep_to(processor: int) -> None:
    """Run the committer's thread on this processor; called before anything is committed."""
    global _processor
    _processor = processor


def goes_aside(unit: Unit[Any]) -> bool:
    """Whether a unit is committed by the thread for what is larger than a batch."""
    # SQLite has one write lock: aside or not, everybody waits for it.
    is_large = unit.rows > MAX_ROWS and unit.octets is None
    return is_large and connection.features.has_select_for_update


class Committer:
    """A queue and the thread that empties it.

    The two of a process share `guard`, and `held`: the mailboxes of what is being committed aside,
    whose other units would make a whole batch wait for their rows.
    """

    def __init__(self, guard: threading.Condition, held: set[int], *, is_aside: bool) -> None:
        self._guard = guard
        self._held = held
        self._is_aside = is_aside
        self._waiting: deque[Item] = deque()
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._turns = Turns()
        self._writer = Writer()

    def put(self, item: Item) -> None:
        with self._guard:
            if self._is_stopping:
                raise CommitUnavailable("the server is shutting down")
            if len(self._waiting) >= MAX_WAITING:
                raise CommitUnavailable("too many commits are waiting")
            self._waiting.append(item)
            self.start()
            self._guard.notify_all()

    def start(self) -> None:
        """Have the thread begin, if it has not."""
        with self._guard:
            if self._thread is None:
                name = "committer aside" if self._is_aside else "committer"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        with self._guard:
            self._is_stopping = True
            thread = self._thread
            self._guard.notify_all()
        if thread is not None:
            thread.join()

    def forget(self) -> None:
        """Let go of what a forked child shares with its parent."""
        self._turns.close()

    def _has_work(self) -> bool:
        """Wait for units; False once there is nothing left to do and the thread should end."""
        with self._guard:
            self._guard.wait_for(
                lambda: self._has_ready() if self._waiting else self._is_stopping,
            )
            return bool(self._waiting)

    def _has_ready(self) -> bool:
        return not self._held or any(self._is_ready(item) for item in self._waiting)

    def _is_ready(self, item: Item) -> bool:
        return self._is_aside or self._held.isdisjoint(item.unit.mailbox_ids)

    def _take(self, batch: Sequence[Item] = ()) -> list[Item]:
        """What waits, as far as there is room for it in a batch."""
        taken: list[Item] = []
        passed_over: list[Item] = []
        octets = sum(len(item.payload or b"") for item in batch)
        rows = sum(item.unit.rows for item in batch)
        room = MAX_UNITS - len(batch)
        with self._guard:
            while (
                self._waiting
                and len(taken) < room
                and octets < MAX_OCTETS
                and (not rows or rows + self._waiting[0].unit.rows <= MAX_ROWS)
            ):
                item = self._waiting.popleft()
                if not self._is_ready(item):
                    passed_over.append(item)
                    continue
                octets += len(item.payload or b"")
                rows += item.unit.rows
                if item.future.set_running_or_notify_cancel():
                    taken.append(item)
                    if self._is_aside:
                        self._held.update(item.unit.mailbox_ids)
            self._waiting.extendleft(reversed(passed_over))
        return taken

    def _add_to(self, batch: list[Item]) -> bool:
        """Put what waits into the batch, its octets written; False where nothing does."""
        taken = self._take(batch)
        store_octets(taken, rolls=not batch)
        batch += taken
        return bool(taken)

    def _next_batch(self) -> list[Item]:
        """What waits, in our turn; empty where all of it was cancelled.

        While others have theirs the disk takes our octets, and what comes meanwhile joins them.
        """
        batch: list[Item] = []
        # Another segment takes a row, and so the turn.
        while blobs.is_open() and self._add_to(batch):
            if self._turns.take_at_once():
                return batch
            # What the disk refuses is told once more where the rows wait for it.
            with suppress(OctetsLost):
                await_octets(batch)
        self._turns.take()
        self._add_to(batch)
        return batch

    def _let_go(self) -> None:
        with self._guard:
            self._held.clear()
            self._guard.notify_all()

    def _run(self) -> None:
        if self._is_aside:
            self._run_aside()
            return
        if _processor is not None:
            with suppress(OSError):
                os.sched_setaffinity(0, {_processor})
        try:
            while self._has_work():
                batch = self._next_batch()
                try:
                    read_log_ahead(sum(item.unit.rows for item in batch))
                    outcome = make_durable(batch, self._writer)
                finally:
                    self._turns.give_back()
                settle(batch, outcome)
            blobs.close_segment()
        except Exception:
            log.exception("commit: the segment could not be sealed")
        finally:
            self._turns.close()
            connection.close()

    def _run_aside(self) -> None:
        """The same, without octets: segments are the other thread's, and so is the turn."""
        while self._has_work():
            batch = self._take()
            outcome = make_durable(batch, self._writer)
            self._let_go()
            settle(batch, outcome)
        connection.close()


def committers() -> tuple[Committer, Committer]:
    """The two of a process: of batches, and of what is committed aside."""
    guard, held = threading.Condition(), set[int]()
    return Committer(guard, held, is_aside=False), Committer(guard, held, is_aside=True)
