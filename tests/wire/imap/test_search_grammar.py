"""Every SEARCH key, from the wire to its value (RFC 3501 §6.4.4, RFC 5032)."""

from datetime import date

import pytest

from protocols.wire.imap import search as s
from protocols.wire.imap.commands import Invalid, Search
from protocols.wire.imap.flags import Flag
from protocols.wire.imap.parser import parse
from protocols.wire.imap.responses import Tagged
from protocols.wire.imap.sequence_set import SequenceSet


def _program(text: bytes) -> s.SearchKey | Tagged:
    command = parse(b"a SEARCH " + text)
    if isinstance(command, Invalid):
        return command.reply
    assert isinstance(command, Search)
    return command.program


DAY = date(1994, 2, 1)
UNSEEN = s.FlagIs(Flag.SEEN, False)
FLAGGED = s.FlagIs(Flag.FLAGGED, True)

KEYS: list[tuple[bytes, s.SearchKey]] = [
    (b"ALL", s.Everything()),
    (b"ANSWERED", s.FlagIs(Flag.ANSWERED, True)),
    (b"BCC bob", s.HeaderHas("bcc", "bob")),
    (b"BEFORE 1-Feb-1994", s.ArrivedOn(s.When.BEFORE, DAY)),
    (b'BODY "a b"', s.BodyHas("a b")),
    (b"CC bob", s.HeaderHas("cc", "bob")),
    (b"DELETED", s.FlagIs(Flag.DELETED, True)),
    (b"DRAFT", s.FlagIs(Flag.DRAFT, True)),
    (b"FLAGGED", FLAGGED),
    (b"FUZZY TEXT x", s.Fuzzy(s.TextHas("x"))),
    (
        b"FUZZY (SEEN SUBJECT x)",
        s.Fuzzy(s.And((s.FlagIs(Flag.SEEN, True), s.HeaderHas("subject", "x")))),
    ),
    (b"from bob", s.HeaderHas("from", "bob")),
    (b'HEADER Message-ID "<x@y>"', s.HeaderHas("message-id", "<x@y>")),
    (b'HEADER X-Y ""', s.HeaderHas("x-y", "")),
    (b"KEYWORD $Junk", s.KeywordIs("$Junk", True)),
    (b"LARGER 4294967296", s.LargerThan(4294967296)),
    (b"NEW", s.And((s.IsRecent(), UNSEEN))),
    (b"NOT SEEN", s.Not(s.FlagIs(Flag.SEEN, True))),
    (b"OLD", s.Not(s.IsRecent())),
    (b'ON "01-feb-1994"', s.ArrivedOn(s.When.ON, DAY)),
    (b"OR UNSEEN FLAGGED", s.Or((UNSEEN, FLAGGED))),
    (b"RECENT", s.IsRecent()),
    (b"SEEN", s.FlagIs(Flag.SEEN, True)),
    (b"SENTBEFORE 1-Feb-1994", s.SentOn(s.When.BEFORE, DAY)),
    (b"SENTON 1-Feb-1994", s.SentOn(s.When.ON, DAY)),
    (b"SENTSINCE 1-Feb-1994", s.SentOn(s.When.SINCE, DAY)),
    (b"SINCE 1-Feb-1994", s.ArrivedOn(s.When.SINCE, DAY)),
    (b"SMALLER 0", s.SmallerThan(0)),
    (b"SUBJECT {3+}\r\na b", s.HeaderHas("subject", "a b")),
    (b"TEXT x", s.TextHas("x")),
    (b"TO bob", s.HeaderHas("to", "bob")),
    (b"UID 1:3,*", s.UidIn(SequenceSet(((1, 3), (0, 0))))),
    (b"UNANSWERED", s.FlagIs(Flag.ANSWERED, False)),
    (b"UNDELETED", s.FlagIs(Flag.DELETED, False)),
    (b"UNDRAFT", s.FlagIs(Flag.DRAFT, False)),
    (b"UNFLAGGED", s.FlagIs(Flag.FLAGGED, False)),
    (b"UNKEYWORD $Junk", s.KeywordIs("$Junk", False)),
    (b"UNSEEN", UNSEEN),
    (b"OLDER 86400", s.OlderThan(86400)),
    (b"YOUNGER 60", s.YoungerThan(60)),
    (b"2:4", s.NumberIn(SequenceSet(((2, 4),)))),
    (b"*", s.NumberIn(SequenceSet(((0, 0),)))),
    (b"UNSEEN FLAGGED ", s.And((UNSEEN, FLAGGED))),
    (b"(UNSEEN FLAGGED)", s.And((UNSEEN, FLAGGED))),
    (b"(((UNSEEN)))", UNSEEN),
    (
        b"OR (1 UNSEEN) NOT FLAGGED",
        s.Or((s.And((s.NumberIn(SequenceSet(((1, 1),))), UNSEEN)), s.Not(FLAGGED))),
    ),
    (b"OR OR UNSEEN FLAGGED OR ALL RECENT", s.Or((UNSEEN, FLAGGED, s.Everything(), s.IsRecent()))),
    (b'CHARSET utf-8 SUBJECT "\xc3\xa9"', s.HeaderHas("subject", "é")),
    (b"CHARSET US-ASCII SUBJECT x", s.HeaderHas("subject", "x")),
    (b'CHARSET "ISO-8859-1" SUBJECT {1}\r\n\xe9', s.HeaderHas("subject", "é")),
    (b'SUBJECT "\xc3\xa9"', s.HeaderHas("subject", "é")),
    (b'SUBJECT "\xe9"', s.HeaderHas("subject", "é")),
]


@pytest.mark.parametrize(("text", "program"), KEYS, ids=[repr(text) for text, _ in KEYS])
def test_key(text: bytes, program: s.SearchKey) -> None:
    assert _program(text) == program


BAD = [
    b"",
    b"FROB",
    b"()",
    b"(ALL",
    b"ALL)",
    b"ALL  SEEN",
    b"OR ALL",
    b"NOT",
    b"FROM",
    b"HEADER x",
    b"LARGER x",
    b"LARGER 9223372036854775808",
    b"OLDER 0",
    b"ON 31-Feb-1994",
    b"ON 1-Feb-94",
    b'ON "1-Feb-1994',
    b"KEYWORD \\Seen",
    b"UID x",
    b"0",
    b"CHARSET UTF-8",
    b'CHARSET UTF-8 SUBJECT "\xff"',
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_program_is_bad(text: bytes) -> None:
    reply = _program(text)
    assert isinstance(reply, Tagged)
    assert reply.status == "BAD"


def test_unknown_charset_names_those_known() -> None:
    reply = _program(b"CHARSET KLINGON SUBJECT x")
    assert isinstance(reply, Tagged)
    assert reply.status == "NO"
    assert reply.code.startswith(b"BADCHARSET (US-ASCII UTF-8")


@pytest.mark.parametrize(
    "text",
    [
        b"NOT " * 101 + b"ALL",
        b"(" * 101 + b"ALL" + b")" * 101,
        b"OR ALL " * 101 + b"ALL",
        b" ".join([b"ALL"] * 10_001),
    ],
)
def test_too_complex_is_refused(text: bytes) -> None:
    reply = _program(text)
    assert isinstance(reply, Tagged)
    assert (reply.status, reply.code) == ("NO", b"LIMIT")


@pytest.mark.parametrize(
    "text", [b"NOT " * 100 + b"ALL", b"OR ALL " * 100 + b"ALL", b" ".join([b"ALL"] * 10_000)]
)
def test_the_limit_itself_is_taken(text: bytes) -> None:
    assert not isinstance(_program(text), Tagged)


def test_relevancy_needs_something_fuzzy() -> None:
    assert isinstance(_program(b"RETURN (RELEVANCY) TEXT x"), Tagged)
    assert _program(b"RETURN (RELEVANCY) NOT FUZZY SEEN") == s.Not(
        s.Fuzzy(s.FlagIs(Flag.SEEN, True))
    )
    for text in (b"FUZZY", b"FUZZY ", b"FUZZYTEXT x", b"FUZZY FUZZ", b"FUZZY " * 101 + b"ALL"):
        assert isinstance(_program(text), Tagged)


def test_what_stands_behind_fuzzy_is_seen() -> None:
    program = s.Fuzzy(s.FilterNamed("x"))
    assert list(s.filter_names(program)) == ["x"]
    assert s.with_filters(program, {"x": s.TextHas("y")}) == s.Fuzzy(s.TextHas("y"))
    assert s.asks_numbers(s.Fuzzy(s.NumberIn(SequenceSet(((1, 1),)))))
