"""Wire line → value, for every command of POP3."""

import pytest

from protocols.wire.pop3 import commands as c


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"USER alice@a.test", c.User("alice@a.test")),
        (b"user  alice@a.test ", c.User("alice@a.test")),
        ("USER jürgen@a.test".encode(), c.User("jürgen@a.test")),
        (b"USER \xff", c.User("\ufffd")),
        (b"PASS secret", c.Pass("secret")),
        (b"PASS  two  spaces ", c.Pass(" two  spaces ")),
        (b"PASS \xff", c.Pass("\udcff")),
        (b"PASS", c.Pass("")),
        (b"AUTH PLAIN", c.Auth("PLAIN", None)),
        (b"AUTH plain AGEAYg==", c.Auth("plain", b"\0a\0b")),
        (b"AUTH plain =", c.Auth("plain", b"")),
        (b"APOP alice c4c9334bac560ecc979e58001b3e22fb", c.Apop()),
        (b"STLS", c.StartTls()),
        (b"CAPA", c.Capabilities()),
        (b"UTF8", c.Utf8()),
        (b"LANG", c.Language(None)),
        (b"lang es-MX", c.Language("es-MX")),
        (b"LANG \xff", c.Language("\ufffd")),
        (b"STAT", c.Status()),
        (b"STAT ", c.Status()),
        (b"LIST", c.ListSizes(None)),
        (b"list 007", c.ListSizes(7)),
        (b"UIDL", c.ListUids(None)),
        (b"UIDL 3", c.ListUids(3)),
        (b"RETR 999999999", c.Retrieve(999_999_999)),
        (b"RETR 4294967297", c.Retrieve(4_294_967_297)),
        (b"TOP 1 0", c.Top(1, 0)),
        (b"TOP 1 99999999999", c.Top(1, 99_999_999_999)),
        (b"DELE 2", c.Delete(2)),
        (b"RSET", c.Reset()),
        (b"NOOP", c.Noop()),
        (b"NOOP anything", c.Noop()),
        (b"QUIT", c.Quit()),
    ],
)
def test_lines_become_commands(line: bytes, command: c.Command) -> None:
    assert c.parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" STAT",
        b"XYZZY",
        b"USER",
        b"USER  ",
        b"AUTH",
        b"AUTH PLAIN a b",
        b"AUTH PLAIN ?",
        b"STLS now",
        b"CAPA x",
        b"UTF8 please",
        b"LANG en es",
        b"STAT 1",
        b"LIST 1 2",
        b"RETR",
        b"RETR 0",
        b"RETR -1",
        b"RETR +1",
        b"RETR 1x",
        b"RETR " + b"1" * 41,
        b"RETR \xd9\xa1",  # a digit, but not one of ASCII
        b"DELE one",
        b"TOP 1",
        b"TOP 1 2 3",
        b"RSET 1",
        b"\x00\xff",
    ],
)
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(c.BadCommand):
        c.parse(line)


def test_secrets_do_not_show() -> None:
    values = [
        *(c.Pass("secret"), c.Login("alice", "secret")),
        *(c.Auth("PLAIN", b"secret"), c.AuthAnswer(b"secret")),
    ]
    assert "secret" not in repr(values)
