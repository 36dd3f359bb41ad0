"""A command's text and a place in it: the tokens of RFC 3501 §9, one method each.

The text is the command's lines joined by CRLF with its literals in between, without the last line
end. Every method moves past what it returns or raises `Fault`; each is linear, and no pattern can
backtrack (the quantifiers are possessive).
"""

import re
from datetime import UTC, date, datetime

from . import sequence_set, utf7
from .dialect import REV1, Dialect
from .flags import BY_NAME
from .responses import Status
from .sequence_set import SequenceSet

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]++")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]++")
_LIST_MAILBOX = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"\\]++")
# 8-bit octets are not in the grammar but in real passwords, folder names and searches.
_QUOTED = re.compile(rb'"([^"\\\x00\r\n]*+(?:\\["\\][^"\\\x00\r\n]*+)*+)"')
_ESCAPED = re.compile(rb"\\(.)")
_LITERAL = re.compile(rb"\{([0-9]{1,10}+)\+?\}\r\n")
_SPACES_TO_END = re.compile(rb" *+\Z")
_NUMBER = re.compile(rb"[0-9]{1,20}+")
_WORD = re.compile(rb"[A-Za-z0-9.+-]++")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]++")
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) '
    rb'([+-])([0-9]{2})([0-9]{2})"'
)
_MONTHS = {
    name: number
    for number, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)
}


class Fault(Exception):
    """The text is not what the grammar wants here; never leaves this package."""

    def __init__(self, text: str, status: Status = "BAD", code: bytes = b"") -> None:
        super().__init__(text)
        self.text = text
        self.status: Status = status
        self.code = code
        self.empties_saved = False
        self.leaves_folder = False


class LiteralAhead(Fault):
    """A literal starts here whose octets are not in the text."""


class Cursor:
    """A place in a command's text."""

    __slots__ = ("dialect", "place", "text")

    def __init__(self, text: bytes, place: int = 0, dialect: Dialect = REV1) -> None:
        self.text = text
        self.place = place
        self.dialect = dialect

    def is_at(self, octet: bytes) -> bool:
        """Whether `octet` comes next; does not move."""
        return self.text.startswith(octet, self.place)

    def take(self, octet: bytes) -> bool:
        """Move past `octet` if it comes next."""
        if self.text.startswith(octet, self.place):
            self.place += len(octet)
            return True
        return False

    def expect(self, octet: bytes, name: str) -> None:
        """Move past `octet`, which must come next."""
        if not self.take(octet):
            raise Fault(f"{name} expected.")

    def space(self) -> None:
        """The one space between arguments."""
        if not self.take(b" "):
            raise Fault("Missing argument.")

    def end(self) -> None:
        """The end of the command; spaces before it are forgiven."""
        if self.has_more():
            raise Fault("Too many arguments.")

    def has_more(self) -> bool:
        """Whether another argument follows."""
        place = self.place
        return place < len(self.text) and _SPACES_TO_END.match(self.text, place) is None

    def word(self) -> bytes:
        """A word of the grammar itself, in upper case."""
        return self._match(_WORD, "Word")[0].upper()

    def atom(self) -> bytes:
        """An atom."""
        return self._match(_ATOM, "Atom")[0]

    def number(self, maximum: int = sequence_set.MAX_NUMBER) -> int:
        """A number up to `maximum`."""
        number = int(self._match(_NUMBER, "Number")[0])
        if number > maximum:
            raise Fault("Number too large.")
        return number

    def astring(self) -> bytes:
        """An atom (with `]` allowed) or a string."""
        match = _ASTRING.match(self.text, self.place)
        if match is None:
            return self.string()
        self.place = match.end()
        return match[0]

    def string(self) -> bytes:
        """A quoted string or a literal."""
        match = _QUOTED.match(self.text, self.place)
        if match is not None:
            self.place = match.end()
            octets = match[1]
            if Dialect.UTF8 in self.dialect and not octets.isascii():
                _require_utf8(octets)
            return _ESCAPED.sub(rb"\1", octets) if b"\\" in octets else octets
        if self.is_at(b"{"):
            return self._literal()
        raise Fault("String expected.")

    def nstring(self) -> bytes | None:
        """A string, or None for NIL."""
        if self.text[self.place : self.place + 3].upper() == b"NIL":
            self.place += 3
            return None
        return self.string()

    def octets(self) -> bytes | None:
        """A string or a literal8 (RFC 4466 §3), which alone may hold NUL; None for NIL."""
        return self._literal(may_hold_nul=True) if self.take(b"~") else self.nstring()

    def folder(self) -> str:
        """A folder's name, decoded; INBOX in any case is INBOX (RFC 3501 §5.1)."""
        octets = self.astring()
        if len(octets) == 5 and octets.upper() == b"INBOX":
            return "INBOX"
        return decode_folder(octets, self.dialect)

    def reference(self) -> str:
        """What stands before a pattern; only both together are a name, which may be INBOX."""
        return decode_folder(self.astring(), self.dialect)

    def pattern(self) -> str:
        """A folder name in which `*` and `%` may stand (RFC 3501 §9, `list-mailbox`)."""
        match = _LIST_MAILBOX.match(self.text, self.place)
        if match is None:
            return decode_folder(self.string(), self.dialect)
        self.place = match.end()
        return decode_folder(match[0], self.dialect)

    def sequence_set(self) -> SequenceSet:
        """Message numbers or UIDs, or `$` (RFC 5182 §2.4)."""
        if self.take(b"$"):
            return sequence_set.SAVED
        match = self._match(sequence_set.PATTERN, "Sequence set")
        numbers = sequence_set.parse(match[0])
        if numbers is None:
            raise Fault("Number too large.")
        return numbers

    def flags(self, *, allow_recent: bool) -> tuple[int, tuple[str, ...]]:
        """A flag list, or bare flags up to the end: (bits of `Flag`, keywords).

        `\\Recent` is skipped where a copying client may repeat it (`allow_recent`), refused else.
        """
        is_list = self.take(b"(")
        if is_list and self.take(b")"):
            return 0, ()
        bits = 0
        keywords: dict[str, None] = {}
        while True:
            flag = self._match(_FLAG, "Flag")[0]
            if flag[0] != 0x5C:
                keywords[flag.decode("ascii")] = None
            elif bit := BY_NAME.get(flag.upper()):
                bits |= bit
            elif not (allow_recent and flag.upper() == b"\\RECENT"):
                raise Fault("No such system flag.")
            if not (self.take(b" ") if is_list else self.has_more() and self.take(b" ")):
                break
        if is_list:
            self.expect(b")", "Closing parenthesis")
        return bits, tuple(keywords)

    def date(self) -> date:
        """A day, quoted or not."""
        match = self._match(_DATE, "Date")
        month = _MONTHS.get(match[3].upper())
        try:
            return date(int(match[4]), month or 0, int(match[2]))
        except ValueError:
            raise Fault("No such date.") from None

    def date_time(self) -> tuple[int, int]:
        """A moment: (seconds since 1970, minutes its zone is east of UTC)."""
        day, month, year, hour, minute, second, sign, zone_hour, zone_minute = self._match(
            _DATE_TIME, "Date and time"
        ).groups()
        zone = int(zone_hour) * 60 + int(zone_minute)
        try:
            moment = datetime(
                int(year),
                _MONTHS.get(month.upper(), 0),
                int(day),
                int(hour),
                int(minute),
                min(int(second), 59),  # A leap second is stored as the second before it.
                tzinfo=UTC,
            )
        except ValueError:
            raise Fault("No such date.") from None
        # A day within years that every zone can show again.
        if not 1000 <= moment.year <= 9998 or zone >= 24 * 60 or int(zone_minute) > 59:
            raise Fault("No such date.")
        minutes = -zone if sign == b"-" else zone
        return int(moment.timestamp()) - minutes * 60, minutes

    def _literal(self, *, may_hold_nul: bool = False) -> bytes:
        match = _LITERAL.match(self.text, self.place)
        if match is None:
            raise LiteralAhead("String expected.")
        end = match.end() + int(match[1])
        if end > len(self.text):
            raise Fault("String expected.")
        octets = self.text[match.end() : end]
        if b"\0" in octets and not may_hold_nul:
            raise Fault("A string may not hold NUL.")
        self.place = end
        return octets

    def _match(self, pattern: re.Pattern[bytes], name: str) -> re.Match[bytes]:
        match = pattern.match(self.text, self.place)
        if match is None:
            raise Fault(f"{name} expected.")
        self.place = match.end()
        return match


def decode_folder(octets: bytes, dialect: Dialect = REV1) -> str:
    """A folder's name, or a piece of one, from the wire."""
    is_utf8 = Dialect.UTF8 in dialect
    try:
        name = octets.decode("utf-8") if is_utf8 else utf7.decode(octets)
    except ValueError:
        form = "UTF-8" if is_utf8 else "modified UTF-7"
        raise Fault(f"Folder name is not {form}.", "NO", b"CANNOT") from None
    if "\0" in name:
        raise Fault("Folder name holds NUL.", "NO", b"CANNOT")
    return name


def _require_utf8(octets: bytes) -> None:
    """RFC 9755 §3: a quoted string is UTF-8 or a syntax error."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("A quoted string is not UTF-8.") from None


def decode_text(octets: bytes) -> str:
    """Text of no stated charset: UTF-8 where it is that, else the Latin of old clients."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")
