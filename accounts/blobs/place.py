"""Where octets lie, how a record looks on disk, and what can go wrong with either.

A record is a header (magic, codec, length, CRC-32 of the payload) and its payload; `Place.offset`
points at the payload. Only the plain codec exists; the byte lets compressed or sealed records join
the same segments later.
"""

import errno
import os
import struct
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

MAGIC = b"MHR1"
PLAIN = 0
HEADER = struct.Struct(">4sB3xQI")

SEGMENTS = "segments"
SPOOLS = "spools"


class Place(NamedTuple):
    """A run of octets in a segment. With `blob_id`, a reader that misses can look again."""

    segment_id: int
    offset: int
    length: int
    blob_id: int = 0


class BlobMissing(Exception):
    """Octets that a row points at are not there: a damaged or incomplete blob directory."""


class OutOfSpace(OSError):
    """The disk or its quota is full, or a limit of this process is reached."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def known(error: OSError) -> OSError:
    """OutOfSpace where that is what the error says; else the error itself."""
    return OutOfSpace(error.errno, error.strerror) if error.errno in _FULL else error


def directory() -> Path:
    """The blob directory; everything of this package lies below it."""
    path: Path = settings.MAILHOST.blobs_directory
    return path.absolute()


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path) -> None:
    """Create a directory and its missing parents, each durable in its own parent."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)
