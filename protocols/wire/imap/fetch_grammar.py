"""Reading what FETCH asks for (RFC 3501 §9, `fetch-att`)."""

import re
from functools import lru_cache

from .cursor import Cursor, Fault
from .fetch_items import (
    ALL,
    FAST,
    FULL,
    Attribute,
    Binary,
    BinarySize,
    BodySection,
    FetchItem,
    Preview,
    SectionKind,
)
from .options_grammar import FetchModifiers, split_fetch_modifiers
from .strings import astring

# Each section may cost the whole message; nobody asks for this many in good faith.
MAX_ITEMS = 500
MAX_PATH = 100

_SECTION = re.compile(rb"\[((?:[1-9][0-9]{0,9}+(?:\.|(?=\])))*+)([A-Za-z.]*+)")
_BINARY_SECTION = re.compile(rb"\[((?:[1-9][0-9]{0,9}+(?:\.(?!\])|(?=\])))*+)\]")
_PARTIAL = re.compile(rb"<([0-9]{1,19}+)\.([1-9][0-9]{0,18}+)>")
_NAME = re.compile(rb"[A-Za-z0-9.]++")

_KINDS = {kind.value: kind for kind in SectionKind}
_MACROS: dict[bytes, tuple[FetchItem, ...]] = {b"ALL": ALL, b"FAST": FAST, b"FULL": FULL}


def _whole(kind: SectionKind, label: bytes, *, is_peek: bool = False) -> BodySection:
    return BodySection((), kind, (), is_peek, -1, -1, label)


_ITEMS: dict[bytes, FetchItem] = {
    **{attribute.value: attribute for attribute in Attribute},
    b"RFC822": _whole(SectionKind.WHOLE, b"RFC822"),
    b"RFC822.HEADER": _whole(SectionKind.HEADER, b"RFC822.HEADER", is_peek=True),
    b"RFC822.TEXT": _whole(SectionKind.TEXT, b"RFC822.TEXT"),
}


def fetch_items(cursor: Cursor) -> tuple[tuple[FetchItem, ...], FetchModifiers]:
    """The items up to the end of the command, each once, macros expanded; and the modifiers."""
    rest, modifiers = split_fetch_modifiers(cursor.text[cursor.place :])
    cursor.place = len(cursor.text)
    if len(rest) <= 1024:
        return _remembered(rest), modifiers
    return _items(Cursor(rest)), modifiers


@lru_cache(maxsize=512)
def _remembered(text: bytes) -> tuple[FetchItem, ...]:
    """Clients ask for the same few things all day long."""
    return _items(Cursor(text))


def _items(cursor: Cursor) -> tuple[FetchItem, ...]:
    if not cursor.take(b"("):
        macro = _MACROS.get(cursor.text.rstrip(b" ").upper())
        items = macro or (_item(cursor),)
        if macro is None:
            cursor.end()
        return items
    found = item_list(cursor)
    cursor.end()
    return found


def item_list(cursor: Cursor) -> tuple[FetchItem, ...]:
    """Items up to the closing parenthesis, each once; the opening one is read already."""
    found = {_item(cursor): None}
    while cursor.take(b" "):
        found[_item(cursor)] = None
        if len(found) > MAX_ITEMS:
            raise Fault("Too many items.")
    cursor.expect(b")", "Closing parenthesis")
    return tuple(found)


def body_section(text: bytes) -> BodySection | None:
    """What `BODY.PEEK[text]` asks for; None where that is no section."""
    cursor = Cursor(b"[%b]" % text)
    try:
        section = _section(cursor, is_peek=True)
        cursor.end()
    except Fault:
        return None
    return None if section.is_partial else section


def _item(cursor: Cursor) -> FetchItem:
    match = _NAME.match(cursor.text, cursor.place)
    name = match[0].upper() if match else b""
    cursor.place += len(name)
    if name in (b"BODY", b"BODY.PEEK") and cursor.is_at(b"["):
        return _section(cursor, is_peek=name == b"BODY.PEEK")
    if name in (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"):
        return _binary(cursor, name)
    if name == b"PREVIEW":
        return _preview(cursor)
    item = _ITEMS.get(name)
    if item is None:
        raise Fault("No such FETCH item.")
    return item


def _section(cursor: Cursor, *, is_peek: bool) -> BodySection:
    match = _SECTION.match(cursor.text, cursor.place)
    kind = _KINDS.get(match[2].upper()) if match else None
    # `1.2` stands alone, `1.2.TEXT` has its point, and MIME only parts have.
    if match is None or kind is None or match[1].endswith(b".") != bool(match[1] and match[2]):
        raise Fault("No such section.")
    path = _path(match[1].rstrip(b"."))
    if kind is SectionKind.MIME and not path:
        raise Fault("No such section.")
    cursor.place = match.end()
    label = b"BODY[" + match[1] + kind.value
    fields: tuple[bytes, ...] = ()
    if kind in (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT):
        names = _field_names(cursor)
        fields = tuple(dict.fromkeys(name.lower() for name in names))
        label += b" (" + b" ".join(map(astring, names)) + b")"
    cursor.expect(b"]", "Closing bracket")
    offset, count, origin = _partial(cursor)
    return BodySection(path, kind, fields, is_peek, offset, count, label + b"]" + origin)


def _binary(cursor: Cursor, name: bytes) -> Binary | BinarySize:
    match = _BINARY_SECTION.match(cursor.text, cursor.place)
    if match is None:
        raise Fault("No such section.")
    cursor.place = match.end()
    path = _path(match[1])
    if name == b"BINARY.SIZE":
        return BinarySize(path, name + match[0])
    offset, count, origin = _partial(cursor)
    label = b"BINARY" + match[0] + origin
    return Binary(path, name == b"BINARY.PEEK", offset, count, label)


def _path(numbers: bytes) -> tuple[int, ...]:
    path = tuple(int(number) for number in numbers.split(b".") if number)
    if len(path) > MAX_PATH:
        raise Fault("No such section.")
    return path


def _preview(cursor: Cursor) -> Preview:
    if not cursor.take(b" ("):
        return Preview(is_lazy=False)
    while True:
        if cursor.word() != b"LAZY":
            raise Fault("No such modifier.")
        if not cursor.take(b" "):
            break
    cursor.expect(b")", "Closing parenthesis")
    return Preview(is_lazy=True)


def _field_names(cursor: Cursor) -> list[bytes]:
    cursor.expect(b" (", "Header field names")
    names = [cursor.astring()]
    while cursor.take(b" "):
        names.append(cursor.astring())
    cursor.expect(b")", "Closing parenthesis")
    return names


def _partial(cursor: Cursor) -> tuple[int, int, bytes]:
    """(offset, count, how the response says it); -1 for all."""
    if not cursor.is_at(b"<"):
        return -1, -1, b""
    match = _PARTIAL.match(cursor.text, cursor.place)
    if match is None:
        raise Fault("No such range.")
    cursor.place = match.end()
    return int(match[1]), int(match[2]), b"<%d>" % int(match[1])
