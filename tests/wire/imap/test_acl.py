"""The commands and responses of RFC 4314 on the wire."""

import time

import pytest

from protocols.wire.imap import acl
from protocols.wire.imap.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from protocols.wire.imap.commands import Invalid, List
from protocols.wire.imap.parser import parse

COMMANDS = [
    (b"a SETACL inbox bob@a.test lrs", SetAcl(b"a", "INBOX", "bob@a.test", "", "lrs")),
    (b'a setacl Work "anyone" +cd', SetAcl(b"a", "Work", "anyone", "+", "cd")),
    (b"a SETACL Work -bob@a.test -w", SetAcl(b"a", "Work", "-bob@a.test", "-", "w")),
    (b'a SETACL Work x ""', SetAcl(b"a", "Work", "x", "", "")),
    (b"a SETACL Work x +", SetAcl(b"a", "Work", "x", "+", "")),
    (b"a SETACL {4+}\r\nWork {1+}\r\nx {2+}\r\nlr", SetAcl(b"a", "Work", "x", "", "lr")),
    # Full-width letters are the plain ones (RFC 4314 §3).
    ('a SETACL Work "\uff42ob" l'.encode(), SetAcl(b"a", "Work", "bob", "", "l")),
    (b"a DELETEACL Work -anyone", DeleteAcl(b"a", "Work", "-anyone")),
    (b"a GETACL Work", GetAcl(b"a", "Work")),
    (b"a LISTRIGHTS R&-D Bob", ListRights(b"a", "R&D", "Bob")),
    (b"a MYRIGHTS inbox", MyRights(b"a", "INBOX")),
]


@pytest.mark.parametrize(("text", "command"), COMMANDS)
def test_commands(text: bytes, command: object) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [
        b"a SETACL Work bob",
        b"a SETACL Work bob lrQ",
        b"a SETACL Work bob l5",
        b"a SETACL Work bob lrn",
        b"a SETACL Work bob +-l",
        b"a SETACL Work bob l r",
        b'a SETACL Work "" l',
        b"a SETACL Work - l",
        b'a SETACL Work "bob\x00" l',
        b'a SETACL Work "bob\x1b" l',
        b'a SETACL Work "bob\xff" l',
        'a SETACL Work "bob\u202e" l'.encode(),
        b"a SETACL Work " + b"x" * 401 + b" l",
        b"a DELETEACL Work",
        b"a GETACL",
        b"a GETACL Work bob",
        b"a LISTRIGHTS Work",
        b"a MYRIGHTS",
    ],
)
def test_what_cannot_be_meant(text: bytes) -> None:
    assert isinstance(parse(text), Invalid)


def test_list_may_return_rights() -> None:
    command = parse(b'a LIST "" % RETURN (MYRIGHTS CHILDREN)')
    assert isinstance(command, List)
    assert command.return_options == {"MYRIGHTS", "CHILDREN"}


def test_responses() -> None:
    entries = [("alice@a.test", "lr"), ("-anyone", ""), ('a"b c', "w")]
    assert acl.acl("R&D", entries) == (b'* ACL R&-D alice@a.test lr -anyone "" "a\\"b c" w\r\n')
    assert acl.acl("Work", []) == b"* ACL Work\r\n"
    assert acl.list_rights("Work", "bob", "", ("l", "r")) == b'* LISTRIGHTS Work bob "" l r\r\n'
    assert acl.list_rights("Work", "bob", "lr", ()) == b"* LISTRIGHTS Work bob lr\r\n"
    assert acl.my_rights("A b", "lr") == b'* MYRIGHTS "A b" lr\r\n'


def test_an_identifier_of_marks_is_not_put_in_order() -> None:
    octets = ("a" + "\u0300\u0316" * 16_000).encode()
    begun = time.process_time()
    assert isinstance(parse(b"a SETACL Work {%d+}\r\n%b l" % (len(octets), octets)), Invalid)
    # Half a second and more by Python alone, in which no other thread can do anything.
    assert time.process_time() - begun < 0.1
