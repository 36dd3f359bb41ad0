"""What came in: lines, and runs of a literal's octets; what is over a limit is dropped here.

A line or literal that is dropped ends where it would have ended, so that the conversation stays in
step; only a literal that nobody could wait for leaves no way back (`is_lost`).
"""

import re
from enum import Enum, auto

from protocols.wire.conversation import READ_AHEAD
from protocols.wire.receive_buffer import ReceiveBuffer

from .deflate import Deflate

# Of a literal a peer might announce; larger sizes are no numbers of IMAP4rev1.
MAX_ANNOUNCED = 0xFFFFFFFF

_LITERAL_AT_END = re.compile(rb"\{([0-9]++)(\+?)\}")
# How much of a line's end is looked at for a literal's size, and with its CRLF kept of one dropped.
_ANNOUNCEMENT = 32
_TAIL = _ANNOUNCEMENT + 2
_NO_LIMIT = 1 << 62


class TooLong(Exception):
    """A line is over its limit, and is being dropped; `start` is its beginning."""

    def __init__(self, start: bytes) -> None:
        super().__init__()
        self.start = start


# Octets that no tag begins with.
_NO_TEXT = bytes(range(0x21)) + bytes(range(0x7F, 0x100))


class _Dropping(Enum):
    NOTHING = auto()
    LITERAL = auto()
    LINE = auto()
    EVERYTHING = auto()


class Incoming:
    """The octets of one client, inflated where they come compressed."""

    __slots__ = ("_buffer", "_deflate", "_dropping", "_is_after_stream", "_left", "_tail")

    def __init__(self) -> None:
        self._buffer = ReceiveBuffer()
        self._deflate: Deflate | None = None
        # A compressed stream was left, and nothing has come since.
        self._is_after_stream = False
        self._dropping = _Dropping.NOTHING
        self._left = 0  # Octets still to drop of a literal.
        self._tail = b""  # The end of a line being dropped: it may announce a literal.

    @property
    def wants_data(self) -> bool:
        """False while enough is buffered."""
        return len(self._buffer) < READ_AHEAD and not self.has_packed

    @property
    def has_packed(self) -> bool:
        """Whether octets wait to be inflated."""
        return self._deflate is not None and self._deflate.has_more

    @property
    def is_closed(self) -> bool:
        """Whether the client hung up."""
        return self._buffer.is_closed

    @property
    def is_compressed(self) -> bool:
        """Whether what comes is inflated."""
        return self._deflate is not None

    @property
    def is_lost(self) -> bool:
        """Whether a literal was announced that has no end in sight."""
        return self._dropping is _Dropping.EVERYTHING

    def feed(self, data: bytes) -> None:
        """Take octets as they come; b"" means the client hung up."""
        if data and self._deflate is not None:
            self._deflate.feed(data)
            return
        if data and self._is_after_stream:
            # What flushed the stream may come behind its last command, and can begin no line.
            data = data.lstrip(_NO_TEXT)
            if not data:
                return
            self._is_after_stream = False
        self._buffer.feed(data)

    def decompress(self, deflate: Deflate) -> None:
        """Inflate everything from here on (RFC 4978 §3)."""
        self._deflate = deflate
        deflate.feed(self._buffer.take(len(self._buffer)))

    def stop_decompressing(self) -> None:
        """Take what comes from here on as it is (RFC 8437)."""
        deflate, self._deflate = self._deflate, None
        if deflate is not None:
            self._is_after_stream = True
            if octets := deflate.left_over():
                self.feed(octets)

    def inflate_more(self) -> int:
        """Inflate some more; how many octets came, 0 when none will. Raises BrokenStream."""
        deflate = self._deflate
        if deflate is None:
            return 0
        octets = deflate.inflate(READ_AHEAD)
        if octets:
            self._buffer.feed(octets)
        return len(octets) or int(deflate.has_more)

    def clear(self) -> None:
        """Drop everything that is buffered."""
        self._buffer.clear()
        self._dropping = _Dropping.NOTHING

    def take(self, size: int) -> bytes:
        """Up to `size` octets of a literal."""
        return self._buffer.take(size)

    def take_line(self, limit: int) -> bytes | None:
        """A line with less than `limit` octets before its LF, or None while it is incomplete.

        A bare LF ends it too: people type by hand. Raises TooLong, and then drops what is still to
        come of the line and of a literal at its end.
        """
        buffer = self._buffer
        before = len(buffer)
        line = buffer.take_line(_NO_LIMIT, accept_bare_lf=True)
        if line is None:
            if before < limit:
                return None
            start = bytes(buffer.peek()[:256])
            self._tail = buffer.take(before)[-_TAIL:]
            self._dropping = _Dropping.LINE
            raise TooLong(start)
        if before - len(buffer) > limit:
            self.drop_announced(line)
            raise TooLong(line[:256])
        return line

    def drop_literal(self, size: int) -> None:
        """Drop a literal of this size and the rest of the command's line behind it."""
        self._left = size
        self._dropping = _Dropping.LITERAL
        if size > MAX_ANNOUNCED:
            self._dropping = _Dropping.EVERYTHING

    def drop_announced(self, line: bytes) -> None:
        """After a line: drop the literal that it announces, if that comes without our asking."""
        size, is_coming = announced(line) or (0, False)
        self._dropping = _Dropping.NOTHING
        if is_coming:
            self.drop_literal(size)

    def is_in_step(self) -> bool:
        """Drop what is to be dropped, as far as it is here; whether a command may be read next."""
        while self._dropping is not _Dropping.NOTHING:
            if self._dropping is _Dropping.LITERAL:
                self._left -= len(self._buffer.take(self._left))
                if self._left:
                    return False
                self._tail = b""
                self._dropping = _Dropping.LINE
            elif self._dropping is _Dropping.LINE:
                if not self._drop_line():
                    return False
            else:
                return False
        return True

    def _drop_line(self) -> bool:
        end = self._buffer.peek().find(b"\n")
        taken = self._buffer.take(len(self._buffer) if end < 0 else end + 1)
        self._tail = (self._tail + taken)[-_TAIL:]
        if end >= 0:
            self.drop_announced(self._tail.removesuffix(b"\n").removesuffix(b"\r"))
        return end >= 0


def announced(line: bytes) -> tuple[int, bool] | None:
    """The literal that a line's end announces: (size, whether it comes without our asking)."""
    end = line[-_ANNOUNCEMENT:]
    match = _LITERAL_AT_END.fullmatch(end, max(end.rfind(b"{"), 0))
    return (int(match[1]), bool(match[2])) if match else None
