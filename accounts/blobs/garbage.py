"""Free the disk space of octets that no row needs any more.

A blob is dead when no foreign key of any model points at it; the models are found through Django,
so one that is added later counts by itself. Rules:

1. Only blobs and sealed segments older than an hour are touched: what is being committed is new.
2. A segment that is mostly dead is compacted, and one with anything dead in it after two weeks: its
   live records are copied (and proved on the way) to a new segment, durably, then one transaction
   moves the rows. The old file stays for a day, for readers that still hold the old place and for
   backups under way. Nothing is wiped in place: a backup has hard links to the same files.
3. Nothing is unlinked while a backup runs (`backup_running` holds the lock that `unlinking` wants).
4. A kill -9 at any line leaves files without rows, or rows of retired segments: the next run
   finds both.
5. A segment that cannot be moved (a damaged record, a full disk) stays, is told of at the end, and
   keeps nothing else from being collected. Room is made before any is taken.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Count, Exists, F, Min, OuterRef, Q, Sum
from django.utils import timezone

from accounts.blobs.place import (
    HEADER,
    SEGMENTS,
    SPOOLS,
    BlobMissing,
    Place,
    directory,
    make_directory,
)
from accounts.blobs.reading import checked_read
from accounts.blobs.segments import (
    ROLL_SIZE,
    create_file,
    new_name,
    record,
    seal_abandoned,
    write_whole,
)
from accounts.blobs.spool import PAYLOAD_START
from accounts.models import Blob, CommitMark, Segment

SETTLED_AFTER = timedelta(hours=1)
UNLINKED_AFTER = timedelta(hours=24)
CHUNK = 1000
# Compact a segment when less than this share of it is live.
LIVE_SHARE = 0.5
# What was deleted for good must go, however little it is; nothing is copied more often than this.
COPIED_AFTER = timedelta(days=14)


@dataclass
class Collected:
    """What one run did: counts, and octets given back to the disk."""

    blobs: int = 0
    unlinked: int = 0
    octets: int = 0


def is_dead(*, above: int = 0) -> Q:
    """The condition for blobs that no row of any model points at.

    Who looks at keys above one alone says so, or PostgreSQL goes through all that points below.
    """
    dead = Q()
    for relation in Blob._meta.related_objects:
        name = relation.field.name
        pointing = relation.related_model._base_manager.filter(
            **{name: OuterRef("pk"), f"{name}__gt": above}
        )
        dead &= ~Q(Exists(pointing))
    return dead


def collect_garbage() -> Collected:
    """Remove dead blobs, compact segments, unlink what was retired a day ago, old marks and spools.

    A second collector at the same time does nothing. BlobMissing or OSError at the end, if a
    segment could not be compacted.
    """
    done = Collected()
    with _lock("collector.lock", fcntl.LOCK_EX) as is_held:
        if is_held:
            _make_room(done)
            seal_abandoned()
            done.blobs = _delete_dead_blobs()
            _purge_marks()
            _retire_segments()
            # Again: what the last run retired as late is a day old only now.
            _make_room(done)
    return done


def _make_room(done: Collected) -> None:
    with unlinking() as may_unlink:
        if may_unlink:
            _unlink_retired(done)
            _unlink_leftovers(done)


@contextmanager
def backup_running() -> Iterator[None]:
    """Nothing is unlinked meanwhile."""
    with _lock("backup.lock", fcntl.LOCK_SH, wait=True):
        yield


@contextmanager
def unlinking() -> Iterator[bool]:
    """Whether segments may be unlinked now: not while a backup runs."""
    with _lock("backup.lock", fcntl.LOCK_EX) as is_held:
        yield is_held


@contextmanager
def _lock(name: str, kind: int, *, wait: bool = False) -> Iterator[bool]:
    make_directory(directory())
    fd = os.open(directory() / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def _delete_dead_blobs() -> int:
    settled = Blob.objects.filter(created_at__lt=timezone.now() - SETTLED_AFTER)
    deleted = 0
    last = 0
    while True:
        dead = settled.filter(is_dead(above=last), pk__gt=last).order_by("pk")
        keys = list(dead.values_list("pk", flat=True)[:CHUNK])
        if not keys:
            return deleted
        last = keys[-1]
        with transaction.atomic():
            # Asked again, under the write lock. Django's delete() would load what may not exist.
            rows = Blob.objects.filter(is_dead(), pk__in=keys)
            deleted += rows._raw_delete(rows.db)


def _retire_segments() -> None:
    """Compact what is mostly dead, or dead in part for long, and retire what has nothing left."""
    now = timezone.now()
    is_mostly_dead = Q(live=0) | Q(live__lt=F("size") * LIVE_SHARE)
    # A spool that was adopted has room before its one record, where nothing ever was.
    is_spool = Q(first=PAYLOAD_START, size=F("first") + F("live") - HEADER.size)
    is_due = Q(live__lt=F("size"), created_at__lt=now - COPIED_AFTER) & ~is_spool
    segments = (
        Segment.objects.filter(is_sealed=True, retired_at=None, created_at__lt=now - SETTLED_AFTER)
        .annotate(
            live=Sum("blobs__length", default=0) + Count("blobs") * HEADER.size,
            first=Min("blobs__offset", default=0),
        )
        .filter(is_mostly_dead | is_due)
    )
    failure: Exception | None = None
    for segment in segments.order_by("pk"):
        if _was_written_lately(directory() / segment.name):
            continue
        try:
            _move_records(segment)
        except (BlobMissing, OSError) as error:
            failure = failure or error
            continue
        # A blob that came meanwhile keeps its segment: the next run sees to it.
        moved = Segment.objects.filter(pk=segment.pk).exclude(
            Exists(Blob.objects.filter(segment=OuterRef("pk")))
        )
        moved.update(retired_at=timezone.now())
    if failure is not None:
        raise failure


def _was_written_lately(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < SETTLED_AFTER.total_seconds()
    except FileNotFoundError:
        return False


def _move_records(segment: Segment) -> None:
    rows = list(
        Blob.objects.filter(segment=segment)
        .order_by("offset")
        .values_list("segment_id", "offset", "length", "pk")
    )
    while rows:
        batch, size = [], 0
        while rows and size < ROLL_SIZE:
            batch.append(Place(*rows.pop(0)))
            size += HEADER.size + batch[-1].length
        _move_batch(batch)


def _move_batch(places: list[Place]) -> None:
    name = new_name()
    fd = create_file(name)
    try:
        moved, size = _copy(places, fd)
    except (BlobMissing, OSError):
        # Nothing names it yet, and the room may be what is missing.
        (directory() / name).unlink(missing_ok=True)
        raise
    else:
        with transaction.atomic():
            segment = Segment.objects.create(name=name, is_sealed=True, size=size)
            for start in range(0, len(moved), CHUNK):
                blobs = [
                    Blob(pk=key, segment=segment, offset=offset)
                    for key, offset in moved[start : start + CHUNK]
                ]
                Blob.objects.bulk_update(blobs, ["segment", "offset"], batch_size=200)
    finally:
        os.close(fd)


def _copy(places: list[Place], fd: int) -> tuple[list[tuple[int, int]], int]:
    """Copy records, durably; the keys of their blobs with the new offsets, and the size of all."""
    at = 0
    moved: list[tuple[int, int]] = []
    for place in places:
        payload = checked_read(place)
        data = record(payload) + payload
        write_whole(fd, data, at)
        moved.append((place.blob_id, at + HEADER.size))
        at += len(data)
    os.fsync(fd)
    return moved, at


def _unlink_retired(done: Collected) -> None:
    for segment in Segment.objects.filter(retired_at__lt=timezone.now() - UNLINKED_AFTER):
        if segment.blobs.exists():
            continue
        path = directory() / segment.name
        segment.delete()
        _unlink(path, done)


def _unlink(path: Path, done: Collected) -> None:
    try:
        done.octets += path.stat().st_blocks * 512
        path.unlink()
    except FileNotFoundError:
        return
    done.unlinked += 1


def leftovers(older_than: timedelta) -> list[Path]:
    """Files without a row: of adoptions that never committed, and spools of processes that died."""
    limit = time.time() - older_than.total_seconds()
    found = [*(directory() / SEGMENTS).glob("*/*.seg"), *(directory() / SPOOLS).glob("*.spool")]
    old = [path for path in found if _mtime(path) < limit]
    names = [str(path.relative_to(directory())) for path in old]
    known: set[str] = set()
    for start in range(0, len(names), CHUNK):
        chunk = Segment.objects.filter(name__in=names[start : start + CHUNK])
        known.update(chunk.values_list("name", flat=True))
    return [path for path, name in zip(old, names, strict=True) if name not in known]


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _unlink_leftovers(done: Collected) -> None:
    for path in leftovers(UNLINKED_AFTER):
        _unlink(path, done)


def _purge_marks() -> None:
    # Of committers that are gone: nobody asks for a mark of yesterday.
    CommitMark.objects.filter(left_at__lt=timezone.now() - timedelta(days=1)).delete()
