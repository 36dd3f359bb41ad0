"""Undo a transfer encoding a piece at a time, in memory for one piece (RFC 2045 §6).

What was passed through is remembered by marks, so that a reader who comes back for the next range
(RFC 3516 §4.2) does not pay for everything before it.
"""

import binascii
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from protocols.wire.message.decode import NOT_BASE64, decode_base64, decode_quoted_printable

# Encoded octets decoded at once.
PIECE = 256 * 1024
# Octets in the middle of so long a line that wait for what comes behind them.
MAX_OPEN = 998

_Step = Callable[[bytes, bytes, bool], tuple[bytes, int, bytes]]


def _identity(_carry: bytes, piece: bytes, _is_last: bool) -> tuple[bytes, int, bytes]:
    return piece, len(piece), b""


def _base64(carry: bytes, piece: bytes, is_last: bool) -> tuple[bytes, int, bytes]:
    # Once there was padding it is what is carried on, and nothing behind it counts.
    digits, padding, _rest = (carry + piece.translate(None, NOT_BASE64)).partition(b"=")
    if is_last or padding:
        return decode_base64(digits), len(piece), padding
    whole = len(digits) // 4 * 4
    return binascii.a2b_base64(digits[:whole]), len(piece), digits[whole:]


def _quoted_printable(carry: bytes, piece: bytes, is_last: bool) -> tuple[bytes, int, bytes]:
    text = carry + piece
    if is_last:
        return decode_quoted_printable(text), len(piece), b""
    if end := text.rfind(b"\n") + 1:
        return decode_quoted_printable(text[:end]), end - len(carry), b""
    end = _open_end(text)
    return binascii.a2b_qp(text[:end]), len(piece), text[end:]


def _open_end(text: bytes) -> int:
    """Where a line longer than a piece is cut: before blanks that may end it, and before "=X"."""
    end = len(text.rstrip(b" \t\r"))
    if (found := text.find(b"=", max(end - 2, 0), end)) >= 0:
        end = len(text[: found + 1].rstrip(b"="))
    return end if len(text) - end <= MAX_OPEN else len(text)


_STEPS: dict[bytes, _Step] = {
    b"7bit": _identity,
    b"8bit": _identity,
    b"binary": _identity,
    b"base64": _base64,
    b"quoted-printable": _quoted_printable,
}


def is_known(encoding: bytes) -> bool:
    """Whether the encoding (in any case) can be undone."""
    return encoding.lower() in _STEPS


class _Mark(NamedTuple):
    """A place where decoding can go on: where in the encoded octets, where in the result."""

    source: int
    target: int
    carry: bytes


class Decoded:
    """The octets that an encoded body stands for."""

    __slots__ = ("_is_whole", "_marks", "_nuls", "_read", "_size", "_step")

    def __init__(self, read: Callable[[int, int], bytes], size: int, encoding: bytes) -> None:
        """`read(start, length)` gives the encoded octets, of which there are `size`."""
        self._read = read
        self._size = size
        self._step = _STEPS[encoding.lower()]
        self._marks = [_Mark(0, 0, b"")]
        self._nuls: list[bool] = []  # Of the piece behind each mark.
        self._is_whole = size == 0

    @property
    def known_size(self) -> int:
        """How many octets of the result have been passed through; all once `scan` has ended."""
        return self._marks[-1].target

    def scan(self, until: int | None = None) -> Iterator[None]:
        """Pass through to `until` octets of the result (None: to its end), a piece a step."""
        while not self._is_whole and (until is None or self.known_size < until):
            self._piece(len(self._marks) - 1)
            yield

    def holds_nul(self, start: int, end: int) -> bool:
        """Whether a piece that reaches into this range, passed through before, has NUL in it."""
        return any(self._nuls[self._at(start) : self._at(max(end - 1, start)) + 1])

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The octets of a range, as far as there are any, in pieces."""
        at = self._at(start)
        while start < end:
            if at == len(self._marks) - 1 and self._is_whole:
                return
            begin = self._marks[at].target
            piece = self._piece(at)[start - begin : end - begin]
            if piece:
                yield piece
            start += len(piece)
            at += 1

    def _at(self, target: int) -> int:
        """The number of the last mark at or before a place in the result."""
        return bisect_right(self._marks, target, key=lambda mark: mark.target) - 1

    def _piece(self, at: int) -> bytes:
        """The octets behind a mark; where nobody was before, they are marked."""
        source, target, carry = self._marks[at]
        encoded = self._read(source, min(PIECE, self._size - source))
        is_last = source + len(encoded) >= self._size
        octets, used, carry = self._step(carry, encoded, is_last)
        if at == len(self._marks) - 1 and not self._is_whole:
            self._marks.append(_Mark(source + used, target + len(octets), carry))
            self._nuls.append(b"\0" in octets)
            self._is_whole = is_last
        return octets
