"""Hold a message while it comes in: in memory while small, then in a file.

A spool file is laid out as the segment it may become: a hole, the record header at the end of that
hole, the payload. The hole makes the payload start where mmap can, and costs no disk space.
A file whose process died is removed by the collector after a day.
"""

import mmap
import os
import secrets
import zlib
from contextlib import suppress
from pathlib import Path

from accounts.blobs.place import (
    HEADER,
    MAGIC,
    PLAIN,
    SPOOLS,
    directory,
    known,
    make_directory,
)

IN_MEMORY = 1 << 20
# A multiple of the mapping granularity of every platform we know.
PAYLOAD_START = 1 << 16


class Spool:
    """Octets being collected. Not for use by two threads at once."""

    def __init__(self) -> None:
        self.size = 0
        self._crc = 0
        self.path: Path | None = None
        self._chunks: list[bytes] = []
        self._fd = -1

    def write(self, data: bytes) -> None:
        """Append octets. OutOfSpace when the disk is full, another OSError where it is broken or
        read-only: then only `discard` makes sense.
        """
        self.size += len(data)
        if self.path is None:
            self._chunks.append(bytes(data))
            if self.size > IN_MEMORY:
                self._move_to_file()
        else:
            self._write_to_file(data)

    def octets(self) -> bytes | mmap.mmap:
        """Everything written so far."""
        if self.path is None:
            if len(self._chunks) > 1:
                self._chunks = [b"".join(self._chunks)]
            return self._chunks[0] if self._chunks else b""
        return mmap.mmap(self._fd, self.size, prot=mmap.PROT_READ, offset=PAYLOAD_START)

    def finish(self) -> None:
        """Write the record header and make the file's octets durable."""
        header = HEADER.pack(MAGIC, PLAIN, self.size, self._crc)
        os.pwrite(self._fd, header, PAYLOAD_START - HEADER.size)
        os.fsync(self._fd)

    def release(self) -> None:
        """Forget the file without removing it: it has become a segment."""
        self.path = None
        self._close()

    def discard(self) -> None:
        """Drop the octets; safe to repeat, and a no-op once the spool has become a segment."""
        self._chunks = []
        path, self.path = self.path, None
        self._close()
        if path is not None:
            # On a disk that takes no writes any more it stays, for the collector.
            with suppress(OSError):
                path.unlink()

    def __del__(self) -> None:
        if self.path is not None:
            self.discard()

    def _move_to_file(self) -> None:
        where = directory() / SPOOLS
        path = where / f"{os.getpid()}-{secrets.token_hex(8)}.spool"
        try:
            make_directory(where)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise known(error) from error
        self.path = path
        os.lseek(self._fd, PAYLOAD_START, os.SEEK_SET)
        chunks, self._chunks = self._chunks, []
        self._write_to_file(b"".join(chunks))

    def _write_to_file(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise known(error) from error

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
