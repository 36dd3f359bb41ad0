"""Reading what SEARCH asks for (RFC 3501 §9, `search`), bounded in depth and count."""

import re
from collections.abc import Callable
from typing import NamedTuple

from .cursor import Cursor, Fault, decode_text
from .dialect import Dialect
from .flags import BY_NAME, Flag
from .options import MAX_MODSEQ
from .search import (
    MAX_DEPTH,
    MAX_KEYS,
    And,
    ArrivedOn,
    BodyHas,
    EmailIdIs,
    Everything,
    FilterNamed,
    FlagIs,
    Fuzzy,
    HeaderHas,
    IsRecent,
    KeepsSaveDate,
    KeywordIs,
    LargerThan,
    ModseqFrom,
    Not,
    NumberIn,
    OlderThan,
    Or,
    SavedOn,
    SearchKey,
    SentOn,
    SmallerThan,
    TextHas,
    ThreadIdIs,
    UidIn,
    When,
    YoungerThan,
    filter_names,
)

_CHARSETS = {
    b"US-ASCII": "utf-8",
    b"ASCII": "utf-8",
    b"UTF-8": "utf-8",
    b"ISO-8859-1": "latin-1",
    b"ISO-8859-15": "iso8859-15",
    b"WINDOWS-1252": "cp1252",
}
_BAD_CHARSET = b"BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252)"
# RFC 8474 §7.
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_SET_START = frozenset(b"0123456789*$")


def search_program(cursor: Cursor) -> SearchKey:
    """`[CHARSET name] keys` up to the end of the command, as one key."""
    reading = _Reading(cursor)
    if cursor.text[cursor.place : cursor.place + 8].upper() == b"CHARSET ":
        if Dialect.UTF8_ACCEPT in cursor.dialect:
            raise Fault("With UTF8=ACCEPT there is no CHARSET.")
        cursor.place += 8
        return search_program_in(cursor)
    return reading.keys(0)


def search_program_in(cursor: Cursor) -> SearchKey:
    """`charset keys` up to the end of the command, as SORT has them (RFC 5256 §5)."""
    reading = _Reading(cursor)
    name = cursor.astring().upper()
    if Dialect.UTF8_ACCEPT in cursor.dialect and name != b"UTF-8":
        # RFC 6855, erratum 4029: everything is UTF-8 by now.
        raise Fault("With UTF8=ACCEPT the charset is UTF-8.")
    # Without keys it is no charset that is missing here, but perhaps the charset itself.
    cursor.space()
    charset = _CHARSETS.get(name)
    if charset is None:
        raise Fault("Unknown charset.", "NO", _BAD_CHARSET)
    reading.charset = charset
    program = reading.keys(0)
    if charset != "utf-8" and any(filter_names(program)):
        # RFC 5466 §3.1: what is stored is UTF-8, and two charsets in one search are none.
        raise Fault("Filters are in UTF-8.", "BAD", b"BADCHARSET (US-ASCII UTF-8)")
    return program


class Filter(NamedTuple):
    """A filter's program (RFC 5466 §3.1), and how many keys it has."""

    program: SearchKey
    keys: int


def filter_program(value: bytes) -> Filter | None:
    """What a filter's value asks for, as it may stand in another program; None: it is no program.

    It is at most half as deep as a program, and may name other filters.
    """
    cursor = Cursor(value, dialect=Dialect.UTF8)
    reading = _Reading(cursor)
    try:
        if value[:8].upper() == b"CHARSET ":
            cursor.place = 8
            charset = _CHARSETS.get(cursor.astring().upper())
            if charset is None:
                return None
            cursor.space()
            reading.charset = charset
        program = reading.keys(MAX_DEPTH // 2)
        cursor.end()
    except Fault:
        return None
    return Filter(program, reading.count)


class _Reading:
    """One program being read: where, in which charset, and how many keys so far."""

    __slots__ = ("charset", "count", "cursor")

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.charset = "utf-8" if Dialect.UTF8 in cursor.dialect else None
        self.count = 0

    def keys(self, depth: int) -> SearchKey:
        """Keys side by side; all must hold."""
        keys = [self.key(depth)]
        while self.cursor.has_more() and self.cursor.take(b" "):
            keys.append(self.key(depth))
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def key(self, depth: int) -> SearchKey:
        """One key with its arguments."""
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_KEYS:
            raise Fault("The search is too complex.", "NO", b"LIMIT")
        cursor = self.cursor
        if cursor.place < len(cursor.text) and cursor.text[cursor.place] in _SET_START:
            return NumberIn(cursor.sequence_set())
        if cursor.take(b"("):
            return self.group(depth + 1)
        word = cursor.word()
        plain = _PLAIN.get(word)
        if plain is not None:
            return plain
        if word == b"NOT":
            cursor.space()
            return Not(self.key(depth + 1))
        if word == b"FUZZY":
            cursor.space()
            return Fuzzy(self.key(depth + 1))
        if word == b"OR":
            return self.either(depth + 1)
        argument = _WITH_ARGUMENT.get(word)
        if argument is None:
            raise Fault("No such search key.")
        cursor.space()
        return argument(self)

    def group(self, depth: int) -> SearchKey:
        """Keys up to the closing parenthesis."""
        keys = [self.key(depth)]
        while self.cursor.take(b" "):
            keys.append(self.key(depth))
        self.cursor.expect(b")", "Closing parenthesis")
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def either(self, depth: int) -> SearchKey:
        """The two keys of an OR, joined with those of ORs inside it."""
        keys: list[SearchKey] = []
        for _ in range(2):
            self.cursor.space()
            key = self.key(depth)
            keys.extend(key.keys if isinstance(key, Or) else (key,))
        return Or(tuple(keys))

    def text(self) -> str:
        """A string argument, decoded."""
        octets = self.cursor.astring()
        if self.charset is None:
            return decode_text(octets)
        try:
            return octets.decode(self.charset)
        except UnicodeDecodeError:
            raise Fault("The text is not in the charset stated.") from None


def _header(reading: _Reading) -> SearchKey:
    name = reading.cursor.astring().decode("latin-1").lower()
    reading.cursor.space()
    return HeaderHas(name, reading.text())


def _field(name: str) -> Callable[[_Reading], SearchKey]:
    return lambda reading: HeaderHas(name, reading.text())


def _filter(reading: _Reading) -> SearchKey:
    name = reading.cursor.atom()
    if b"/" in name:
        raise Fault("A filter's name has no slash.")
    return FilterNamed(name.decode("ascii").lower())


def _keyword(*, is_set: bool) -> Callable[[_Reading], SearchKey]:
    return lambda reading: KeywordIs(reading.cursor.atom().decode("ascii"), is_set)


def _arrived(when: When) -> Callable[[_Reading], SearchKey]:
    return lambda reading: ArrivedOn(when, reading.cursor.date())


def _sent(when: When) -> Callable[[_Reading], SearchKey]:
    return lambda reading: SentOn(when, reading.cursor.date())


def _saved(when: When) -> Callable[[_Reading], SearchKey]:
    return lambda reading: SavedOn(when, reading.cursor.date())


def _object_id(reading: _Reading) -> str:
    identifier = reading.cursor.astring()
    if _OBJECT_ID.fullmatch(identifier) is None:
        raise Fault("Object identifier expected.")
    return identifier.decode("ascii")


def _seconds(reading: _Reading) -> int:
    seconds = reading.cursor.number()
    if not seconds:
        raise Fault("The interval must not be zero.")
    return seconds


def _modseq(reading: _Reading) -> SearchKey:
    """RFC 7162 §7: an entry's name and type may stand before the number; we keep one for all."""
    cursor = reading.cursor
    if cursor.is_at(b'"'):
        kind, _, flag = cursor.string().upper().partition(b"/FLAGS/")
        cursor.space()
        if kind or not flag or (flag.startswith(b"\\") and flag not in BY_NAME):
            raise Fault("No such entry.")
        if cursor.word() not in (b"PRIV", b"SHARED", b"ALL"):
            raise Fault("PRIV, SHARED or ALL expected.")
        cursor.space()
    return ModseqFrom(cursor.number(MAX_MODSEQ))


_UNSEEN = FlagIs(Flag.SEEN, is_set=False)
_PLAIN: dict[bytes, SearchKey] = {
    b"ALL": Everything(),
    b"NEW": And((IsRecent(), _UNSEEN)),
    b"OLD": Not(IsRecent()),
    b"RECENT": IsRecent(),
    b"SAVEDATESUPPORTED": KeepsSaveDate(),
    **{flag.name.encode(): FlagIs(flag, is_set=True) for flag in Flag if flag.name},
    **{b"UN" + flag.name.encode(): FlagIs(flag, is_set=False) for flag in Flag if flag.name},
}
_WITH_ARGUMENT: dict[bytes, Callable[[_Reading], SearchKey]] = {
    b"BCC": _field("bcc"),
    b"BEFORE": _arrived(When.BEFORE),
    b"BODY": lambda reading: BodyHas(reading.text()),
    b"CC": _field("cc"),
    b"EMAILID": lambda reading: EmailIdIs(_object_id(reading)),
    b"FILTER": _filter,
    b"FROM": _field("from"),
    b"HEADER": _header,
    b"KEYWORD": _keyword(is_set=True),
    b"LARGER": lambda reading: LargerThan(reading.cursor.number((1 << 63) - 1)),
    b"OLDER": lambda reading: OlderThan(_seconds(reading)),
    b"MODSEQ": _modseq,
    b"ON": _arrived(When.ON),
    b"SAVEDBEFORE": _saved(When.BEFORE),
    b"SAVEDON": _saved(When.ON),
    b"SAVEDSINCE": _saved(When.SINCE),
    b"SENTBEFORE": _sent(When.BEFORE),
    b"SENTON": _sent(When.ON),
    b"SENTSINCE": _sent(When.SINCE),
    b"SINCE": _arrived(When.SINCE),
    b"SMALLER": lambda reading: SmallerThan(reading.cursor.number((1 << 63) - 1)),
    b"SUBJECT": _field("subject"),
    b"TEXT": lambda reading: TextHas(reading.text()),
    b"THREADID": lambda reading: ThreadIdIs(_object_id(reading)),
    b"TO": _field("to"),
    b"UID": lambda reading: UidIn(reading.cursor.sequence_set()),
    b"UNKEYWORD": _keyword(is_set=False),
    b"YOUNGER": lambda reading: YoungerThan(_seconds(reading)),
}
