"""Know without asking the database that nothing of a mailbox has changed since it was read.

On the embedded database all processes stand on one machine. They share a table of counters, in a
file beside the database that each has mapped into memory: two counters, `begun` and `ended`, for
the mailboxes of a slot, and two for what any mailbox hangs on (the directory). Two mailboxes in one
slot cost a look at the database, no more. On PostgreSQL there are no stamps: always look.

Invariants (what a kill -9 at any line leaves behind is "look", never "nothing has changed"):

1. Who changes rows of a mailbox says so within the transaction, by `change`: `begun` is raised
   before the COMMIT, under the database's write lock, so one writer at a time raises.
2. `ended` is raised after the COMMIT, and before anybody is told of it.
3. A stamp is what `begun` says, and is given only while `ended` says the same: all that was begun
   is then to be seen by who reads after. So as long as `begun` is still the same, nothing that
   anybody was told of has been committed since.
4. Who dies between the two, or whose transaction is undone, leaves them apart: no stamp is given,
   and none that was given is current. The next batch of any committer puts them together, under
   the write lock: whoever had begun before has committed by then, or never will.
5. Who raises `begun` knows the stamp of what it commits: nobody else raises before that commit is
   over. It is good once the commit is known to have landed.
6. `begun` only grows. A table begins at random, so that no stamp of another one fits it. A file
   that was deleted or replaced is not read for longer than LOOK_EVERY; who cannot have the file
   does not write the database either. (What it needs, a lock and shared memory, SQLite's own index
   of the log needs too.) What it holds when the machine starts means nothing: stamps live in
   memory alone.
"""

import fcntl
import mmap
import os
import secrets
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections

from accounts.statements import own_database

# The first is everybody's.
SLOTS = 4096
_ALL = 0
_SIZE = 2 * SLOTS * 8
# Seconds. To look for the file each time would hand the interpreter to other threads each time.
LOOK_EVERY = 0.01
# Room to count for ever.
_FIRST_BITS = 62
_MASK = (1 << 64) - 1


def take(mailbox_id: int) -> int | None:
    """A stamp for what is read of the mailbox after this; None: not now.

    None inside a transaction, too: it may see an older state.
    """
    if own_database().in_atomic_block or (table := _table()) is None:
        return None
    return table.stamp(_slot(mailbox_id))


def is_current(mailbox_id: int, stamp: int) -> bool:
    """Whether nothing of the mailbox has changed since the stamp was taken; asks nobody."""
    table = _table()
    return table is not None and table.begun(_slot(mailbox_id)) == stamp


def take_of_directory() -> int | None:
    """A stamp for what is read after this and hangs on the directory alone; None: not now."""
    if own_database().in_atomic_block or (table := _table()) is None:
        return None
    return table.stamp_of_all()


def is_directory_current(stamp: int) -> bool:
    """Whether nothing of the directory has changed since the stamp was taken; asks nobody."""
    table = _table()
    return table is not None and table.begun_for_all() == stamp


class Step(NamedTuple):
    """The stamps of a mailbox before and after a commit: what fits `before` is what was changed."""

    before: int
    after: int


def change(mailbox_ids: Collection[int] | None = None) -> dict[int, Step]:
    """The transaction that is open changes something of these mailboxes; None: of any.

    By mailbox, where they were named, the step that its commit is. OperationalError where the
    others cannot be told.
    """
    if mailbox_ids is not None and not mailbox_ids:
        return {}
    table = _table(must_be=True)
    if table is None:
        return {}
    database = own_database()
    if not database.in_atomic_block:
        raise RuntimeError("without a transaction a change is there before it is announced")
    slots = {_ALL} if mailbox_ids is None else {_slot(each) for each in mailbox_ids}
    before = {each: table.begun(_slot(each)) for each in mailbox_ids or ()}
    database.on_commit(partial(table.end, table.begin(slots)))
    return {each: Step(was, table.begun(_slot(each))) for each, was in before.items()}


def heal() -> None:
    """Call it first in a transaction: what others began and did not end is over.

    Of a table that has just been replaced nobody reads any more, and the new one is healed next.
    """
    if (table := _table()) is not None:
        table.heal()


def _slot(mailbox_id: int) -> int:
    return 1 + mailbox_id % (SLOTS - 1)


class _Table:
    """One file of counters, mapped. Reading or writing an aligned one is one step of the CPU."""

    def __init__(self, path: str, database: str) -> None:
        self._path = path
        self._is_seen_until = 0.0
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Only one may fill it; the kernel frees the lock of a process that dies at it.
            fcntl.lockf(file, fcntl.LOCK_EX)
            if os.fstat(file).st_size != _SIZE:
                _give_to_owner(file, database)
                _fill(file)
            self._identity = _identity(os.fstat(file))
            numbers = memoryview(mmap.mmap(file, _SIZE)).cast("Q")
        finally:
            os.close(file)
        self._begun, self._ended = numbers[:SLOTS], numbers[SLOTS:]

    def is_in_place(self, *, now: bool) -> bool:
        """Whether others who open the file get this one: now, or as of LOOK_EVERY seconds ago."""
        if not now and time.monotonic() < self._is_seen_until:
            return True
        try:
            is_in_place = _identity(os.stat(self._path)) == self._identity
        except OSError:
            return False
        self._is_seen_until = time.monotonic() + LOOK_EVERY
        return is_in_place

    def begun(self, slot: int) -> int:
        """What has begun in a slot and for everybody. Both only grow: so does their sum."""
        return self._begun[_ALL] + self._begun[slot]

    def begun_for_all(self) -> int:
        """What has begun for everybody."""
        return self._begun[_ALL]

    def stamp_of_all(self) -> int | None:
        ended, begun = self._ended[_ALL], self._begun[_ALL]
        return begun if begun == ended else None

    def stamp(self, slot: int) -> int | None:
        # Ended first: what ends meanwhile must not count as ended before.
        ended = self._ended[_ALL], self._ended[slot]
        begun = self._begun[_ALL], self._begun[slot]
        return sum(begun) if begun == ended else None

    def begin(self, slots: Iterable[int]) -> list[tuple[int, int]]:
        raised = []
        for slot in slots:
            # After the machine went down the file may hold what was never there at once.
            number = max(self._begun[slot], self._ended[slot]) + 1 & _MASK
            self._begun[slot] = number
            raised.append((slot, number))
        return raised

    def end(self, raised: list[tuple[int, int]]) -> None:
        for slot, number in raised:
            # Not below what another said who was healed or came later.
            if self._ended[slot] < number:
                self._ended[slot] = number

    def heal(self) -> None:
        # As octets: compared number by number they take three times as long as to copy both.
        if self._begun.tobytes() != self._ended.tobytes():
            self._ended[:] = self._begun


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _fill(file: int) -> None:
    # Written, not only sized: a full disk must show here and not as a signal at some later store.
    first = secrets.randbits(_FIRST_BITS).to_bytes(8, "little")
    os.ftruncate(file, 0)
    os.pwrite(file, first * (_SIZE // 8), 0)
    if os.fstat(file).st_size != _SIZE:
        raise OSError("the disk is full")


def _give_to_owner(file: int, database: str) -> None:
    """To the database's: a command that root runs must not shut the server out."""
    if os.geteuid() == 0:
        with suppress(FileNotFoundError):
            owner = os.stat(database)
            os.fchown(file, owner.st_uid, owner.st_gid)


_tables: dict[str, _Table] = {}
_opening = threading.Lock()


def _table(*, must_be: bool = False) -> _Table | None:
    # Not by way of this thread's connection, which takes longer to find than the whole answer.
    database = connections.settings[DEFAULT_DB_ALIAS]
    name = str(database["NAME"])
    table = _tables.get(name)
    if table is not None and table.is_in_place(now=must_be):
        return table
    if not database["ENGINE"].endswith("sqlite3") or connection.is_in_memory_db():  # type: ignore[attr-defined]
        return None
    try:
        with _opening:
            return _opened(name)
    except OSError as error:
        if must_be:
            raise OperationalError(f"stamps: {error}") from error
        return None


def _opened(name: str) -> _Table:
    table = _tables.get(name)
    if table is None or not table.is_in_place(now=True):
        database = os.path.realpath(name)
        table = _tables[name] = _Table(f"{database}.stamps", database)
    return table
