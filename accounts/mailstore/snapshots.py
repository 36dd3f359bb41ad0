"""Keep a folder's picture in its row of snapshots, for the next process that opens the folder.

A cache: losing one is harmless, and one that is torn or does not fit the folder is not used. It is
small, so that little has to be read where nothing is in memory yet: a column of numbers is kept as
planes, the first octets of all of them, then the second ones and so on. Most planes are one octet
repeated, which is kept once; UIDs and MODSEQs that go up by steps give planes that compress well.
"""

import sys
import zlib
from array import array
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice
from struct import Struct

from django.db import connection

from accounts import commit
from accounts.mailstore.picture import Counters, Picture, empty
from accounts.models import Folder, FolderSnapshot
from accounts.rows import Rows

# Version, order of octets, UIDVALIDITY, how many entries, HIGHESTMODSEQ, CRC-32 of the planes.
_HEADER = Struct("<BBQIQI")
_VERSION = 3
_ORDER = 1 if sys.byteorder == "little" else 2
# Of the planes of UIDs, flags, keywords and MODSEQs, each followed by the next.
_CODES = "IBQQ"
_LENGTHS = Struct(f"<{sum(array(code).itemsize for code in _CODES)}I")
_START = _HEADER.size + _LENGTHS.size
# The fastest: what can be made small gets small enough.
_LEVEL = 1

_READ = f"SELECT arrays FROM {FolderSnapshot._meta.db_table} WHERE folder_id = %s"  # noqa: S608


def read_snapshot(folder_id: int, counters: Counters) -> Picture | None:
    """The picture that was kept, maybe one older than `counters`; None where none fits them."""
    # By hand: a client waits for its SELECT, and the ORM takes as long as the database.
    with connection.cursor() as cursor:
        cursor.execute(_READ, (folder_id,))
        row = cursor.fetchone()
    return None if row is None else from_octets(folder_id, bytes(row[0]), counters)


def save_snapshot(picture: Picture) -> Future[None]:
    """Keep `picture` in place of an earlier one, if its folder is still there."""
    arrays = to_octets(picture)

    def write(rows: Rows, blob_id: object) -> None:
        rows.direct()
        if Folder.objects.filter(pk=picture.folder_id).exists():
            FolderSnapshot.objects.update_or_create(
                folder_id=picture.folder_id,
                defaults={"modseq": picture.highest_modseq, "arrays": arrays},
            )

    return commit.submit(commit.Unit(frozenset((picture.mailbox_id,)), write))


def to_octets(picture: Picture) -> bytes:
    """The arrays in one piece."""
    columns = (picture.uids, picture.flags, picture.keywords, picture.modseqs)
    planes = [plane for column in columns for plane in _planes(column)]
    body = b"".join(planes)
    size, modseq, check = len(picture), picture.highest_modseq, zlib.crc32(body)
    header = _HEADER.pack(_VERSION, _ORDER, picture.uidvalidity, size, modseq, check)
    return header + _LENGTHS.pack(*map(len, planes)) + body


def from_octets(folder_id: int, octets: bytes, counters: Counters) -> Picture | None:
    """What `to_octets` kept, or None where it is torn or does not fit folder or machine."""
    if len(octets) < _START:
        return None
    version, order, uidvalidity, count, modseq, check = _HEADER.unpack_from(octets)
    lengths = _LENGTHS.unpack_from(octets, _HEADER.size)
    if (
        (version, order, uidvalidity) != (_VERSION, _ORDER, counters.uidvalidity)
        or modseq > counters.highest_modseq
        or zlib.crc32(memoryview(octets)[_START:]) != check
    ):
        return None
    planes = _cut(octets, lengths)
    uids, flags, keywords, modseqs = (_column(code, count, planes) for code in _CODES)
    start = empty(folder_id, counters)
    if modseq == counters.highest_modseq:
        # Nothing has happened since: all that the counters say is true of it.
        start = replace(start, uidnext=counters.uidnext, keyword_names=tuple(counters.keywords))
    return replace(
        start,
        highest_modseq=modseq,
        uids=uids,
        flags=flags,
        keywords=keywords,
        modseqs=modseqs,
    )


def _planes(column: "array[int]") -> Iterator[bytes]:
    """One octet for a plane that only repeats it, else the plane compressed, which is longer."""
    octets = column.tobytes()
    for place in range(column.itemsize):
        plane = octets[place :: column.itemsize]
        only = plane[:1]
        yield only if plane.count(only) == len(column) else zlib.compress(plane, _LEVEL)


def _cut(octets: bytes, lengths: tuple[int, ...]) -> Iterator[bytes]:
    start = _START
    for length in lengths:
        yield octets[start : start + length]
        start += length


def _column(code: str, count: int, planes: Iterator[bytes]) -> "array[int]":
    column = array(code)
    size = column.itemsize
    own = list(islice(planes, size))
    if all(len(plane) == 1 for plane in own):
        column.frombytes(b"".join(own))
        return column * count
    octets = bytearray(size * count)
    for place, plane in enumerate(own):
        if plane != b"\0":
            octets[place::size] = plane * count if len(plane) == 1 else zlib.decompress(plane)
    column.frombytes(octets)
    return column
