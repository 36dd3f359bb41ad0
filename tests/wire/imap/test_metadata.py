"""Reading and telling annotations (RFC 5464 §5, RFC 9590 §5)."""

import pytest

from protocols.wire.imap import metadata
from protocols.wire.imap.commands import GetMetadata, Invalid, List, SetMetadata
from protocols.wire.imap.parser import parse

COMMANDS = [
    (b'a GETMETADATA "" /shared/admin', GetMetadata(b"a", "", ("/shared/admin",))),
    (
        b"a GETMETADATA (MAXSIZE 0 DEPTH Infinity) INBOX (/Private/A /private/a /shared)",
        GetMetadata(b"a", "INBOX", ("/private/a", "/shared"), "INFINITY", 0),
    ),
    (
        b'a getmetadata inbox (depth 1) ("/private/a b")',
        GetMetadata(b"a", "INBOX", ("/private/a b",), "1"),
    ),
    (
        b'a SETMETADATA &AOQ- (/shared/x NIL /shared/y "nil" /shared/z "" /shared/x "1")',
        SetMetadata(
            b"a", "\u00e4", (("/shared/x", b"1"), ("/shared/y", b"nil"), ("/shared/z", b""))
        ),
    ),
    (
        b"a SETMETADATA INBOX (/private/b ~{2}\r\n\0\r /private/c {1+}\r\n))",
        SetMetadata(b"a", "INBOX", (("/private/b", b"\0\r"), ("/private/c", b")"))),
    ),
]


@pytest.mark.parametrize(("text", "command"), COMMANDS)
def test_commands(text: bytes, command: GetMetadata | SetMetadata) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [
        b"a GETMETADATA INBOX",
        b"a GETMETADATA INBOX ()",
        b"a GETMETADATA (MAXSIZE) INBOX /shared/a",
        b"a GETMETADATA (MAXSIZE 4294967296) INBOX /shared/a",
        b"a GETMETADATA (DEPTH -1) INBOX /shared/a",
        b"a GETMETADATA (DEPTH 1) INBOX (DEPTH 1) /shared/a",
        b"a GETMETADATA () INBOX /shared/a",
        b"a GETMETADATA INBOX /shared/a /shared/b",
        # Letters that Unicode takes for those of "shared" and "private".
        'a GETMETADATA INBOX "/\u017fhared/a"'.encode(),
        'a GETMETADATA INBOX "/shared/\u212a"'.encode(),
        b"a GETMETADATA INBOX /shared/" + b"a" * 200,
        b"a GETMETADATA INBOX (" + b" ".join(b"/shared/%d" % n for n in range(101)) + b")",
        b"a SETMETADATA INBOX /shared/a NIL",
        b"a SETMETADATA INBOX (/shared/a)",
        b"a SETMETADATA INBOX (/shared/a 1)",
        b"a SETMETADATA INBOX (/shared NIL)",
        b"a SETMETADATA INBOX (/shared/a ~NIL)",
        b"a SETMETADATA INBOX (/shared/a {1}\r\n\0)",
        b'a LIST "" * RETURN (METADATA)',
        b'a LIST "" * RETURN (METADATA ())',
    ],
)
def test_what_cannot_be_read(text: bytes) -> None:
    command = parse(text)
    assert isinstance(command, Invalid)
    assert command.reply.status == "BAD"


def test_list_returns_entries_beside_all_else() -> None:
    command = parse(b'a LIST "" * RETURN (CHILDREN METADATA (/shared/A) STATUS (MESSAGES))')
    assert isinstance(command, List)
    assert command.entries == ("/shared/a",)
    assert command.status_items == ("MESSAGES",)
    assert command.return_options == {"CHILDREN"}


def test_what_is_told() -> None:
    values = [("/private/a b", b"x\0"), ("/shared/c", None), ("/shared/d", b'"')]
    assert metadata.metadata("\u00e4", values) == (
        b'* METADATA &AOQ- ("/private/a b" ~{2}\r\nx\0 /shared/c NIL /shared/d "\\"")\r\n'
    )
    assert metadata.metadata_changed("", ["/shared/a", "/shared/b"]) == (
        b'* METADATA "" /shared/a /shared/b\r\n'
    )
