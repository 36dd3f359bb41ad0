"""Reading the commands on annotations (RFC 5464 §5), and LIST's wish for them (RFC 9590)."""

import re
from collections.abc import Callable
from typing import cast

from . import sequence_set
from .cursor import Cursor, Fault
from .metadata import Depth, GetMetadata, SetMetadata

MAX_ENTRIES = 100
MAX_NAME = 200

# RFC 5464 §3.2.1: ASCII without control characters, no wildcard, no empty level.
_NAME = re.compile(rb"/(?:private|shared)(?:/[^\x00-\x1f\x7f-\xff*%/]++)*+", re.IGNORECASE)
# Options stand before the folder in the ABNF of §5 and behind it in the examples of §4.2.
_OPTIONS = re.compile(rb" \((?=[A-Za-z])")
_DEPTHS = (b"0", b"1", b"INFINITY")


def _name(cursor: Cursor) -> str:
    name = cursor.astring()
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise Fault("No such entry can be.")
    return name.lower().decode("ascii")


def entry_names(cursor: Cursor, at_most: int = MAX_ENTRIES) -> tuple[str, ...]:
    """One entry's name, or a list of them (RFC 5464 §5, `entries`); each once."""
    if not cursor.take(b"("):
        return (_name(cursor),)
    names = {_name(cursor): None}
    while cursor.take(b" "):
        names[_name(cursor)] = None
    cursor.expect(b")", "Closing parenthesis")
    if len(names) > at_most:
        raise Fault("Too many entries.")
    return tuple(names)


def _get(tag: bytes, cursor: Cursor) -> GetMetadata:
    depth, max_size = _options(cursor)
    cursor.space()
    name = cursor.folder()
    if (depth, max_size) == ("0", None):
        depth, max_size = _options(cursor)
    cursor.space()
    return GetMetadata(tag, name, entry_names(cursor), depth, max_size)


def _options(cursor: Cursor) -> tuple[Depth, int | None]:
    depth, max_size = b"0", None
    if not (match := _OPTIONS.match(cursor.text, cursor.place)):
        return "0", None
    cursor.place = match.end()
    while True:
        match cursor.word():
            case b"MAXSIZE":
                cursor.space()
                max_size = cursor.number(sequence_set.MAX_NUMBER)
            case b"DEPTH":
                cursor.space()
                depth = cursor.word()
                if depth not in _DEPTHS:
                    raise Fault("No such depth.")
            case _:
                raise Fault("No such option.")
        if not cursor.take(b" "):
            break
    cursor.expect(b")", "Closing parenthesis")
    return cast("Depth", depth.decode()), max_size


def _set(tag: bytes, cursor: Cursor) -> SetMetadata:
    cursor.space()
    folder = cursor.folder()
    cursor.space()
    cursor.expect(b"(", "List")
    values: dict[str, bytes | None] = {}
    while True:
        name = _name(cursor)
        if name.count("/") == 1:
            raise Fault("The entry needs a name.")
        cursor.space()
        values[name] = cursor.octets()
        if not cursor.take(b" "):
            break
    cursor.expect(b")", "Closing parenthesis")
    if len(values) > MAX_ENTRIES:
        raise Fault("Too many entries.")
    return SetMetadata(tag, folder, tuple(values.items()))


COMMANDS: dict[bytes, Callable[[bytes, Cursor], GetMetadata | SetMetadata]] = {
    b"GETMETADATA": _get,
    b"SETMETADATA": _set,
}
