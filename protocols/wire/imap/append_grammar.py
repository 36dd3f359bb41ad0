"""Reading APPEND and REPLACE around their messages (RFC 3501 §6.3.11, RFC 3502, RFC 4469)."""

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
    """An APPEND whose `text` ends where a literal of its message is announced.

    None when `text` is another command, or when that literal is the folder's name or a URL.
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
        return _as_replace(append, number, is_uid=len(start[1]) > len(b"REPLACE"))
    except LiteralAhead:
        return None
    except Fault as fault:
        return invalid(tag, fault)


def parse_more(
    tag: bytes,
    text: bytes,
    dialect: Dialect = REV1,
    *,
    is_wrapped: bool = False,
    is_catenated: bool = False,
) -> c.AppendMore | c.AppendEnd | c.Invalid | None:
    """What follows a literal, up to the next one or to the end; `is_catenated`: it was a TEXT.

    None when the literal announced at the text's end is a URL.
    """
    cursor = Cursor(text, 0, dialect)
    steps: list[c.Step] = []
    try:
        if is_wrapped:
            cursor.expect(b")", "Closing parenthesis")
        if is_catenated and not cursor.take(b")"):
            cursor.space()
            if literal := _parts(cursor, steps):
                return c.AppendMore(tag, tuple(steps), *literal, is_catenated=True)
        if cursor.has_more():
            cursor.space()
            steps.append(_particulars(cursor))
            if found := _messages(cursor, steps):
                return c.AppendMore(tag, tuple(steps), *found)
        return c.AppendEnd(tag, tuple(steps))
    except LiteralAhead:
        return None
    except Fault as fault:
        return invalid(tag, fault)


def _append_head(tag: bytes, cursor: Cursor) -> c.Append:
    name = cursor.folder()
    cursor.space()
    message = _particulars(cursor)
    steps: list[c.Step] = []
    literal = _messages(cursor, steps)
    size, is_binary, is_wrapped, is_catenated = literal or (0, False, False, True)
    return c.Append(
        tag,
        name,
        message.flags,
        message.keywords,
        message.internal_date,
        message.zone_minutes,
        size,
        is_binary=is_binary,
        is_wrapped=is_wrapped,
        is_catenated=is_catenated,
        has_literal=literal is not None,
        steps=tuple(steps),
    )


def _as_replace(append: c.Append, number: int, *, is_uid: bool) -> c.Replace:
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
        is_uid,
        is_binary=append.is_binary,
        is_wrapped=append.is_wrapped,
        is_catenated=append.is_catenated,
        has_literal=append.has_literal,
        steps=append.steps,
    )


def _messages(cursor: Cursor, steps: list[c.Step]) -> tuple[int, bool, bool, bool] | None:
    """The data of a message and further messages up to the next literal; None: all is there.

    The literal's size, whether it may hold NUL, whether it is wrapped, and whether it is a TEXT.
    """
    while cursor.text[cursor.place : cursor.place + 10].upper() == b"CATENATE (":
        cursor.place += 10
        if literal := _parts(cursor, steps):
            return (*literal, False, True)
        if not cursor.has_more():
            return None
        cursor.space()
        steps.append(_particulars(cursor))
    return (*_literal(cursor), False)


def _parts(cursor: Cursor, steps: list[c.Step]) -> tuple[int, bool] | None:
    """Parts of a message (RFC 4469 §5) up to the literal of a TEXT, or None: to the last one."""
    while True:
        word = cursor.word()
        cursor.space()
        if word == b"TEXT":
            return _announced(cursor)
        if word != b"URL":
            raise Fault("Part expected.")
        steps.append(c.Url(cursor.astring()))
        if cursor.take(b")"):
            return None
        cursor.space()


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
    return (*_announced(cursor), wrapping is not None)


def _announced(cursor: Cursor) -> tuple[int, bool]:
    literal = _LITERAL_AT_END.match(cursor.text, cursor.place)
    if literal is None:
        raise Fault("Literal expected.")
    return int(literal[2]), bool(literal[1])


def _append(tag: bytes, cursor: Cursor) -> c.Command:
    """An APPEND that came to its end without a literal: its messages are made of URLs."""
    cursor.space()
    return _append_head(tag, cursor)


def replace(tag: bytes, cursor: Cursor, *, is_uid: bool = False) -> c.Command:
    """A REPLACE that came to its end without a literal."""
    cursor.space()
    is_last = cursor.take(b"*")
    number = 0 if is_last else cursor.number()
    if not (number or is_last):
        raise Fault("Number expected.")
    cursor.space()
    return _as_replace(_append_head(tag, cursor), number, is_uid=is_uid)


COMMANDS: dict[bytes, Callable[[bytes, Cursor], c.Command]] = {
    b"APPEND": _append,
    b"REPLACE": replace,
}
