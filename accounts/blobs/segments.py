"""Write octets durably: append a batch to this process's open segment, or adopt a spool file.

Invariants (what a kill -9 at any line leaves behind):

1. A segment's file exists and is locked (flock) before its row does; a file without a row holds
   nothing that anybody was promised.
2. A place counts only after fdatasync of the file (`Storing.wait`) and fsync of every directory
   above it. A large batch is synced by a thread of its own, so that rows can be made meanwhile; for
   a small one that costs more than the disk does, as a thread is given the interpreter late: the
   system is only asked to begin.
3. One process appends to a segment, and only while it holds the file's lock: an open segment whose
   lock is free belonged to a process that died, and is sealed by the next one that opens its own.
4. After a failed write or sync a segment is never written again: the kernel may have dropped the
   pages it could not write, and a second sync would claim that all is well.
5. An open segment may end in zeros, room made beforehand: a sync that need not write down where the
   file ends takes half the time. They go when its process seals it; in one that was abandoned they
   stay, and do not count.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import time
import zlib
from collections.abc import Sequence
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from accounts.blobs.place import (
    HEADER,
    MAGIC,
    PLAIN,
    SEGMENTS,
    Place,
    directory,
    known,
    make_directory,
    sync_directory,
)
from accounts.blobs.spool import PAYLOAD_START, Spool
from accounts.models import Segment

ROLL_SIZE = 64 << 20
ROLL_AGE = 6 * 3600.0
# A batch up to this size has room made for it, and is synced where it is waited for.
SMALL_BATCH = 256 << 10
ROOM = 1 << 20


def new_name() -> str:
    """A name for a segment, relative to the blob directory; names sort by time within a folder."""
    stem = f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(5)}"
    return f"{SEGMENTS}/{stem[-2:]}/{stem}.seg"


def create_file(name: str) -> int:
    """Create and lock a segment's file, its name durable; returns the descriptor."""
    path = directory() / name
    look_for_segments()
    make_directory(path.parent)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    sync_directory(path.parent)
    return fd


def look_for_segments() -> None:
    """OSError where there must be segments and no directory of them is there.

    Then the volume that they lie on is not mounted here. What was stored would be hidden from other
    hosts at once, and from this one when it is mounted; and what others write would seem abandoned.
    """
    if not (root := directory() / SEGMENTS).is_dir() and Segment.objects.exists():
        raise FileNotFoundError(errno.ENOENT, "No segments here; is the volume mounted?", str(root))


def record(payload: bytes) -> bytes:
    """The header that stands before a payload."""
    return HEADER.pack(MAGIC, PLAIN, len(payload), zlib.crc32(payload))


@cache
def _syncer() -> futures.ThreadPoolExecutor:
    return futures.ThreadPoolExecutor(1, thread_name_prefix="sync")


def write_whole(fd: int, octets: bytes, at: int) -> None:
    """Write all of it: one call may write less, as on a disk that is nearly full."""
    view = memoryview(octets)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written


_libc = ctypes.CDLL(None)
# Linux has it and nobody else; this one begins to write and waits for nothing.
_sync_file_range = getattr(_libc, "sync_file_range", None)
_SYNC_FILE_RANGE_WRITE = 2


def _begin_to_sync(fd: int, at: int, size: int) -> None:
    """Have the disk begin with what was written, so that less is left to do when it is waited for.

    Only a help: it says nothing of failures, which the sync itself tells.
    """
    if _sync_file_range is not None:
        offset, octets = ctypes.c_int64(at), ctypes.c_int64(size)
        _sync_file_range(fd, offset, octets, _SYNC_FILE_RANGE_WRITE)


class OpenSegment:
    """A segment this process appends to."""

    def __init__(self) -> None:
        self.name = new_name()
        self._fd = create_file(self.name)
        self.size = 0
        self._room = 0  # where the zeros end that were written behind the records
        self._opened_at = time.monotonic()
        self._sync: futures.Future[None] | None = None  # of a large batch
        self._is_sync_due = False  # of a small one, where it is waited for
        self._failure: OSError | None = None
        self.row_id = Segment.objects.create(name=self.name).pk

    @property
    def is_due(self) -> bool:
        """True once it should be sealed and another one begun."""
        return self.size >= ROLL_SIZE or time.monotonic() - self._opened_at > ROLL_AGE

    def write(self, batch: Sequence[bytes]) -> list[Place]:
        """Append records; they are durable once they were waited for, all with one fdatasync."""
        self.wait()
        parts: list[bytes] = []
        places: list[Place] = []
        at = self.size
        for payload in batch:
            parts += (record(payload), payload)
            at += HEADER.size
            places.append(Place(self.row_id, at, len(payload)))
            at += len(payload)
        is_small = at - self.size <= SMALL_BATCH
        if is_small and at > self._room:
            self._make_room(at)
        write_whole(self._fd, b"".join(parts), self.size)
        if is_small:
            _begin_to_sync(self._fd, self.size, at - self.size)
        self._is_sync_due = is_small
        self._sync = None if is_small else _syncer().submit(os.fdatasync, self._fd)
        self.size = at
        return places

    def _make_room(self, end: int) -> None:
        room = min(end + ROOM, max(end, ROLL_SIZE))
        # Only a help: whether the batch itself has its place is seen when it is written.
        with suppress(OSError):
            write_whole(self._fd, bytes(room - self.size), self.size)
            self._room = room

    def wait(self) -> None:
        """Return once all that was written is durable."""
        if self._is_sync_due:
            self._is_sync_due = False
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                # The system says so once: a second sync would claim that all is well.
                self._failure = error
        if self._failure is not None:
            raise self._failure
        if self._sync is not None:
            self._sync.result()

    def seal(self) -> None:
        """Write its size into its row and let go of the file."""
        if self._sync is not None:
            futures.wait((self._sync,))
        os.ftruncate(self._fd, self.size)
        Segment.objects.filter(pk=self.row_id).update(is_sealed=True, size=self.size)
        self.close()

    def close(self) -> None:
        """Let go of the file; without `seal`, `seal_abandoned` will find it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


_open: OpenSegment | None = None


@dataclass(frozen=True, slots=True)
class Storing:
    """Octets on their way to the disk, and where they will be."""

    places: list[Place]
    _segment: OpenSegment

    def wait(self) -> None:
        """Return once they are durable, at once when asked again. OSError as for `begin`."""
        try:
            self._segment.wait()
        except OSError as error:
            _abandon(self._segment)
            raise known(error) from error


def is_open() -> bool:
    """Whether there is a segment to write to, so that no row is needed for another one."""
    return _open is not None and not _open.is_due


def begin(batch: Sequence[bytes], *, rolls: bool = False) -> Storing:
    """Begin to store octets; the committer thread alone calls this, outside any transaction.

    `rolls`: in a new segment where it is time for one; not while rows for the open one are on
    their way: once it is sealed the collector may take their octets for dead ones.
    After an OSError (OutOfSpace among them) nothing of the batch counts as stored, and the next
    call begins a new segment.
    """
    global _open
    try:
        if rolls and _open is not None and _open.is_due:
            close_segment()
        if _open is None:
            seal_abandoned()
            _open = OpenSegment()
        return Storing(_open.write(batch), _open)
    except OSError as error:
        if _open is not None:
            _abandon(_open)
        raise known(error) from error


def append(batch: Sequence[bytes]) -> list[Place]:
    """Store octets, durable on return; else as `begin`."""
    storing = begin(batch, rolls=True)
    storing.wait()
    return storing.places


def _abandon(segment: OpenSegment) -> None:
    global _open
    if _open is segment:
        _open = None
    segment.close()


def close_segment() -> None:
    """Seal this process's open segment, if it has one."""
    global _open
    segment, _open = _open, None
    if segment is not None:
        segment.seal()


@dataclass(frozen=True, slots=True)
class Adopted:
    """A spool file that has become a sealed segment, still without a row."""

    name: str
    size: int
    offset: int
    length: int


def adopt(spool: Spool) -> Adopted:
    """Make a spool's file a segment, durably, in the caller's thread (it may take a while).

    The segment's row is the committer's to write, in the transaction that points at it: a crash
    before that leaves a file without a row, which the collector removes.
    """
    if spool.path is None:
        raise ValueError("only a spool that lies in a file can be adopted")
    try:
        spool.finish()
        name = new_name()
        target = directory() / name
        look_for_segments()
        make_directory(target.parent)
        os.rename(spool.path, target)
        sync_directory(target.parent)
    except OSError as error:
        raise known(error) from error
    length = spool.size
    spool.release()
    return Adopted(name, PAYLOAD_START + length, PAYLOAD_START, length)


def is_abandoned(path: Path) -> bool:
    """True when no process holds the lock of a file, a segment's above all, or it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        # NFS gives an exclusive lock only to who may write (flock(2)).
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def seal_abandoned() -> int:
    """Seal the open segments of processes that died; returns how many."""
    look_for_segments()
    sealed = 0
    for row_id, name in Segment.objects.filter(is_sealed=False).values_list("pk", "name"):
        path = directory() / name
        if is_abandoned(path):
            size = _end_of_records(path) if path.exists() else 0
            sealed += Segment.objects.filter(pk=row_id, is_sealed=False).update(
                is_sealed=True, size=size
            )
    return sealed


def _end_of_records(path: Path) -> int:
    """Where the records of a file end, behind which there may be room left."""
    with path.open("rb") as stream:
        start = max(0, os.fstat(stream.fileno()).st_size - ROOM - SMALL_BATCH)
        stream.seek(start)
        return start + len(stream.read().rstrip(b"\0"))


def forget_segment() -> None:
    """Let go of the open segment without touching the database (a forked child, a test's end)."""
    global _open
    segment, _open = _open, None
    if segment is not None:
        segment.close()


# The child shares the parent's file lock while it holds the descriptor: it must let go at once. And
# it has none of the parent's threads.
os.register_at_fork(after_in_child=forget_segment)
os.register_at_fork(after_in_child=_syncer.cache_clear)
