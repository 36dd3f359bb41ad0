"""Whatever octets a client sends: an answer or nothing, never an exception or a hang."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import clean_slate
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = st.sampled_from(
    [
        *(b"FETCH", b"UID", b"STORE", b"SEARCH", b"COPY", b"MOVE", b"EXPUNGE", b"NOOP", b"IDLE"),
        *(b"SELECT", b"EXAMINE", b"STATUS", b"LIST", b"LSUB", b"APPEND", b"CREATE", b"DELETE"),
        *(b"RENAME", b"CLOSE", b"UNSELECT", b"DONE", b"INBOX", b"Sent", b"a/b", b'""', b"*", b"%"),
        *(b"1", b"1:*", b"2,1:3", b"*:5", b"999", b"0", b"4294967295", b"18446744073709551616"),
        *(b"FLAGS", b"(UID FLAGS)", b"ENVELOPE", b"FULL", b"BODY[]", b"BODY.PEEK[1.2.MIME]<0.9>"),
        *(b"BODY[HEADER.FIELDS (To %s)]", b"RFC822", b"+FLAGS", b"-FLAGS.SILENT", b"(\\Seen $x)"),
        *(b"ALL", b"NOT", b"OR", b"BODY hello", b"SINCE 1-Feb-2026", b"HEADER Subject", b"LARGER"),
        *(b"(", b")", b"{3}", b"{3+}", b"{9999999999}", b"{0+}", b'"', b"\\", b"\r\n", b"abc\r\n"),
        *(
            b"$",
            b"MODSEQ",
            b"EMAILID M1",
            b"(QRESYNC (1 1 1:9))",
            b"(CONDSTORE)",
            b"(PARTIAL -1:-9)",
        ),
        *(b"(CHANGEDSINCE 1 VANISHED)", b"(UNCHANGEDSINCE 1)", b"ENABLE", b"QRESYNC", b"(SAVE)"),
        *(b"(MESSAGES UNSEEN RECENT)", b"RETURN (MIN COUNT)", b"(SUBSCRIBED)", b"CHARSET UTF-8"),
    ]
)
SETS = st.sampled_from([b"1", b"1:*", b"*", b"$", b"2,4:3", b"5:9", b"999", b"1:2,2:3"])
NAMES = st.sampled_from([b"INBOX", b"inbox", b"Sent", b"a/b", b"x", b"Drafts", b'""', b"&AOk-"])
ITEMS = st.sampled_from(
    [
        *(b"FLAGS", b"(UID FLAGS)", b"FULL", b"(ENVELOPE BODY BODYSTRUCTURE)", b"BODY[]<2.3>"),
        *(b"BODY.PEEK[HEADER.FIELDS (To)]", b"BODY[1]", b"BODY.PEEK[2.MIME]", b"RFC822.TEXT"),
    ]
)
KEYS = st.sampled_from(
    [
        b"ALL",
        b"UNSEEN",
        b"NOT 1",
        b"OR SEEN 2:*",
        b"MODSEQ 3",
        b"SAVEDON 1-Feb-2026",
        b"TEXT hello",
        b"SENTON 1-Feb-2026",
        b"(NEW)",
        b"FILTER a",
    ]
)
FLAGS = st.sampled_from([b"(\\Seen)", b"()", b"(\\Deleted $a)", b"\\Flagged $b", b"(\\Recent)"])


def sentence(*words: bytes | st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    parts = [word if isinstance(word, st.SearchStrategy) else st.just(word) for word in words]
    return st.tuples(*parts).map(b" ".join)


EVENTS = st.sampled_from(
    [
        b"NONE",
        b"(MessageNew MessageExpunge FlagChange)",
        b"(MessageNew (UID BODY.PEEK[]) MessageExpunge)",
        b"(MailboxName SubscriptionChange ServerMetadataChange)",
        b"(MessageNew)",
    ]
)
ENTRIES = st.sampled_from(
    [
        b"/private/filters/values/a",
        b"/private/a",
        b"/shared/A/b",
        b"/private",
        b'"/shared/*"',
        b"comment",
    ]
)
VALUES = st.sampled_from([b"NIL", b'"x"', b"~{2+}\r\n\0\0", b"{1+}\r\n)", b"x"])
RETURNS = st.sampled_from([b"(SAVE)", b"(PARTIAL -1:-2)", b"(MIN SAVE)", b"()", b"(ALL COUNT)"])
UID = st.sampled_from([b"t", b"t UID"])
SENTENCES = st.one_of(
    sentence(UID, b"FETCH", SETS, ITEMS),
    sentence(UID, b"STORE", SETS, st.sampled_from([b"FLAGS", b"+FLAGS", b"-FLAGS.SILENT"]), FLAGS),
    sentence(UID, b"SEARCH", KEYS, KEYS),
    sentence(UID, st.sampled_from([b"COPY", b"MOVE"]), SETS, NAMES),
    sentence(b"t", st.sampled_from([b"SELECT", b"EXAMINE", b"CREATE", b"DELETE"]), NAMES),
    sentence(b"t RENAME", NAMES, NAMES),
    sentence(b"t APPEND", NAMES, FLAGS, b"{4+}\r\na: b"),
    sentence(b"t LIST", NAMES, st.sampled_from([b"*", b"%", b"a*"])),
    sentence(
        UID,
        b"FETCH",
        SETS,
        ITEMS,
        st.sampled_from([b"(CHANGEDSINCE 2)", b"(CHANGEDSINCE 1 VANISHED)", b"(PARTIAL 2:9)"]),
    ),
    sentence(UID, b"SEARCH RETURN", RETURNS, KEYS, KEYS),
    sentence(b"t STATUS", NAMES, b"(MESSAGES UNSEEN RECENT)"),
    sentence(b"t NOTIFY SET STATUS (selected", EVENTS, b") (subtree", NAMES, EVENTS, b")"),
    sentence(b"t NOTIFY SET (personal", EVENTS, b")"),
    sentence(b"t GETMETADATA", NAMES, ENTRIES),
    sentence(b"t GETMETADATA (DEPTH infinity MAXSIZE 3)", NAMES, b"(/private /shared)"),
    sentence(b"t SETMETADATA", NAMES, sentence(ENTRIES, VALUES).map(lambda pair: b"(%b)" % pair)),
    st.sampled_from(
        [
            b"t ENABLE QRESYNC",
            b"t ENABLE METADATA",
            b"t SELECT INBOX (QRESYNC (1 2 1:4))",
            b"t EXPUNGE",
            b"t CLOSE",
            b"t IDLE",
            b"DONE",
            b"t NOOP",
            b"t UID EXPUNGE 1:3",
        ]
    ),
)
LINES = st.lists(
    st.one_of(
        SENTENCES,
        SENTENCES,
        SENTENCES,
        st.lists(WORDS, min_size=1, max_size=6).map(lambda words: b"t " + b" ".join(words)),
        st.binary(max_size=60),
    ),
    max_size=15,
)


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(LINES, st.sampled_from([0, 1, 2, 2, 2]))
def test_a_session_survives_any_octets(lines: list[bytes], state: int) -> None:
    _prepare()
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    try:
        if state:
            wire._session._client.identity = _identity()
        if state == 2:
            wire.send(b"s SELECT INBOX\r\n")
        for line in lines:
            wire.send(line + b"\r\n")
        venue.deliver_all()
    finally:
        unread = venue.end()
    for line in b"".join(unread).split(b"\r\n"):
        assert b"SERVERBUG" not in line


def _prepare() -> None:
    from accounts.models import Entry

    if Entry.objects.filter(folder__name="INBOX").count() > 2:
        return
    clean_slate.wipe()
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 5)


def _identity():
    from accounts.login import Identity
    from accounts.models import Mailbox

    mailbox = Mailbox.objects.get()
    return Identity(mailbox.pk, 1, mailbox.address, mailbox.credential_version)
