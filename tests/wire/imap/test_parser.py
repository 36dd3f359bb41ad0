"""Wire line → value, for every command (RFC 3501 §6 and the extensions announced)."""

import pytest

from protocols.wire.imap.append_grammar import parse_append, parse_more
from protocols.wire.imap.commands import (
    Append,
    AppendEnd,
    AppendMore,
    Authenticate,
    Capability,
    Check,
    Close,
    Command,
    Compress,
    Copy,
    Create,
    Delete,
    Enable,
    Expunge,
    Fetch,
    Id,
    Idle,
    Invalid,
    List,
    Login,
    Logout,
    Move,
    Namespace,
    NewMessage,
    Noop,
    Rename,
    Replace,
    Search,
    Select,
    Sort,
    StartTls,
    Status,
    Store,
    StoreMode,
    Subscribe,
    Unauthenticate,
    Unselect,
    Unsubscribe,
    Url,
)
from protocols.wire.imap.dialect import REV1, Dialect
from protocols.wire.imap.fetch_items import FAST, Attribute
from protocols.wire.imap.flags import Flag
from protocols.wire.imap.options import Page, Resync
from protocols.wire.imap.parser import parse
from protocols.wire.imap.search import Everything, FlagIs, ModseqFrom, NumberIn
from protocols.wire.imap.sequence_set import SAVED, SequenceSet

NONE: frozenset[str] = frozenset()
SEVEN = SequenceSet(((7, 7),))
NINE = SequenceSet(((1, 5), (9, 9)))

COMMANDS: list[tuple[bytes, Command]] = [
    (b"a CAPABILITY", Capability(b"a")),
    (b"a.1]x NOOP", Noop(b"a.1]x")),
    (b"a noop", Noop(b"a")),
    (b"a NOOP  ", Noop(b"a")),
    (b"a LOGOUT", Logout(b"a")),
    (b"a STARTTLS", StartTls(b"a")),
    (b"a LOGIN alice secret", Login(b"a", "alice", "secret")),
    (b'a LOGIN "alice" "a\\"b\\\\c"', Login(b"a", "alice", 'a"b\\c')),
    (b'a LOGIN "" ""', Login(b"a", "", "")),
    (b"a LOGIN {5}\r\nalice {3+}\r\na b", Login(b"a", "alice", "a b")),
    (b"a LOGIN a]b c]d", Login(b"a", "a]b", "c]d")),
    ('a LOGIN é "ü"'.encode(), None),
    ('a LOGIN "é" "ü"'.encode(), Login(b"a", "é", "ü")),
    (b'a LOGIN "\xe9" x', Login(b"a", "é", "x")),
    (b"a AUTHENTICATE plain", Authenticate(b"a", "PLAIN", None)),
    (b"a AUTHENTICATE PLAIN =", Authenticate(b"a", "PLAIN", b"")),
    (b"a AUTHENTICATE PLAIN AGEAYg==", Authenticate(b"a", "PLAIN", b"\0a\0b")),
    (b"a ID NIL", Id(b"a", ())),
    (b"a ID ()", Id(b"a", ())),
    (b'a ID ("name" "mutt" "os" NIL)', Id(b"a", (("name", "mutt"), ("os", None)))),
    (b"a COMPRESS deflate", Compress(b"a", "DEFLATE")),
    (b"a ENABLE CONDSTORE x-y", Enable(b"a", ("CONDSTORE", "X-Y"))),
    (b"a SELECT inbox", Select(b"a", "INBOX", is_read_only=False)),
    (b'a EXAMINE "Sent Items"', Select(b"a", "Sent Items", is_read_only=True)),
    (b"a SELECT x (condstore)", Select(b"a", "x", False, True)),
    (b"a SELECT x (QRESYNC (7 12))", Select(b"a", "x", False, False, Resync(7, 12, None))),
    (
        b"a EXAMINE x (QRESYNC (7 9223372036854775807 1:5,9 (1,3 2,4)) CONDSTORE)",
        Select(b"a", "x", True, True, Resync(7, 2**63 - 1, NINE, has_numbers=True)),
    ),
    (
        b"a SELECT x (QRESYNC (7 12 (1 2)))",
        Select(b"a", "x", False, False, Resync(7, 12, None, has_numbers=True)),
    ),
    (b"a SELECT &ZeVnLIqe-", Select(b"a", "日本語", is_read_only=False)),
    (b"a SELECT R&-D", Select(b"a", "R&D", is_read_only=False)),
    (b"a CREATE work/2024/", Create(b"a", "work/2024", ())),
    (b"a CREATE Out (USE (\\sent \\Sent))", Create(b"a", "Out", ("\\Sent",))),
    (b"a CREATE Out (USE (\\Odd))", Create(b"a", "Out", ("\\Odd",))),
    (b"a CREATE Out (USE ())", Create(b"a", "Out", ())),
    (b"a DELETE work", Delete(b"a", "work")),
    (b"a RENAME Inbox old", Rename(b"a", "INBOX", "old")),
    (b"a SUBSCRIBE #news", Subscribe(b"a", "#news")),
    (b"a UNSUBSCRIBE work", Unsubscribe(b"a", "work")),
    (b'a LIST "" *', List(b"a", "", ("*",), NONE, NONE, False, False)),
    (b'a LIST "" ""', List(b"a", "", ("",), NONE, NONE, False, False)),
    (b'a LIST work/ "%"', List(b"a", "work/", ("%",), NONE, NONE, False, False)),
    (b'a LIST "" {1}\r\n%', List(b"a", "", ("%",), NONE, NONE, False, False)),
    (b'a LSUB "" a*%]', List(b"a", "", ("a*%]",), NONE, NONE, True, False)),
    (
        b'a LIST (SPECIAL-USE) "" "*"',
        List(b"a", "", ("*",), frozenset({"SPECIAL-USE"}), NONE, False, True),
    ),
    (b'a LIST () "" "*"', List(b"a", "", ("*",), NONE, NONE, False, True)),
    (
        b'a LIST (subscribed RECURSIVEMATCH) "" (a% "b c") RETURN (CHILDREN SPECIAL-USE)',
        List(
            b"a",
            "",
            ("a%", "b c"),
            frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}),
            frozenset({"CHILDREN", "SPECIAL-USE"}),
            False,
            True,
        ),
    ),
    (b"a NAMESPACE", Namespace(b"a")),
    (
        b"a STATUS INBOX (UIDNEXT messages UIDNEXT)",
        Status(b"a", "INBOX", ("UIDNEXT", "MESSAGES")),
    ),
    (
        b"a STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)",
        Status(b"a", "x", ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN")),
    ),
    (b"a IDLE", Idle(b"a")),
    (b"a CHECK", Check(b"a")),
    (b"a CLOSE", Close(b"a")),
    (b"a UNSELECT", Unselect(b"a")),
    (b"a unauthenticate", Unauthenticate(b"a")),
    (b"a EXPUNGE", Expunge(b"a", None)),
    (b"a UID EXPUNGE 3:7", Expunge(b"a", SequenceSet(((3, 7),)))),
    (b"a SEARCH ALL", Search(b"a", Everything(), False, None)),
    (
        b"a UID SEARCH RETURN (MIN count) UNSEEN",
        Search(b"a", FlagIs(Flag.SEEN, False), True, frozenset({"MIN", "COUNT"})),
    ),
    (b"a SEARCH RETURN () ALL", Search(b"a", Everything(), False, frozenset())),
    (
        b"a FETCH 7 (FLAGS) (CHANGEDSINCE 12)",
        Fetch(b"a", SEVEN, (Attribute.FLAGS, Attribute.MODSEQ), False, 12),
    ),
    (
        b"a UID FETCH 7 FAST (changedsince 12 VANISHED)",
        Fetch(b"a", SEVEN, (Attribute.UID, *FAST, Attribute.MODSEQ), True, 12, True),
    ),
    (
        b"a STORE 7 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\Seen)",
        Store(b"a", SEVEN, StoreMode.ADD, Flag.SEEN, (), True, False, 12),
    ),
    (b"a SEARCH MODSEQ 12", Search(b"a", ModseqFrom(12), False, None)),
    (
        b'a SEARCH MODSEQ "/flags/\\\\Seen" all 12',
        Search(b"a", ModseqFrom(12), False, None),
    ),
    (b"a SEARCH RETURN (save) $", Search(b"a", NumberIn(SAVED), False, frozenset(("SAVE",)))),
    (b"a SEARCH RETURN (PARTIAL 3:1) ALL", Search(b"a", Everything(), False, NONE, Page(3, 1))),
    (
        b"a UID FETCH $ UID (PARTIAL -1:-3)",
        Fetch(b"a", SAVED, (Attribute.UID,), True, page=Page(-1, -3)),
    ),
    (
        b'a LIST "" % RETURN (STATUS (SIZE DELETED))',
        List(b"a", "", ("%",), NONE, NONE, False, True, ("SIZE", "DELETED")),
    ),
    (b"a STATUS x (HIGHESTMODSEQ)", Status(b"a", "x", ("HIGHESTMODSEQ",))),
    (b"a FETCH 1,3:* FLAGS", Fetch(b"a", SequenceSet(((1, 1), (3, 0))), (Attribute.FLAGS,), False)),
    (
        b"a uid fetch 7 flags",
        Fetch(b"a", SequenceSet(((7, 7),)), (Attribute.UID, Attribute.FLAGS), True),
    ),
    (
        b"a UID FETCH 7 (FLAGS UID)",
        Fetch(b"a", SequenceSet(((7, 7),)), (Attribute.FLAGS, Attribute.UID), True),
    ),
    (
        b"a STORE 2:4 +FLAGS (\\Deleted)",
        Store(b"a", SequenceSet(((2, 4),)), StoreMode.ADD, 8, (), False, False),
    ),
    (
        b"a UID STORE 2 -flags.silent \\Seen $Junk \\draft $Junk",
        Store(b"a", SequenceSet(((2, 2),)), StoreMode.REMOVE, 17, ("$Junk",), True, True),
    ),
    (
        b"a STORE 1 FLAGS ()",
        Store(b"a", SequenceSet(((1, 1),)), StoreMode.SET, 0, (), False, False),
    ),
    (b"a COPY 2:4 MEETING", Copy(b"a", SequenceSet(((2, 4),)), "MEETING", False)),
    (b"a UID COPY 2 inbox", Copy(b"a", SequenceSet(((2, 2),)), "INBOX", True)),
    (b"a MOVE * Trash", Move(b"a", SequenceSet(((0, 0),)), "Trash", False)),
    (b"a UID MOVE 2 Trash", Move(b"a", SequenceSet(((2, 2),)), "Trash", True)),
]


@pytest.mark.parametrize(("line", "value"), COMMANDS, ids=[repr(line) for line, _ in COMMANDS])
def test_command(line: bytes, value: Command | None) -> None:
    command = parse(line)
    if value is None:
        assert isinstance(command, Invalid)
    else:
        assert command == value


BAD = [
    (b"", b"*"),
    (b"NOOP", b"NOOP"),
    (b" NOOP", b"*"),
    (b"a+ NOOP", b"*"),
    (b"(a NOOP", b"*"),
    (b"\xff NOOP", b"*"),
    (b"a", b"a"),
    (b"a ", b"a"),
    (b"a FROB", b"a"),
    (b"a NOOP now", b"a"),
    (b"a NOOP\tx", b"a"),
    (b"a NOOPS", b"a"),
    (b"a LOGIN alice", b"a"),
    (b"a LOGIN alice ", b"a"),
    (b"a LOGIN alice secret more", b"a"),
    (b'a LOGIN alice "secret', b"a"),
    (b'a LOGIN alice "sec\\ret"', b"a"),
    (b"a LOGIN alice {3}\r\na\0b", b"a"),
    (b"a LOGIN alice {9}\r\nabc", b"a"),
    (b"a LOGIN alice {x}", b"a"),
    (b"a LOGIN (alice) x", b"a"),
    (b"a AUTHENTICATE", b"a"),
    (b"a AUTHENTICATE PLAIN ***", b"a"),
    (b"a AUTHENTICATE PLAIN abc", b"a"),
    (b"a ID", b"a"),
    (b'a ID "x"', b"a"),
    (b'a ID ("name")', b"a"),
    (b'a ID ("' + b"n" * 31 + b'" "x")', b"a"),
    (b'a ID ("n" "' + b"x" * 1025 + b'")', b"a"),
    (b"a ID (" + b" ".join([b'"n" "v"'] * 31) + b")", b"a"),
    (b"a ENABLE", b"a"),
    (b"a SELECT", b"a"),
    (b"a SELECT a b", b"a"),
    (b"a SELECT a*", b"a"),
    (b"a SELECT INBOX CONDSTORE", b"a"),
    (b"a SELECT INBOX ()", b"a"),
    (b"a SELECT INBOX (CONDSTORE", b"a"),
    (b"a SELECT INBOX (ODD)", b"a"),
    (b"a SELECT INBOX (QRESYNC)", b"a"),
    (b"a SELECT INBOX (QRESYNC (1))", b"a"),
    (b"a SELECT INBOX (QRESYNC (1 9223372036854775808))", b"a"),
    (b"a SELECT INBOX (QRESYNC (1 2 1:*))", b"a"),
    (b"a SELECT INBOX (QRESYNC (1 2 1:3 (1:2)))", b"a"),
    (b"a FETCH 1 FLAGS (CHANGEDSINCE)", b"a"),
    (b"a FETCH 1 FLAGS (CHANGEDSINCE -1)", b"a"),
    (b"a FETCH 1 (FLAGS) (CHANGEDSINCE 1 ODD)", b"a"),
    (b"a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", b"a"),
    (b"a UID FETCH 1 FLAGS (VANISHED)", b"a"),
    (b"a FETCH 1 (CHANGEDSINCE 1)", b"a"),
    (b"a FETCH $,1 FLAGS", b"a"),
    (b"a FETCH 1 FLAGS (PARTIAL 0:1)", b"a"),
    (b"a SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL", b"a"),
    (b"a SEARCH RETURN (PARTIAL 1) ALL", b"a"),
    (b"a SELECT x (QRESYNC (1 2 $))", b"a"),
    (b"a REPLACE 1 x", b"a"),
    (b"a REPLACE x y", b"a"),
    (b"a UID REPLACE 1 x hello", b"a"),
    (b"a SEARCH MODSEQ", b"a"),
    (b"a SEARCH MODSEQ 9223372036854775808", b"a"),
    (b'a SEARCH MODSEQ "/flags/\\\\Odd" all 1', b"a"),
    (b'a SEARCH MODSEQ "/flags/x" odd 1', b"a"),
    (b"a STORE 1 () FLAGS (\\Seen)", b"a"),
    (b"a STORE 1 (UNCHANGEDSINCE) FLAGS (\\Seen)", b"a"),
    (b"a STORE 1 (UNCHANGEDSINCE 1)FLAGS (\\Seen)", b"a"),
    (b"a CREATE x (FROB)", b"a"),
    (b"a CREATE x (USE (Sent))", b"a"),
    (b"a CREATE x (USE (\\Sent)", b"a"),
    (b"a RENAME a", b"a"),
    (b'a LIST ""', b"a"),
    (b'a LIST (FROB) "" *', b"a"),
    (b'a LIST (RECURSIVEMATCH) "" *', b"a"),
    (b'a LIST "" * RETURN', b"a"),
    (b'a LIST "" * RETURN (FROB)', b"a"),
    (b'a LIST "" ()', b"a"),
    (b'a LIST "" (' + b" ".join([b"x"] * 101) + b")", b"a"),
    (b'a LSUB "" * RETURN (CHILDREN)', b"a"),
    (b"a STATUS x", b"a"),
    (b"a STATUS x ()", b"a"),
    (b"a STATUS x (FROB)", b"a"),
    (b"a STATUS x MESSAGES", b"a"),
    (b"a APPEND x", b"a"),
    (b'a APPEND x (\\Seen) "hello"', b"a"),
    (b"a APPEND x hello", b"a"),
    (b"a UID", b"a"),
    (b"a UID NOOP", b"a"),
    (b"a UID EXPUNGE", b"a"),
    (b"a SEARCH", b"a"),
    (b"a FETCH", b"a"),
    (b"a FETCH 0 FLAGS", b"a"),
    (b"a FETCH 1: FLAGS", b"a"),
    (b"a FETCH 1,,2 FLAGS", b"a"),
    (b"a FETCH 4294967296 FLAGS", b"a"),
    (b"a FETCH 12345678901 FLAGS", b"a"),
    (b"a FETCH 1", b"a"),
    (b"a STORE 1 FLAG \\Seen", b"a"),
    (b"a STORE 1 FLAGS", b"a"),
    (b"a STORE 1 FLAGS \\Recent", b"a"),
    (b"a STORE 1 FLAGS (\\Odd)", b"a"),
    (b"a STORE 1 FLAGS (\\Seen", b"a"),
    (b"a STORE 1 FLAGS \\*", b"a"),
    (b"a COPY 1", b"a"),
]


@pytest.mark.parametrize(("line", "tag"), BAD, ids=[repr(line)[:60] for line, _ in BAD])
def test_what_is_not_a_command_is_bad(line: bytes, tag: bytes) -> None:
    command = parse(line)
    assert isinstance(command, Invalid)
    assert (command.tag, command.reply.tag, command.reply.status) == (tag, tag, "BAD")


@pytest.mark.parametrize("name", [b"R&D", b"&AGE-", b'"\xc3\xa9"', b"&ZeU-&ZyyKng-", b"&AAA-"])
def test_folder_names_must_be_modified_utf7(name: bytes) -> None:
    command = parse(b"a SELECT " + name)
    assert isinstance(command, Invalid)
    assert (command.reply.status, command.reply.code) == ("NO", b"CANNOT")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b'"Entw\xc3\xbcrfe"', "Entwürfe"),
        (b"{3+}\r\n\xe6\x97\xa5", "日"),
        (b"R&D", "R&D"),
        (b"Entw&APw-rfe", "Entw&APw-rfe"),
        (b'"\xf0\x9f\x90\x88"', "🐈"),
    ],
)
def test_folder_names_in_utf8(name: bytes, value: str) -> None:
    assert parse(b"a SELECT " + name, Dialect.UTF8) == Select(b"a", value, False)
    append = parse_append(b"a APPEND " + name + b" {5}", Dialect.UTF8)
    assert append == Append(b"a", value, 0, (), None, 0, 5)
    listed = parse(b'a LIST "" ' + name, Dialect.UTF8)
    assert isinstance(listed, List)
    assert listed.patterns == (value,)


@pytest.mark.parametrize("dialect", [REV1, Dialect.UTF8])
def test_a_pattern_is_inbox_only_with_its_reference(dialect: Dialect) -> None:
    assert parse(b"a SELECT inbox", dialect) == Select(b"a", "INBOX", False)
    append = parse_append(b"a APPEND inbox {5}", dialect)
    assert append == Append(b"a", "INBOX", 0, (), None, 0, 5)
    listed = parse(b"a LIST Inbox inbox", dialect)
    assert isinstance(listed, List)
    assert (listed.reference, listed.patterns) == ("Inbox", ("inbox",))


NO_UTF8 = [
    *(b"\xff", b"caf\xe9", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80"),
    *(b"\xf4\x90\x80\x80", b"\xe6\x97", b"\x80"),
]


@pytest.mark.parametrize("octets", NO_UTF8)
def test_what_is_no_utf8_is_no_name_and_no_text(octets: bytes) -> None:
    for line in (b'a SELECT "%b"', b'a LIST "" "%b"', b'a RENAME x "%b"', b'a COPY 1 "%b"'):
        command = parse(line % octets, Dialect.UTF8)
        assert isinstance(command, Invalid)
        assert (command.reply.status, command.leaves_folder) == ("BAD", False)
    # Any octets may stand in a literal, but these are no name.
    command = parse(b"a SELECT {%d+}\r\n%b" % (len(octets), octets), Dialect.UTF8)
    assert isinstance(command, Invalid)
    assert (command.reply.status, command.reply.code) == ("NO", b"CANNOT")
    assert command.leaves_folder
    command = parse(b'a SEARCH SUBJECT "%b"' % octets, Dialect.UTF8)
    assert isinstance(command, Invalid)
    assert command.reply.status == "BAD"


def test_with_utf8_accept_there_is_no_charset() -> None:
    dialect = Dialect.UTF8 | Dialect.UTF8_ACCEPT
    command = parse(b"a SEARCH CHARSET UTF-8 ALL", dialect)
    assert isinstance(command, Invalid)
    assert command.reply.status == "BAD"
    assert isinstance(parse(b"a SEARCH CHARSET UTF-8 ALL", Dialect.UTF8), Search)
    # RFC 5256 §5 gives SORT no way to leave it out.
    assert isinstance(parse(b"a SORT (DATE) UTF-8 ALL", dialect), Sort)


APPENDS = [
    (b"a APPEND inbox {310}", Append(b"a", "INBOX", 0, (), None, 0, 310)),
    (b'a append "x y" {0+}', Append(b"a", "x y", 0, (), None, 0, 0)),
    (b"a APPEND x ~{5}", Append(b"a", "x", 0, (), None, 0, 5, is_binary=True)),
    (b"a APPEND x (\\Seen) ~{5+}", Append(b"a", "x", 1, (), None, 0, 5, is_binary=True)),
    (b"a APPEND x () {1}", Append(b"a", "x", 0, (), None, 0, 1)),
    (
        b'a APPEND {1}\r\nx (\\Seen $Old \\Recent) " 7-feb-1994 21:52:25 -0830" {9+}',
        Append(b"a", "x", 1, ("$Old",), 760688545, -510, 9),
    ),
    (
        b'a APPEND x "01-Jan-1970 01:00:60 +0100" {4294967295}',
        Append(b"a", "x", 0, (), 59, 60, 4294967295),
    ),
]


@pytest.mark.parametrize(("line", "value"), APPENDS)
def test_append(line: bytes, value: Append) -> None:
    assert parse_append(line) == value


def test_an_append_that_says_utf8() -> None:
    accept = Dialect.UTF8 | Dialect.UTF8_ACCEPT
    value = Append(b"a", "é", 1, (), None, 0, 9, is_binary=True, is_wrapped=True)
    assert parse_append(b'a APPEND "\xc3\xa9" (\\Seen) utf8 (~{9+}', accept) == value
    for line in (b"a APPEND x UTF8 ({9}", b"a APPEND x UTF8 ~{9}", b"a APPEND x UTF8 (~{9}"):
        assert isinstance(parse_append(line, Dialect.UTF8), Invalid)
    for line in (b"a APPEND x UTF8 ({9}", b"a APPEND x UTF8 ~{9}", b"a APPEND x UTF8(~{9}"):
        assert isinstance(parse_append(line, accept), Invalid)


@pytest.mark.parametrize("line", [b"a APPEND {5}", b"a LOGIN x {5}", b"a APPENDIX {5}", b"{5}"])
def test_other_literals_are_no_message(line: bytes) -> None:
    assert parse_append(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"a APPEND x ~ {5}",
        b"a APPEND x CATENATE {5}",
        b"a APPEND x (\\Odd) {5}",
        b"a APPEND x (\\Seen){5}",
        b'a APPEND x "31-Feb-1994 00:00:00 +0000" {5}',
        b'a APPEND x "01-Foo-1994 00:00:00 +0000" {5}',
        b'a APPEND x "01-Jan-1994 24:00:00 +0000" {5}',
        b'a APPEND x "01-Jan-1994 00:00:00 +0060" {5}',
        b'a APPEND x "01-Jan-1994 00:00:00 +2400" {5}',
        b'a APPEND x "01-Jan-0001 00:00:00 +0000" {5}',
        b'a APPEND x "1-Jan-1994 00:00:00 +0000" {5}',
        b"a APPEND x {5} {5}",
    ],
)
def test_append_that_cannot_be(line: bytes) -> None:
    assert isinstance(parse_append(line), Invalid)


def test_credentials_are_not_shown() -> None:
    shown = repr(parse(b"a LOGIN alice sesame")) + repr(parse(b"a AUTHENTICATE PLAIN c2VzYW1l"))
    assert "sesame" not in shown


MORE = [
    (b" {310}", AppendMore(b"a", (NewMessage(0, (), None, 0),), 310)),
    (b" ~{5+}", AppendMore(b"a", (NewMessage(0, (), None, 0),), 5, is_binary=True)),
    (
        b' (\\Seen $Old) "01-Jan-1970 01:00:00 +0100" {9+}',
        AppendMore(b"a", (NewMessage(1, ("$Old",), 0, 60),), 9),
    ),
]


@pytest.mark.parametrize(("line", "value"), MORE)
def test_another_message_of_an_append(line: bytes, value: AppendMore) -> None:
    assert parse_more(b"a", line) == value


@pytest.mark.parametrize(
    "line",
    [b"{5}", b"  {5}", b" INBOX {5}", b" (\\Odd) {5}", b" (\\Seen{5}", b" ()", b" {5} {5}", b" x"],
)
def test_what_is_no_other_message(line: bytes) -> None:
    assert isinstance(parse_more(b"a", line), Invalid)


URL = Url(b"/x/;UID=1")
PLAIN = NewMessage(0, (), None, 0)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (
            b"a APPEND x (\\Seen) CATENATE (TEXT {5+}",
            Append(b"a", "x", 1, (), None, 0, 5, is_catenated=True),
        ),
        (
            b'a APPEND x catenate (URL /x/;UID=1 url "/x/;UID=1" TEXT ~{5}',
            Append(
                *(b"a", "x", 0, (), None, 0, 5),
                is_binary=True,
                is_catenated=True,
                steps=(URL, URL),
            ),
        ),
        (
            b"a APPEND x CATENATE (URL /x/;UID=1) (\\Seen) {7}",
            Append(b"a", "x", 0, (), None, 0, 7, steps=(URL, NewMessage(1, (), None, 0))),
        ),
        (b"a APPEND x CATENATE (URL {9}", None),
        (b"a APPEND x CATENATE (URL {9+}\r\n/x/;UID=1 URL {9}", None),
    ],
)
def test_catenate(line: bytes, value: Append | None) -> None:
    assert parse_append(line) == value


def test_catenate_without_a_literal() -> None:
    line = b"a APPEND x CATENATE (URL /x/;UID=1) CATENATE (URL {9+}\r\n/x/;UID=1)"
    assert parse(line) == Append(
        *(b"a", "x", 0, (), None, 0, 0),
        is_catenated=True,
        has_literal=False,
        steps=(URL, PLAIN, URL),
    )
    replace = parse(b"a UID REPLACE 4 x CATENATE (URL /x/;UID=1)")
    assert isinstance(replace, Replace)
    assert (replace.number, replace.is_uid, replace.steps) == (4, True, (URL,))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b")", AppendEnd(b"a")),
        (b" URL /x/;UID=1) ", AppendEnd(b"a", (URL,))),
        (b" URL /x/;UID=1 TEXT {3}", AppendMore(b"a", (URL,), 3, is_catenated=True)),
        (b") {3}", AppendMore(b"a", (PLAIN,), 3)),
        (
            b" URL /x/;UID=1) CATENATE (URL /x/;UID=1 TEXT {3}",
            AppendMore(b"a", (URL, PLAIN, URL), 3, is_catenated=True),
        ),
        (b" URL {9}", None),
    ],
)
def test_more_of_a_catenation(line: bytes, value: AppendMore | AppendEnd | None) -> None:
    assert parse_more(b"a", line, is_catenated=True) == value


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b" )",
        b"TEXT {3}",
        b" TEXT",
        b" TEXT x",
        b" URL",
        b" URL /x/;UID=1",
        b" URL /x/;UID=1  TEXT {3}",
        b" FILE x)",
        b" TEXT {3} {4}",
        b") CATENATE ()",
        b") x",
        b")) {3}",
    ],
)
def test_what_does_not_go_on_with_a_catenation(line: bytes) -> None:
    assert isinstance(parse_more(b"a", line, is_catenated=True), Invalid)


@pytest.mark.parametrize(
    "line",
    [
        b"a APPEND x CATENATE",
        b"a APPEND x CATENATE ()",
        b"a APPEND x CATENATE (URL /x/;UID=1",
        b"a APPEND x CATENATE URL /x/;UID=1",
        b"a APPEND x CATENATE (TEXT abc)",
        b"a REPLACE 1 x CATENATE (",
        b"a REPLACE 0 x CATENATE (URL /x/;UID=1)",
    ],
)
def test_catenate_that_cannot_be(line: bytes) -> None:
    assert isinstance(parse(line), Invalid)
