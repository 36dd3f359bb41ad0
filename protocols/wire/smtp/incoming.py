"""The message that follows DATA: taken out of the buffer in large pieces, judged as it passes.

Nothing of a message that is to be refused is handed on.
"""

from protocols.wire.conversation import READ_AHEAD
from protocols.wire.smtp.dots import DataReader
from protocols.wire.smtp.events import MessageChunk, MessageEnd
from protocols.wire.smtp.refusals import BARE_OCTETS, TOO_BIG
from protocols.wire.smtp.reply import Reply

# Well below READ_AHEAD: octets that may yet be the end are held back, and a full buffer that gave
# nothing would stop the reading for ever.
CHUNK = READ_AHEAD // 2


class IncomingMessage:
    """`max_size` is in octets; `mends_lf` turns a bare LF into CRLF instead of refusing it."""

    __slots__ = ("_has_bare_octets", "_max_size", "_mends_lf", "_reader", "_size")

    def __init__(self, max_size: int, *, mends_lf: bool) -> None:
        self._max_size = max_size
        self._mends_lf = mends_lf
        self._reader = DataReader()
        self._size = 0
        self._has_bare_octets = False

    @property
    def is_endless(self) -> bool:
        """True once a client has sent on and on beyond the limit: it is read no further."""
        return self._size > 2 * self._max_size + CHUNK

    def take(self, buffer: bytearray) -> MessageChunk | MessageEnd | None:
        """The next piece of at least CHUNK octets, or the end, or None until more comes."""
        reader = self._reader
        while True:
            octets = reader.take(buffer, CHUNK)
            if not octets and not reader.is_complete:
                return None
            if octets and self._mends_lf:
                octets = mend_line_ends(octets)
            self._size += len(octets)
            if not self._has_bare_octets and has_bare_octets(octets):
                self._has_bare_octets = True
            refusal = self._refusal()
            if reader.is_complete:
                return MessageEnd(octets if refusal is None else b"", refusal)
            if refusal is None:
                return MessageChunk(octets)
            if self.is_endless:
                return None

    def _refusal(self) -> Reply | None:
        if self._size > self._max_size:
            return TOO_BIG
        return BARE_OCTETS if self._has_bare_octets else None


def has_bare_octets(octets: bytes) -> bool:
    """Whether CR or LF stands alone, or NUL anywhere, in octets that cut no CRLF in two."""
    ends = octets.count(b"\r\n")
    return octets.count(b"\r") != ends or octets.count(b"\n") != ends or b"\0" in octets


def mend_line_ends(octets: bytes) -> bytes:
    """Bare LF made CRLF (RFC 6409 §8 lets submission mend), in octets that cut no CRLF in two."""
    if octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
