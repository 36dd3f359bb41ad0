"""Octets received and not yet understood, cut into lines and runs without copying them twice."""


class LineTooLong(Exception):
    """A line exceeded its limit; it is being dropped up to its end."""


class ReceiveBuffer:
    """A byte queue that remembers where it last looked for a line end.

    Lines end in CRLF. `take_line(accept_bare_lf=True)` also takes a bare LF, which SMTP commands
    never allow (RFC 5321 §2.3.8) but hand-typed POP3 and IMAP sessions expect; `ended_bare` then
    tells how the line taken last ended, so that SMTP can refuse it with a word.
    """

    __slots__ = ("_data", "_searched", "_skipping", "ended_bare", "is_closed")

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0
        self._skipping = False
        self.ended_bare = False
        self.is_closed = False

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Append octets; b"" marks the end of input."""
        if data:
            self._data += data
        else:
            self.is_closed = True

    def clear(self) -> None:
        """Drop everything, as STARTTLS demands (RFC 3207 §4.2)."""
        self._data.clear()
        self._searched = 0
        self._skipping = False

    def peek(self) -> bytearray:
        """The buffer itself, to look at, or to shorten between lines; callers must not keep it."""
        return self._data

    def take(self, size: int) -> bytes:
        """Remove and return up to `size` octets."""
        data = bytes(memoryview(self._data)[:size])
        del self._data[:size]
        self._searched = 0
        return data

    def take_line(self, limit: int, *, accept_bare_lf: bool = False) -> bytes | None:
        """The next line without its end, or None while it is incomplete.

        Raises LineTooLong once a line passes `limit` octets (its end included); the rest of that
        line is dropped as it arrives, so that memory stays bounded and the session can go on.
        """
        if self._skipping and not self._skip_line(accept_bare_lf):
            return None
        end, size = self._find_end(accept_bare_lf)
        if end < 0:
            if len(self._data) >= limit:
                self._skipping = True
                self._skip_line(accept_bare_lf)
                raise LineTooLong
            return None
        if end + size > limit:
            del self._data[: end + size]
            self._searched = 0
            raise LineTooLong
        line = bytes(memoryview(self._data)[:end])
        del self._data[: end + size]
        self._searched = 0
        self.ended_bare = size == 1
        return line

    def _find_end(self, accept_bare_lf: bool) -> tuple[int, int]:
        if accept_bare_lf:
            end = self._data.find(b"\n", self._searched)
            if end < 0:
                self._searched = len(self._data)
                return -1, 0
            if end and self._data[end - 1] == 0x0D:
                return end - 1, 2
            return end, 1
        end = self._data.find(b"\r\n", self._searched)
        if end < 0:
            self._searched = max(0, len(self._data) - 1)
            return -1, 0
        return end, 2

    def _skip_line(self, accept_bare_lf: bool) -> bool:
        """Drop up to the end of the line being skipped; True once that end was seen."""
        end, size = self._find_end(accept_bare_lf)
        if end < 0:
            keep = 1 if self._data.endswith(b"\r") else 0
            del self._data[: len(self._data) - keep]
            self._searched = 0
            return False
        del self._data[: end + size]
        self._searched = 0
        self._skipping = False
        return True
