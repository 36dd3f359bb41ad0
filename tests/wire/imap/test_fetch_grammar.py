"""Every FETCH item, from the wire to its value (RFC 3501 §6.4.5)."""

import pytest

from protocols.wire.imap.commands import Fetch, Invalid
from protocols.wire.imap.fetch_items import (
    Attribute,
    Binary,
    BinarySize,
    BodySection,
    FetchItem,
    Preview,
    SectionKind,
)
from protocols.wire.imap.parser import parse

A = Attribute
K = SectionKind
NAMES = (b"from", b"x-y")


def _fetch(text: bytes) -> tuple[FetchItem, ...] | None:
    command = parse(b"a FETCH 1 " + text)
    if isinstance(command, Invalid):
        return None
    assert isinstance(command, Fetch)
    return command.items


ITEMS: list[tuple[bytes, FetchItem]] = [
    *((attribute.value, attribute) for attribute in Attribute),
    (b"flags", A.FLAGS),
    (b"BINARY[1]", Binary((1,), False, -1, -1, b"BINARY[1]")),
    (b"binary.peek[1.2]<3.4>", Binary((1, 2), True, 3, 4, b"BINARY[1.2]<3>")),
    (b"BINARY[]<0.9>", Binary((), False, 0, 9, b"BINARY[]<0>")),
    (b"binary.size[10.3]", BinarySize((10, 3), b"BINARY.SIZE[10.3]")),
    (b"BINARY.SIZE[]", BinarySize((), b"BINARY.SIZE[]")),
    (b"PREVIEW", Preview(is_lazy=False)),
    (b"preview (lazy)", Preview(is_lazy=True)),
    (b"PREVIEW (LAZY LAZY)", Preview(is_lazy=True)),
    (b"RFC822", BodySection((), K.WHOLE, (), False, -1, -1, b"RFC822")),
    (b"RFC822.HEADER", BodySection((), K.HEADER, (), True, -1, -1, b"RFC822.HEADER")),
    (b"RFC822.TEXT", BodySection((), K.TEXT, (), False, -1, -1, b"RFC822.TEXT")),
    (b"BODY[]", BodySection((), K.WHOLE, (), False, -1, -1, b"BODY[]")),
    (b"body.peek[]", BodySection((), K.WHOLE, (), True, -1, -1, b"BODY[]")),
    (b"BODY[HEADER]", BodySection((), K.HEADER, (), False, -1, -1, b"BODY[HEADER]")),
    (b"BODY[text]", BodySection((), K.TEXT, (), False, -1, -1, b"BODY[TEXT]")),
    (b"BODY[1]", BodySection((1,), K.WHOLE, (), False, -1, -1, b"BODY[1]")),
    (b"BODY[4.2.10]", BodySection((4, 2, 10), K.WHOLE, (), False, -1, -1, b"BODY[4.2.10]")),
    (b"BODY[3.HEADER]", BodySection((3,), K.HEADER, (), False, -1, -1, b"BODY[3.HEADER]")),
    (b"BODY[3.1.TEXT]", BodySection((3, 1), K.TEXT, (), False, -1, -1, b"BODY[3.1.TEXT]")),
    (b"BODY[4.MIME]", BodySection((4,), K.MIME, (), False, -1, -1, b"BODY[4.MIME]")),
    (
        b"BODY.PEEK[HEADER.FIELDS (From X-Y from)]",
        BodySection(
            (), K.HEADER_FIELDS, NAMES, True, -1, -1, b"BODY[HEADER.FIELDS (From X-Y from)]"
        ),
    ),
    (
        b'BODY[2.HEADER.FIELDS.NOT ("From" "X-Y")]<10.20>',
        BodySection(
            (2,),
            K.HEADER_FIELDS_NOT,
            NAMES,
            False,
            10,
            20,
            b"BODY[2.HEADER.FIELDS.NOT (From X-Y)]<10>",
        ),
    ),
    (b"BODY[]<0.2048>", BodySection((), K.WHOLE, (), False, 0, 2048, b"BODY[]<0>")),
    (
        b"BODY[1]<007.4294967295>",
        BodySection((1,), K.WHOLE, (), False, 7, 2**32 - 1, b"BODY[1]<7>"),
    ),
]


@pytest.mark.parametrize(("text", "item"), ITEMS, ids=[repr(text) for text, _ in ITEMS])
def test_item(text: bytes, item: FetchItem) -> None:
    assert _fetch(text) == (item,)
    assert _fetch(b"(" + text + b")") == (item,)
    assert _fetch(b"(UID " + text + b" UID)") == tuple(dict.fromkeys((A.UID, item)))


@pytest.mark.parametrize(
    ("macro", "items"),
    [
        (b"FAST", (A.FLAGS, A.INTERNALDATE, A.SIZE)),
        (b"all", (A.FLAGS, A.INTERNALDATE, A.SIZE, A.ENVELOPE)),
        (b"FULL ", (A.FLAGS, A.INTERNALDATE, A.SIZE, A.ENVELOPE, A.BODY)),
    ],
)
def test_macro(macro: bytes, items: tuple[FetchItem, ...]) -> None:
    assert _fetch(macro) == items


def test_partial_is_known() -> None:
    whole, some = _fetch(b"(BODY[] BODY[]<0.1>)") or ()
    assert isinstance(whole, BodySection)
    assert isinstance(some, BodySection)
    assert (whole.is_partial, some.is_partial) == (False, True)


def test_a_field_name_may_be_a_literal() -> None:
    items = _fetch(b"BODY[HEADER.FIELDS ({3}\r\na b)]")
    assert items is not None
    assert isinstance(items[0], BodySection)
    assert items[0].label == b'BODY[HEADER.FIELDS ("a b")]'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"()",
        b"(FLAGS",
        b"FLAGS)",
        b"FLAGS UID",
        b"(FLAGS  UID)",
        b"(ALL)",
        b"(FAST UID)",
        b"FROB",
        b"BODY.PEEK",
        b"BODY[",
        b"BODY[0]",
        b"BODY[01]",
        b"BODY[1.]",
        b"BODY[.1]",
        b"BODY[1..2]",
        b"BODY[1TEXT]",
        b"BODY[.TEXT]",
        b"BODY[MIME]",
        b"BODY[FROB]",
        b"BODY[1.FROB]",
        b"BODY[HEADER.FIELDS]",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[HEADER.FIELDS (a]",
        b"BODY[HEADER (a)]",
        b"BODY[]<0>",
        b"BODY[]<0.0>",
        b"BODY[]<.1>",
        b"BODY[]<1.2",
        b"BINARY",
        b"BINARY.SIZE",
        b"BINARY[0]",
        b"BINARY[1.]",
        b"BINARY[.1]",
        b"BINARY[1",
        b"BINARY[1.TEXT]",
        b"BINARY[HEADER]",
        b"BINARY[1]<0>",
        b"BINARY[1]<0.0>",
        b"BINARY.SIZE[1]<0.1>",
        b"BINARY[" + b".".join([b"1"] * 101) + b"]",
        b"BINARY[" + b"1" * 60_000 + b"]",
        b"PREVIEW ()",
        b"PREVIEW (LAZY",
        b"PREVIEW (EAGER)",
        b"PREVIEW(LAZY)",
        b"PREVIEW LAZY",
        b"BODY[" + b".".join([b"1"] * 101) + b"]",
        b"(" + b" ".join(b"BODY[%d]" % number for number in range(1, 502)) + b")",
    ],
)
def test_what_is_no_item_is_bad(text: bytes) -> None:
    assert _fetch(text) is None
