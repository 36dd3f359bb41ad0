"""Group commit: one thread a process takes whatever is ready and makes it durable together.

There is no timer: what queues while one commit runs is the next batch. For each batch the octets
are written, and made durable (one fdatasync) while its rows are made; once they are, the rows are
committed (one transaction), then the futures are resolved. Where the database locks rows and not
itself, a unit larger than a whole batch (a COPY of a hundred thousand) is committed aside, by a
thread of its own: only what is about the same mailboxes waits for it.

Invariants (what a kill -9 at any line leaves behind):

1. A Future is resolved only after the commit: whatever was promised is on disk.
2. Before the commit nothing of the batch is visible; octets without rows are dead space that the
   collector frees.
3. A batch carries a CommitMark, written first and inside it. When the outcome of a commit is
   unknown the batch is repeated only if its mark is absent, and failed only once that is known or
   the database stays away; and should the lost commit still be under way, the repeat runs into its
   mark and ends there. So nothing is written twice.
4. A unit fails alone: an exception of its own undoes it alone, and an error of the data at the
   flush splits the batch until the culprit stands alone.
"""

import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.utils import Error as DatabaseError
from django.utils import timezone

from accounts import blobs, effects
from accounts.blobs import Adopted, OutOfSpace, Place, Spool, Storing
from accounts.counters import FolderState, MailboxState
from accounts.inserts import PendingRow, insert_rows
from accounts.models import Blob, CommitMark, Segment
from accounts.rows import FolderGone, MailboxGone, Rows
from accounts.turns import Turns

__all__ = [
    "DATABASE_AWAY",
    "CommitUnavailable",
    "FolderGone",
    "FolderState",
    "MailboxGone",
    "MailboxState",
    "OutOfSpace",
    "Rows",
    "Unit",
    "follow",
    "listen",
    "reset",
    "run",
    "run_each",
    "shutdown",
    "submit",
]

log = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[list[tuple[int, int, int]]], None]
Follower = Callable[[FolderState, list[Any]], None]

MAX_UNITS = 200
MAX_OCTETS = 8 << 20
# About 15 ms of a write transaction.
MAX_ROWS = 10_000
MAX_WAITING = 20_000
# Units of one long command that may wait or commit together.
WINDOW = 5
RETRY_PAUSES = (0.05, 0.25, 1.0)
# How long to wait, in seconds, for a database that went away during a COMMIT.
LOOK_PATIENCE = 30.0
LOOK_PAUSE = 0.25
MARKS_KEPT = timedelta(days=1)


class CommitUnavailable(Exception):
    """The store cannot commit just now (database locked, lost or full): a temporary failure."""


# What reading and writing raise while the database does not answer.
DATABASE_AWAY = (OperationalError, InterfaceError, CommitUnavailable)


class _OutcomeUnknown(Exception):
    """The database went away during a COMMIT and did not come back to say what became of it."""


class _OctetsLost(Exception):
    """The disk refused what it was given to store: nothing of the batch is committed."""


@dataclass
class Unit(Generic[T]):
    """Something to commit: the mailboxes to lock, octets to store, and what makes the rows.

    `write` runs in the committer thread, perhaps more than once (after a lost connection), so it
    has no effect but on `rows`. An exception from it fails this unit alone and reaches the Future.
    `folder_ids` are folders it will want: naming them saves a query each. `rows` is about how many
    rows it will touch, so that a batch stays short.
    """

    mailbox_ids: frozenset[int]
    write: Callable[[Rows, Blob | None], T]
    octets: bytes | Spool | None = None
    folder_ids: frozenset[int] = frozenset()
    rows: int = 1


@dataclass(slots=True)
class _Item:
    unit: Unit[Any]
    future: Future[Any] = field(default_factory=Future)
    payload: bytes | None = None
    adopted: Adopted | None = None
    place: Place | None = None
    storing: Storing | None = None
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class _Committer:
    """A queue and the thread that empties it.

    The two of a process share `guard`, and `held`: the mailboxes of what is being committed aside,
    whose other units would make a whole batch wait for their rows.
    """

    def __init__(self, guard: threading.Condition, held: set[int], *, is_aside: bool) -> None:
        self._guard = guard
        self._held = held
        self._is_aside = is_aside
        self._waiting: deque[_Item] = deque()
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def put(self, item: _Item) -> None:
        with self._guard:
            if self._is_stopping:
                raise CommitUnavailable("the server is shutting down")
            if len(self._waiting) >= MAX_WAITING:
                raise CommitUnavailable("too many commits are waiting")
            self._waiting.append(item)
            if self._thread is None:
                name = "committer aside" if self._is_aside else "committer"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._guard.notify_all()

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        with self._guard:
            self._is_stopping = True
            thread = self._thread
            self._guard.notify_all()
        if thread is not None:
            thread.join()

    def _has_work(self) -> bool:
        """Wait for units; False once there is nothing left to do and the thread should end."""
        with self._guard:
            self._guard.wait_for(
                lambda: self._has_ready() if self._waiting else self._is_stopping,
            )
            return bool(self._waiting)

    def _has_ready(self) -> bool:
        return not self._held or any(self._is_ready(item) for item in self._waiting)

    def _is_ready(self, item: _Item) -> bool:
        return self._is_aside or self._held.isdisjoint(item.unit.mailbox_ids)

    def _take(self) -> list[_Item]:
        """The next batch of what waits; empty where all of it was cancelled."""
        batch: list[_Item] = []
        passed_over: list[_Item] = []
        octets = rows = 0
        with self._guard:
            while (
                self._waiting
                and len(batch) < MAX_UNITS
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
                    batch.append(item)
                    if self._is_aside:
                        self._held.update(item.unit.mailbox_ids)
            self._waiting.extendleft(reversed(passed_over))
        return batch

    def _let_go(self) -> None:
        with self._guard:
            self._held.clear()
            self._guard.notify_all()

    def _run(self) -> None:
        if self._is_aside:
            self._run_aside()
            return
        batches = 0
        try:
            while self._has_work():
                # What comes while we wait for our turn is in the same batch.
                with _turns.turn():
                    batch = self._take()
                    outcome = _make_durable(batch)
                _settle(batch, outcome)
                batches += 1
                if batches % 1000 == 0:
                    _purge_marks()
            blobs.close_segment()
        except Exception:
            log.exception("commit: the segment could not be sealed")
        finally:
            _turns.close()
            connection.close()

    def _run_aside(self) -> None:
        """The same, without octets: segments are the other thread's, and so is the turn."""
        while self._has_work():
            batch = self._take()
            outcome = _make_durable(batch)
            self._let_go()
            _settle(batch, outcome)
        connection.close()


class _Outcome(NamedTuple):
    """What to do once a batch is committed (see `Rows`)."""

    deeds: list[tuple[FolderState, list[Any]]]
    callbacks: list[Callable[[], None]]
    notices: list[tuple[int, int, int]]


def _nothing() -> _Outcome:
    return _Outcome([], [], [])


def _make_durable(batch: list[_Item]) -> _Outcome:
    """Write the octets, then commit the rows: not before the octets are durable."""
    try:
        ready = _store_octets(batch)
        try:
            return _commit(ready) if ready else _nothing()
        except _OctetsLost:
            log.exception("commit: a segment was abandoned")
            ready = _store_octets(batch, and_wait=True)
            return _commit(ready) if ready else _nothing()
    except Exception as error:
        log.exception("commit: a batch of %d failed", len(batch))
        for item in batch:
            item.error = item.error or error
        return _nothing()


def _settle(batch: list[_Item], outcome: _Outcome) -> None:
    """Say what became of the batch: to who follows, its futures, and who watches what changed."""
    for folder, deeds in outcome.deeds:
        for follower in _followers:
            try:
                follower(folder, deeds)
            except Exception:
                log.exception("commit: folder %d could not be followed", folder.id)
    for item in batch:
        item.settle()
    for callback in outcome.callbacks:
        try:
            callback()
        except Exception:
            log.exception("commit: an effect failed")
    if outcome.notices:
        tell = partial(_tell, outcome.notices)
        effects.soon(f"notices {time.monotonic_ns()}", tell, lane="notices")


def _store_octets(batch: list[_Item], *, and_wait: bool = False) -> list[_Item]:
    """Write the batch's octets, and wait for the disk if so asked; the items that may go on."""
    with_octets = [item for item in batch if item.payload is not None]
    if not with_octets:
        return batch
    payloads = [item.payload or b"" for item in with_octets]
    try:
        try:
            storing = blobs.begin(payloads)
        except OSError:
            log.exception("commit: a segment was abandoned")
            storing = blobs.begin(payloads)
        if and_wait:
            storing.wait()
    except (OSError, DatabaseError) as error:
        log.exception("commit: octets could not be stored")
        for item in with_octets:
            item.error = _unavailable(error)
        connection.close()
        return [item for item in batch if item.error is None]
    for item, place in zip(with_octets, storing.places, strict=True):
        item.place, item.storing = place, storing
    return batch


def _await_octets(items: Iterable[_Item]) -> None:
    """Return once all octets are durable. _OctetsLost."""
    try:
        for item in items:
            if item.storing is not None:
                item.storing.wait()
    except OSError as error:
        raise _OctetsLost(str(error)) from error


def _commit(items: list[_Item]) -> _Outcome:
    """Commit the rows of a batch, repeating and splitting it as the module's invariants say."""
    try:
        return _commit_under_one_mark(items, _Attempt(items))
    except _OutcomeUnknown as unknown:
        for item in items:
            item.error = _unavailable(unknown)
        return _nothing()


def _commit_under_one_mark(items: list[_Item], attempt: "_Attempt") -> _Outcome:
    error: Exception
    for pause in (*RETRY_PAUSES, None):
        try:
            attempt.run()
        except _OctetsLost:
            raise
        except (OperationalError, InterfaceError) as failure:
            log.warning("commit: %s", failure)
            connection.close()
            error = failure
            if pause is None:
                break
            time.sleep(pause)
            if attempt.has_landed():
                return attempt.outcome()
        except Exception as failure:  # noqa: BLE001 it is the Future's to raise
            # A repeat that meets the mark of the commit before it is that commit's success.
            if attempt.has_landed():
                return attempt.outcome()
            if len(items) > 1:
                return _split(items)
            items[0].error = failure
            return _nothing()
        else:
            return attempt.outcome()
    if attempt.has_landed():
        return attempt.outcome()
    for item in items:
        item.error = _unavailable(error)
    return _nothing()


def _split(items: list[_Item]) -> _Outcome:
    # Or the first half could be there already when the second learns that it must begin again.
    _await_octets(items)
    middle = len(items) // 2
    first = _commit(items[:middle])
    second = _commit(items[middle:])
    return _Outcome(
        first.deeds + second.deeds,
        first.callbacks + second.callbacks,
        first.notices + second.notices,
    )


class _Attempt:
    """Tries at committing one batch under one mark."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items = items
        self._mark = uuid.uuid4()
        # What the try that last got as far as COMMIT would have to say.
        self._verdicts: list[tuple[Any, BaseException | None]] | None = None
        self._outcome = _nothing()

    def run(self) -> None:
        verdicts: list[tuple[Any, BaseException | None]] = []
        with transaction.atomic(durable=True):
            # First of all, so that a commit still under way under this mark stops us here.
            _leave_mark(self._mark)
            stored = _insert_blobs(self._items)
            rows = Rows(is_alone=len(self._items) == 1)
            rows.load(
                (key for item in self._items for key in item.unit.mailbox_ids),
                (key for item in self._items for key in item.unit.folder_ids),
            )
            dead: list[int] = []
            for item, blob in zip(self._items, stored, strict=True):
                try:
                    result = item.unit.write(rows, blob)
                    rows.finish_unit()
                except (OperationalError, InterfaceError):
                    raise
                except Exception as error:
                    if len(self._items) == 1:
                        raise
                    rows.fail_unit(error)
                    verdicts.append((None, error))
                    if blob is not None:
                        dead.append(blob.pk)
                else:
                    verdicts.append((result, None))
            rows.write()
            if dead:
                Blob.objects.filter(pk__in=dead).delete()
            _await_octets(self._items)
            self._verdicts = verdicts
            self._outcome = _Outcome(rows.deeds, rows.callbacks, rows.notices)

    def has_landed(self) -> bool:
        """True when a try whose outcome was unknown did commit after all.

        Whoever is told that nothing was stored sends again: so this waits for a database that is
        away. _OutcomeUnknown when it stays away.
        """
        if self._verdicts is None:
            return False
        deadline = time.monotonic() + LOOK_PATIENCE
        while True:
            try:
                return _is_marked(self._mark)
            except (OperationalError, InterfaceError) as error:
                log.warning("commit: cannot look for a mark: %s", error)
                connection.close()
                if time.monotonic() > deadline:
                    raise _OutcomeUnknown(str(error)) from error
                time.sleep(LOOK_PAUSE)

    def outcome(self) -> _Outcome:
        for item, (result, error) in zip(self._items, self._verdicts or (), strict=True):
            item.result, item.error = result, error
        return self._outcome


def _is_marked(mark: uuid.UUID) -> bool:
    return CommitMark.objects.filter(pk=mark).exists()


def _leave_mark(mark: uuid.UUID) -> None:
    key = CommitMark._meta.pk
    assert key is not None
    insert_rows(
        CommitMark,
        ("id", "created_at"),
        [
            PendingRow(
                (
                    key.get_db_prep_value(mark, connection),
                    connection.ops.adapt_datetimefield_value(timezone.now()),
                )
            )
        ],
    )


_BLOB = ("segment_id", "offset", "length", "created_at")


def _blob(segment_id: int, offset: int, length: int, created_at: datetime) -> Blob:
    blob = Blob(offset=offset, length=length, created_at=created_at)
    blob.segment_id = segment_id
    return blob


def _insert_blobs(items: Sequence[_Item]) -> list[Blob | None]:
    """Rows for the batch's octets, which are durable already; a fresh instance for each item."""
    adopted = [item.adopted for item in items if item.adopted is not None]
    segments: Iterator[Segment] = iter(
        Segment.objects.bulk_create(
            Segment(name=each.name, is_sealed=True, size=each.size) for each in adopted
        )
        if adopted
        else ()
    )
    now = timezone.now()
    stored_now = connection.ops.adapt_datetimefield_value(now)
    found: list[Blob | None] = []
    pending: list[PendingRow] = []
    for item in items:
        if item.place is not None:
            segment_id, offset, length = item.place[:3]
        elif item.adopted is not None:
            segment_id = next(segments).pk
            offset, length = item.adopted.offset, item.adopted.length
        else:
            found.append(None)
            continue
        found.append(_blob(segment_id, offset, length, now))
        pending.append(PendingRow((segment_id, offset, length, stored_now)))
    if pending:
        insert_rows(Blob, _BLOB, pending)
    keys = iter(pending)
    for blob in found:
        if blob is not None:
            blob.pk = next(keys).pk
    return found


def _unavailable(error: Exception) -> Exception:
    if isinstance(error, OutOfSpace):
        return error
    if "disk is full" in str(error) or "No space left" in str(error):
        return OutOfSpace(str(error))
    unavailable = CommitUnavailable(str(error))
    unavailable.__cause__ = error
    return unavailable


def _purge_marks() -> None:
    """Remove marks that mean nothing any more, a bounded number at a time."""
    try:
        old = CommitMark.objects.filter(created_at__lt=timezone.now() - MARKS_KEPT)
        CommitMark.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:2000])).delete()
    except DatabaseError as error:
        log.warning("commit: old marks stay for now: %s", error)


_followers: list[Follower] = []
_listeners: list[Listener] = []


def _tell(notices: list[tuple[int, int, int]]) -> None:
    for listener in _listeners:
        listener(notices)


def follow(follower: Follower) -> None:
    """Have folders and the deeds that changed them told to `follower`, before their units' futures.

    It is called in the committer thread, with the counters as committed, and must be quick.
    """
    if follower not in _followers:
        _followers.append(follower)


def listen(listener: Listener) -> None:
    """Have every (mailbox id, folder id, MODSEQ) that changed told, together after the commit."""
    if listener not in _listeners:
        _listeners.append(listener)


def _committers() -> tuple[_Committer, _Committer]:
    guard, held = threading.Condition(), set[int]()
    return _Committer(guard, held, is_aside=False), _Committer(guard, held, is_aside=True)


_committer, _aside = _committers()
_turns = Turns()


def submit(unit: Unit[T]) -> Future[T]:
    """Queue a unit for the next group commit.

    A spool that lies in a file is made a segment here, in the caller's thread: it is durable
    before it is queued and never holds up others. The Future raises what `write` raised,
    CommitUnavailable or OutOfSpace.
    """
    if connection.in_atomic_block:
        # The committer would wait for the lock this transaction holds, and we for the committer.
        raise RuntimeError("a Unit cannot be submitted from inside a transaction")
    item = _Item(unit)
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
        (_aside if _goes_aside(unit) else _committer).put(item)
    except (OSError, CommitUnavailable) as error:
        item.future.set_exception(error)
    return item.future


def _goes_aside(unit: Unit[Any]) -> bool:
    # SQLite has one write lock: aside or not, everybody waits for it.
    is_large = unit.rows > MAX_ROWS and unit.octets is None
    return is_large and connection.features.has_select_for_update


def run(unit: Unit[T]) -> T:
    """Commit a unit and wait for it."""
    return submit(unit).result()


def run_each(units: Iterable[Unit[T]]) -> Iterator[T]:
    """Commit units in their order, a few under way at a time; their results as they come.

    When one fails its error is raised, and those behind it that were under way still commit.
    """
    under_way: deque[Future[T]] = deque()
    for unit in units:
        under_way.append(submit(unit))
        if len(under_way) >= WINDOW:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def shutdown() -> None:
    """Commit what waits and seal the open segment; later units are refused."""
    _aside.stop()
    _committer.stop()


def reset() -> None:
    """Commit what waits, then start afresh: for tests, whose database goes away between them."""
    global _committer, _aside
    shutdown()
    _committer, _aside = _committers()
    blobs.reset()


def _start_afresh() -> None:
    global _committer, _aside, _turns
    _turns.close()
    _committer, _aside = _committers()
    _turns = Turns()


# A forked child has none of its parent's threads; the parent's units are the parent's to finish.
os.register_at_fork(after_in_child=_start_afresh)
