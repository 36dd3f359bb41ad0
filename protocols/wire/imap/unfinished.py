"""The text of a command whose lines and literals are still coming, and how much of it may come."""

# Octets: of all lines of a command, of one of its literals, of all of them.
MAX_LINE = 64 * 1024
MAX_LITERAL = 64 * 1024
MAX_LITERALS = 256 * 1024
# Of all its lines, and of all its literals, before somebody has logged in.
MAX_OF_STRANGER = 8 * 1024


class Unfinished:
    """A command as far as it is here. Its last line is none of it: that completes the command."""

    __slots__ = ("_line_octets", "_literal_octets", "is_of_stranger", "text")

    def __init__(self) -> None:
        self.text = bytearray()
        self.is_of_stranger = True
        self._line_octets = 0
        self._literal_octets = 0

    @property
    def line_left(self) -> int:
        """How many octets more its lines may have."""
        return (MAX_OF_STRANGER if self.is_of_stranger else MAX_LINE) - self._line_octets

    def has_room_for(self, size: int) -> bool:
        """Whether a literal of this size may be part of the text."""
        limit = MAX_OF_STRANGER if self.is_of_stranger else MAX_LITERALS
        return size <= MAX_LITERAL and self._literal_octets + size <= limit

    def announce(self, line: bytes, size: int) -> None:
        """Its line, which is in the text, ends in the announcement of a literal that comes next."""
        self.text += b"\r\n"
        self._line_octets += len(line) + 2
        self._literal_octets += size

    def take(self) -> bytes:
        """Its text; it is empty then."""
        text = bytes(self.text)
        self.text.clear()
        self._line_octets = self._literal_octets = 0
        return text
