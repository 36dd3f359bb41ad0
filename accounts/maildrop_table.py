"""Locks of maildrops that end by themselves, in a file that all processes of a machine map.

A lock is a row of four words, at the place that its mailbox's id says: the token and the process
of who took it, when it was last renewed, and the token that was last given back. It holds while it
is not given back, was renewed within the lifetime, and its process lives.

1. To take or to secure a lock is done under a kernel lock on its row: of many, one gets it.
2. To renew and to give back are plain stores. They never take from another who took the lock over
   meanwhile: time only gets later, and what is given back is a token, not the row.
3. A process lives while the kernel keeps its lock on an octet far behind the rows. The place is
   drawn at random, so no later process has it, as it may have a process id; children that were
   forked draw their own.
4. Anything else in the file, be it torn or never ours, names no living process: such rows are
   free, and nothing needs to be checked or mended. Rows lie where ids say, so the table is never
   full.

Words are written in the order that makes a process killed between two of them leave a free row.
"""

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from mmap import mmap
from pathlib import Path

# How long a lock outlives its holder's last sign of life.
LIFETIME = timedelta(minutes=10)

# A row's words, of eight octets each.
TOKEN, OWNER, RENEWED_AT, GIVEN_BACK = range(4)
ROW = 32
# Octets that are mapped at once: the rows of 2,048 mailboxes.
WINDOW = 64 * 1024
# Where the octets that say who lives begin, and how many bits a place among them has.
LIVES = 1 << 61
LIFE_BITS = 60
# Seconds between tries to secure a row that another process looks at, which takes microseconds.
SECURE_PAUSES = (0.001, 0.01, 0.1, 0.5)


class InUse(Exception):
    """Another session holds the maildrop."""


def now() -> int:
    """Nanoseconds on the clock that all processes share; it also runs while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class LockTable:
    """The file as one process has it open.

    It is never closed: closing any descriptor of it would end the life of this process in it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._life = _begin_life(self._fd)
        self._windows: dict[int, memoryview] = {}
        # The kernel keeps other processes out, this our own threads.
        self._guard = threading.Lock()

    def take(self, mailbox_id: int) -> "TableLock":
        """Lock a maildrop; raises InUse."""
        token = secrets.randbits(64)
        with self._alone(mailbox_id):
            row = self._row(mailbox_id)
            if self._is_held(row):
                raise InUse
            row[OWNER] = self._life
            row[RENEWED_AT] = now()
            row[TOKEN] = token
        return TableLock(self, mailbox_id, row, token)

    def take_at_hand(self, mailbox_id: int) -> "TableLock | None":
        """`take`, where the disk is not needed and nobody is in the way; else None."""
        if mailbox_id * ROW // WINDOW not in self._windows:
            return None
        with suppress(InUse):
            return self.take(mailbox_id)
        return None

    def secure(self, mailbox_id: int, token: int) -> None:
        """Renew so that nobody can have taken the lock by then; raises InUse."""
        for pause in SECURE_PAUSES:
            try:
                with self._alone(mailbox_id):
                    row = self._row(mailbox_id)
                    is_ours = self.is_there and row[TOKEN] == token != row[GIVEN_BACK]
                    if is_ours:
                        # The owner too: who died while taking the row over left its own.
                        row[OWNER] = self._life
                        row[RENEWED_AT] = now()
            except InUse:
                time.sleep(pause)
            else:
                if is_ours:
                    return
                break
        raise InUse

    def is_held(self, mailbox_id: int) -> bool:
        """Whether a session of any process holds the maildrop."""
        with self._guard:
            return self._is_held(self._row(mailbox_id))

    @property
    def is_there(self) -> bool:
        """False once the file was deleted: other processes may have made another."""
        return os.fstat(self._fd).st_nlink > 0

    @contextmanager
    def _alone(self, mailbox_id: int) -> Iterator[None]:
        """Keep all others from taking the row; raises InUse when another does so just now.

        A process that is stopped in these microseconds keeps this one row until it goes on or ends.
        """
        with self._guard:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, ROW, mailbox_id * ROW)
            except (BlockingIOError, PermissionError):
                raise InUse from None
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, ROW, mailbox_id * ROW)

    def _row(self, mailbox_id: int) -> memoryview:
        # Under the guard: a window that is mapped twice and dropped once would close a descriptor.
        number, place = divmod(mailbox_id * ROW, WINDOW)
        window = self._windows.get(number)
        if window is None:
            # Without room on the disk an error here, and not a signal at the first store.
            os.posix_fallocate(self._fd, number * WINDOW, WINDOW)
            window = memoryview(mmap(self._fd, WINDOW, offset=number * WINDOW)).cast("Q")
            self._windows[number] = window
        return window[place // 8 : (place + ROW) // 8]

    def _is_held(self, row: memoryview) -> bool:
        return (
            row[TOKEN] != row[GIVEN_BACK]
            and now() - row[RENEWED_AT] < LIFETIME.total_seconds() * 1e9
            and self._is_alive(row[OWNER])
        )

    def _is_alive(self, life: int) -> bool:
        if life == self._life:
            return True
        if life >> LIFE_BITS:
            return False
        try:
            # Shared: others that ask at the same time do not count as that life.
            fcntl.lockf(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, LIVES + life)
        except (BlockingIOError, PermissionError):
            return True
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, LIVES + life)
        return False


class TableLock:
    """One session's lock on a maildrop; see `maildrop_lock.Lock`."""

    is_renewed_at_once = True
    is_freed_at_once = True

    def __init__(self, table: LockTable, mailbox_id: int, row: memoryview, token: int) -> None:
        self._table = table
        self._mailbox_id = mailbox_id
        self._row = row
        self._token = token

    def renew(self) -> None:
        if self._row[TOKEN] != self._token:
            raise InUse
        self._row[RENEWED_AT] = now()

    def secure(self) -> None:
        self._table.secure(self._mailbox_id, self._token)

    def close(self) -> None:
        if self._row[TOKEN] == self._token:
            self._row[GIVEN_BACK] = self._token


def _begin_life(fd: int) -> int:
    """Lock an octet for as long as this process lives; its place among them."""
    while True:
        life = secrets.randbits(LIFE_BITS)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LIVES + life)
        except (BlockingIOError, PermissionError):
            continue
        return life


_by_home: dict[Path, LockTable] = {}
_opening = threading.Lock()


def open_already(home: Path) -> LockTable | None:
    """The table of an instance, where this process has it open."""
    found = _by_home.get(home)
    return found if found is not None and found.is_there else None


def of(home: Path) -> LockTable:
    """The table of an instance, opened once in each process."""
    # By the home as it is configured: to make a path anew costs more than a lock.
    found = _by_home.get(home)
    if found is None or not found.is_there:
        with _opening:
            found = _by_home.get(home)
            if found is None or not found.is_there:
                found = _by_home[home] = LockTable(home.absolute() / "run" / "maildrops")
    return found


def _begin_anew() -> None:
    """A forked child has the descriptors, but not the life, of its parent."""
    global _by_home, _opening
    _parents.append(_by_home)
    _by_home, _opening = {}, threading.Lock()


# Kept, since to drop them would close descriptors of files in which the child itself lives.
_parents: list[dict[Path, LockTable]] = []
os.register_at_fork(after_in_child=_begin_anew)
