"""Reading APPEND and REPLACE around their messages (RFC 3501 §6.3.11, RFC 3502, RFC 8508)."""

import re
from collections.abc import Callable

from . import commands as c
from .cursor import Cursor, Fault, LiteralAhead
from .dialect import REV1, Dialect
from .invalid import invalid, tag_of
from .sequence_set import MAX_NUMBER

_APPEND_START = re.compile(
    rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]++ (?:APPEND|((?:UID )?+REPLACE) (\*|[1-9][0-9]{0,9}+)) ",
    re.IGNORECASE,
)
_WRAPPED = re.compile(rb"UTF8 \((?=~)", re.IGNORECASE)
_LITERAL_AT_END = re.compile(rb"(~?)\{([0-9]{1,10}+)\+?\}\Z")


def parse_append(text: bytes, dialect: Dialect = REV1) -> c.Append | c.Invalid | None:
    """An APPEND whose `text` ends where its message's literal is announced.

    None when `text` is another command, or when that literal is the folder's name.
    """
    start = _APPEND_START.match(text)
    if start is None:
        return None
    tag = tag_of(text)
    cursor = Cursor(text, start.end(), dialect)
    try:
        append = _append_head(tag, cursor)
        if start[1] is None:
            return append
        number = 0 if start[2] == b"*" else int(start[2])
        if number > MAX_NUMBER:
            raise Fault("Number too large.")
        return c.Replace(
            append.tag,
            append.name,
            append.flags,
            append.keywords,
            append.internal_date,
            append.zone_minutes,
            append.size,
            number,
            is_uid=len(start[1]) > len(b"REPLACE"),
            is_binary=append.is_binary,
            is_wrapped=append.is_wrapped,
        )
    except LiteralAhead:
        return None
    except Fault as fault:
        return invalid(tag, fault)


def parse_more(tag: bytes, text: bytes, dialect: Dialect = REV1) -> c.AppendMore | c.Invalid:
    """What follows a message, up to where the literal of the next is announced (RFC 3502)."""
    cursor = Cursor(text, 0, dialect)
    try:
        cursor.space()
        step = _particulars(cursor)
        return c.AppendMore(tag, step, *_literal(cursor))
    except Fault as fault:
        return invalid(tag, fault)


def _append_head(tag: bytes, cursor: Cursor) -> c.Append:
    name = cursor.folder()
    cursor.space()
    step = _particulars(cursor)
    size, is_binary, is_wrapped = _literal(cursor)
    return c.Append(
        tag,
        name,
        step.flags,
        step.keywords,
        step.internal_date,
        step.zone_minutes,
        size,
        is_binary=is_binary,
        is_wrapped=is_wrapped,
    )


def _particulars(cursor: Cursor) -> c.NewMessage:
    """The flags and the date of a message, and the space behind each."""
    flags: tuple[int, tuple[str, ...]] = 0, ()
    if cursor.is_at(b"("):
        flags = cursor.flags(allow_recent=True)
        cursor.space()
    moment: tuple[int | None, int] = None, 0
    if cursor.is_at(b'"'):
        moment = cursor.date_time()
        cursor.space()
    return c.NewMessage(*flags, *moment)


def _literal(cursor: Cursor) -> tuple[int, bool, bool]:
    """Of the literal announced at the text's end: its size, whether it may hold NUL, is wrapped."""
    wrapping = _WRAPPED.match(cursor.text, cursor.place)
    if wrapping is not None and Dialect.UTF8_ACCEPT in cursor.dialect:
        cursor.place = wrapping.end()
    literal = _LITERAL_AT_END.match(cursor.text, cursor.place)
    if literal is None:
        raise Fault("Literal expected.")
    return int(literal[2]), bool(literal[1]), wrapping is not None


def _append(tag: bytes, cursor: Cursor) -> c.Command:
    """An APPEND that came to its end without a literal for the message."""
    cursor.space()
    _append_head(tag, cursor)
    raise Fault("Literal expected.")


def replace(tag: bytes, cursor: Cursor) -> c.Command:
    """A REPLACE that came to its end without a literal for the message."""
    cursor.space()
    cursor.expect(b"*", "Number") if cursor.is_at(b"*") else cursor.number()
    return _append(tag, cursor)


COMMANDS: dict[bytes, Callable[[bytes, Cursor], c.Command]] = {
    b"APPEND": _append,
    b"REPLACE": replace,
}
