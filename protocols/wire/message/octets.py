"""Search octets that may lie in memory or in a mapped file, without copying them whole."""

from collections.abc import Iterator
from mmap import mmap
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview | mmap

# Mapped files and views are looked at through copies of this size: `bytes.find` and `bytes.count`
# are many times faster than what mmap offers, and a view offers nothing.
WINDOW = 256 * 1024


def take(octets: Buffer, start: int, end: int) -> bytes:
    """The octets of a range, as bytes of their own."""
    return bytes(octets[start:end])


def occurrences(octets: Buffer, needle: bytes, start: int, end: int) -> Iterator[int]:
    """Every offset in `[start, end)` where the whole `needle` stands, in order; overlaps count."""
    if isinstance(octets, bytes | bytearray):
        at = octets.find(needle, start, end)
        while at >= 0:
            yield at
            at = octets.find(needle, at + 1, end)
        return
    overlap = len(needle) - 1
    for window_start in range(start, end, WINDOW):
        window = take(octets, window_start, min(window_start + WINDOW + overlap, end))
        at = window.find(needle)
        while at >= 0:
            yield window_start + at
            at = window.find(needle, at + 1)


def count_octet(octets: Buffer, octet: bytes, start: int, end: int) -> int:
    """How often an octet stands in a range."""
    if isinstance(octets, bytes | bytearray):
        return octets.count(octet, start, end)
    return sum(
        take(octets, at, min(at + WINDOW, end)).count(octet) for at in range(start, end, WINDOW)
    )


def count_lines(octets: Buffer, start: int, end: int) -> int:
    """The number of line feeds in a range: what IMAP calls the size of a body in text lines."""
    return count_octet(octets, b"\n", start, end)


def is_ascii(octets: Buffer) -> bool:
    """True when no octet has its high bit set."""
    if isinstance(octets, bytes | bytearray):
        return octets.isascii()
    size = len(octets)
    return all(take(octets, at, min(at + WINDOW, size)).isascii() for at in range(0, size, WINDOW))
