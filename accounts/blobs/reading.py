"""Read octets back: by pread through a small cache of open files, or mapped where they are large.

A segment's files never change once written, so readers need no lock. Compaction moves records and
unlinks a day later; a reader that misses asks the blob's row once more.

A network file system shows what another host has written to whoever opens the file after that
(nfs(5), close-to-open); who has it open already may be given the zeros that were there before. So
where hosts may be several, a file is opened anew for what lies behind all that was asked of it.
"""

import errno
import mmap
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from django.conf import settings

from accounts.blobs.place import HEADER, MAGIC, PLAIN, BlobMissing, Place, directory
from accounts.models import Blob, Segment

OPEN_FILES = 256
# Records this close together are read in one go (see `read_many`).
GAP = 4096
RUN = 1 << 20

Octets: TypeAlias = bytes | memoryview


class _File:
    """An open segment. It closes when the last thread that reads it lets go.

    What lies before `end` was written before it was opened.
    """

    def __init__(self, name: str, end: float) -> None:
        self.fd = -1
        self.name = name
        self.end = end
        self.fd = os.open(directory() / name, os.O_RDONLY)

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self.fd, length, offset)
        if len(data) == length or not data:
            return data
        # One call reads at most 2 GiB, and a signal may cut it short.
        parts = [data]
        done = len(data)
        while done < length and (data := os.pread(self.fd, length - done, offset + done)):
            parts.append(data)
            done += len(data)
        return b"".join(parts)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


_lock = threading.Lock()
_files: OrderedDict[int, _File] = OrderedDict()


def forget_files() -> None:
    """Empty the cache of open files."""
    with _lock:
        _files.clear()


def _file(segment_id: int, end: int) -> _File:
    """The segment's file, in which all can be seen that was written before `end`."""
    with _lock:
        file = _files.get(segment_id)
        if file is not None and end <= file.end:
            _files.move_to_end(segment_id)
            return file
    name, sees_to = (file.name, float(end)) if file is not None else _look_up(segment_id, end)
    try:
        file = _File(name, sees_to)
    except FileNotFoundError:
        raise BlobMissing(f"segment {name} is gone") from None
    with _lock:
        _files[segment_id] = file
        while len(_files) > OPEN_FILES:
            _files.popitem(last=False)
    return file


def _look_up(segment_id: int, end: int) -> tuple[str, float]:
    """The segment's name, and up to where a file sees all that is opened now."""
    rows = Segment.objects.filter(pk=segment_id).values_list("name", "is_sealed")
    row = rows.first()
    if row is None:
        raise BlobMissing(f"segment {segment_id} is unknown")
    name, is_sealed = row
    return name, float("inf") if is_sealed or settings.MAILHOST.is_embedded else end


def _current(place: Place) -> Place | None:
    """Where the blob lies now, or None when that is no news."""
    if not place.blob_id:
        return None
    row = Blob.objects.filter(pk=place.blob_id).values_list("segment_id", "offset", "length")
    now = row.first()
    if now is None or now == place[:3]:
        return None
    return Place(*now, place.blob_id)


def _read_once(place: Place, start: int, length: int) -> bytes:
    begin = place.offset + start
    data = _file(place.segment_id, begin + length).read(begin, length)
    if len(data) != length:
        raise BlobMissing(f"segment {place.segment_id} ends within the record at {place.offset}")
    return data


def read(place: Place, start: int = 0, length: int | None = None) -> bytes:
    """Octets of a blob from `start` on, `length` of them at most (None: to its end).

    BlobMissing when the disk does not have them.
    """
    start = min(start, place.length)
    wanted = place.length - start if length is None else min(length, place.length - start)
    try:
        return _read_once(place, start, wanted)
    except BlobMissing:
        moved = _current(place)
        if moved is None:
            raise
        return _read_once(moved, start, wanted)


def read_many(places: Sequence[Place]) -> list[bytes]:
    """The whole octets of several blobs, in the order asked; neighbours share a system call."""
    return [bytes(octets) for octets in read_views(places)]


def read_views(places: Sequence[Place]) -> list[Octets]:
    """As `read_many`, without a copy of each: who keeps a view keeps what was read with it."""
    found: list[Octets] = [b""] * len(places)
    order = sorted(range(len(places)), key=lambda index: places[index][:2])
    at = 0
    while at < len(order):
        segment_id, start, length, _ = places[order[at]]
        end = start + length
        stop = at + 1
        while stop < len(order):
            other, begin, length, _ = places[order[stop]]
            finish = begin + length
            if other != segment_id or begin - end > GAP or finish - start > RUN:
                break
            end = max(end, finish)
            stop += 1
        run = order[at:stop]
        at = stop
        if len(run) == 1:
            found[run[0]] = read(places[run[0]])
            continue
        try:
            data = memoryview(_read_once(Place(segment_id, start, 0), 0, end - start))
        except BlobMissing:
            for index in run:
                found[index] = read(places[index])
            continue
        for index in run:
            _, begin, length, _ = places[index]
            found[index] = data[begin - start : begin - start + length]
    return found


def checked_read(place: Place) -> bytes:
    """The octets of a blob, proved by its record's header; BlobMissing says what is wrong."""
    where = f"the record at {place.offset} of segment {place.segment_id}"
    if place.offset < HEADER.size:
        raise BlobMissing(f"{where} has no room for its header")
    data = _read_once(place, -HEADER.size, HEADER.size + place.length)
    magic, codec, length, crc = HEADER.unpack_from(data)
    payload = data[HEADER.size :]
    if magic != MAGIC or codec != PLAIN:
        raise BlobMissing(f"{where} does not begin with a header we know")
    if length != place.length:
        raise BlobMissing(f"{where} holds {length} octets where its row says {place.length}")
    if zlib.crc32(payload) != crc:
        raise BlobMissing(f"{where} is damaged: its checksum differs")
    return payload


def view(place: Place) -> memoryview:
    """The octets of a blob mapped into memory, for messages too large to copy."""
    if place.length == 0:
        return memoryview(b"")
    try:
        return _map(place)
    except BlobMissing:
        moved = _current(place)
        if moved is None:
            raise
        return _map(moved)


def _map(place: Place) -> memoryview:
    file = _file(place.segment_id, place.offset + place.length)
    # Mapping past the end succeeds and then faults: ask first.
    if os.fstat(file.fd).st_size < place.offset + place.length:
        raise BlobMissing(f"segment {place.segment_id} ends within the record at {place.offset}")
    lead = place.offset % mmap.ALLOCATIONGRANULARITY
    try:
        mapped = mmap.mmap(
            file.fd, lead + place.length, prot=mmap.PROT_READ, offset=place.offset - lead
        )
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return memoryview(file.read(place.offset, place.length))
        raise
    return memoryview(mapped)[lead:]
