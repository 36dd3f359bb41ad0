"""What follows DATA without its stuffed dots (RFC 5321 §4.5.2), over chunks cut anywhere.

Rule of the file: only whole-buffer operations, never a loop over lines.
"""

_END = b"\r\n.\r\n"


class DataReader:
    """Takes a message out of what follows DATA: the dots removed, the end found.

    Only CRLF.CRLF ends a message. A bare LF or CR never does: servers that disagree about it let
    one message hide inside another (SMTP smuggling). RFC 5321 §2.3.8, §4.1.1.4.
    """

    __slots__ = ("_at_line_start", "_searched", "is_complete")

    def __init__(self) -> None:
        self._at_line_start = True
        self._searched = 0
        self.is_complete = False

    def take(self, buffer: bytearray, minimum: int = 1) -> bytes:
        """Move out of `buffer` what is certain by now; b"" when that is less than `minimum`.

        A CRLF is never cut in two. After the end `is_complete` is true and `buffer` holds what
        follows the message.
        """
        if self._at_line_start and not self._begin_line(buffer):
            return b""
        end = buffer.find(_END, self._searched)
        if end >= 0:
            self.is_complete = True
            octets = _unstuff(buffer, end + 2)
            del buffer[: end + len(_END)]
            return octets
        certain = len(buffer) - _undecided(buffer)
        if certain < minimum:
            self._searched = max(0, certain)
            return b""
        octets = _unstuff(buffer, certain)
        del buffer[:certain]
        self._searched = 0
        return octets

    def _begin_line(self, buffer: bytearray) -> bool:
        """Look at the message's first octets; True once the rest can be searched."""
        head = bytes(buffer[:3])
        if head == b".\r\n":
            del buffer[:3]
            self.is_complete = True
            return False
        if b".\r\n".startswith(head):
            return False
        if head.startswith(b"."):
            del buffer[:1]
        self._at_line_start = False
        return True


def _unstuff(buffer: bytearray, size: int) -> bytes:
    octets = bytes(memoryview(buffer)[:size])
    return octets.replace(b"\r\n.", b"\r\n") if b"\r\n." in octets else octets


def _undecided(buffer: bytearray) -> int:
    """How many octets at the end could still be the beginning of the end."""
    for size in (4, 3, 2, 1):
        if buffer.endswith(_END[:size]):
            return size
    return 0
