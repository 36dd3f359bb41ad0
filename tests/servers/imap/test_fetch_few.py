"""A FETCH of a few messages, told from memory as it would be by the long road, always."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection

from accounts import commit
from accounts.login import Identity
from accounts.mailstore import append, index, lately
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Mailbox, Message
from accounts.rows import FolderGone, Rows
from protocols.servers.imap import at_hand, fetch_few
from protocols.servers.imap import fetch as fetching
from protocols.servers.imap.kept_lines import KeptLines
from protocols.wire.message import prepare
from tests.accounts.as_owner import expunge_uids, store_flags
from tests.accounts.mail import HELLO, append_many, delivery, inbox, make_mailbox
from tests.hostile_mail import SAMPLES
from tests.servers.imap.asking import answered, ask
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)
has_stamps = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps")

ITEMS = (
    b"UID",
    b"(UID FLAGS)",
    b"(FLAGS MODSEQ)",
    b"ENVELOPE",
    b"(INTERNALDATE RFC822.SIZE)",
    b"FULL",
    b"(UID BODYSTRUCTURE BODY)",
    b"(UID BODY.PEEK[HEADER.FIELDS (From To Subject)])",
    b"(UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE"
    b" BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])",
    b"(BODY.PEEK[HEADER.FIELDS (Delivered-To)] ENVELOPE)",
    b"BODY.PEEK[HEADER.FIELDS.NOT (From)]",
    b"(UID BODY.PEEK[HEADER])",
    b"RFC822.HEADER",
    b"BODY.PEEK[]",
    b"(BODY.PEEK[]<3.20> UID)",
    b"(BODY.PEEK[TEXT] BODY.PEEK[])",
    b"(UID BODY.PEEK[1])",
    b"(BODY.PEEK[2.MIME] BODY.PEEK[1.1] BODY.PEEK[2.HEADER])",
    b"BINARY.SIZE[1]",
    b"PREVIEW",
    b"EMAILID",
)


@pytest.fixture(autouse=True)
def _keeps_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_kept", KeptLines(longest=-1))


def fill(mailbox_id: int) -> int:
    """Strange mail of all sorts, and mail with a prefix; how many."""
    made = 0
    for sample in SAMPLES:
        octets = sample.build()
        if octets and len(octets) < lately.LONGEST + 9000:
            append.append_message(
                mailbox_id, inbox(mailbox_id), octets, internal_date=951_782_400, zone_minutes=-210
            ).result(30)
            made += 1
    for prefix in (b"Delivered-To: <a@b.test>\r\n", b"Delivered-To: <a@b.test>\r\n\r\n"):
        commit.run(delivery(mailbox_id, HELLO, prefix))
        made += 1
    return made


def select(wire: DirectWire) -> None:
    for line in (b"SELECT INBOX", b"CLOSE", b"SELECT INBOX"):
        ask(wire, line)


def test_the_answer_is_that_of_the_long_road(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fill(mailbox_id)
    select(wire)
    ask(wire, b"ENABLE CONDSTORE")
    sets = (b"1:9", b"10:24", b"25:*", b"2,4:6,%d" % made, b"1:*", b"*")
    lines = [b"FETCH " + each + b" " + items for each in sets for items in ITEMS]
    lines += [b"UID FETCH 3,999 " + items for items in ITEMS]
    with monkeypatch.context() as patch:
        patch.setattr(fetch_few, "_is_served", lambda *_: False)
        expected = [ask(wire, line) for line in lines]
    # As they came in, as they are read, and as they are kept from then on.
    for _ in range(3):
        for line, answer in zip(lines, expected, strict=True):
            assert ask(wire, line) == answer, line
        lately.forget()


@has_stamps
def test_what_is_kept_is_told_without_a_thread(wire: DirectWire, mailbox_id: int) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 3)
    select(wire)
    for items in ITEMS[:-3]:
        line = b"FETCH 1:2 " + items
        if b"SUBJECT DATE" not in items:
            # An overview is read more cheaply than columns.
            lately.forget()
        ask(wire, line)
        assert is_quick(wire, line), items
        assert ask(wire, line).endswith(b"t OK Done.\r\n")


def is_quick(wire: DirectWire, line: bytes) -> bool:
    """Whether the line is answered at once."""
    return answered(wire, line)[1]


@has_stamps
def test_what_reading_changes_is_read_in_the_pool(wire: DirectWire, mailbox_id: int) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 2)
    select(wire)
    assert not is_quick(wire, b"FETCH 1 BODY[]")
    ask(wire, b"NOOP")
    assert is_quick(wire, b"FETCH 1 BODY[]")
    assert not is_quick(wire, b"FETCH 1:2 BODY[]")


@has_stamps
@pytest.mark.parametrize("line", [b"FETCH 1:1001 FLAGS", b"FETCH 1:101 ENVELOPE"])
def test_much_is_told_in_the_pool(wire: DirectWire, mailbox_id: int, line: bytes) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 1001)
    select(wire)
    assert not is_quick(wire, line)
    assert is_quick(wire, line.replace(b"1:", b"2:"))


def come(mailbox_id: int) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 1)


def store(mailbox_id: int) -> None:
    store_flags(inbox(mailbox_id), [2], StoreMode.ADD, Flag.FLAGGED)


def expunge(mailbox_id: int) -> None:
    expunge_uids(inbox(mailbox_id), [2], only_deleted=False)


@has_stamps
@pytest.mark.parametrize("change", [come, store, expunge])
@pytest.mark.parametrize(
    "line",
    [
        b"FETCH 1:3 (UID FLAGS)",
        b"FETCH * (UID ENVELOPE MODSEQ)",
        b"UID FETCH 1:* (FLAGS BODY.PEEK[])",
        b"FETCH 4 UID",
        b"FETCH 9 UID",
        b"FETCH 1:3 PREVIEW",
        b"FETCH 1 BODY[]",
    ],
)
def test_news_are_told_with_it(
    change: Callable[[int], None], line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same whether the folder's present state and the messages are at hand, one, or neither."""
    answers = []
    for is_current, is_kept in ((False, False), (False, True), (True, False), (True, True)):
        mailbox_id = make_mailbox()
        for _ in range(3):
            # Each in a commit of its own, lest MODSEQs differ.
            come(mailbox_id)
        venue, wire = connected(mailbox_id)
        select(wire)
        change(mailbox_id)
        if not is_kept:
            lately.forget()
        with monkeypatch.context() as patch:
            if is_current:
                index.picture(inbox(mailbox_id))
                assert index.current(inbox(mailbox_id)) is not None
            else:
                patch.setattr(at_hand, "present", lambda _: None)
            answers.append([ask(wire, each) for each in (line, b"NOOP", b"FETCH 1:* FLAGS")])
        venue.end()
    assert answers[1:] == answers[:1] * 3


def connected(mailbox_id: int) -> tuple[DirectVenue, DirectWire]:
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    address = Mailbox.objects.get(pk=mailbox_id).address
    wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
    wire.read_line()
    return venue, wire


@has_stamps
def test_a_message_that_is_gone_is_not_told_from_memory(wire: DirectWire, mailbox_id: int) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 3)
    select(wire)
    assert is_quick(wire, b"FETCH 2 (UID ENVELOPE)")
    expunge(mailbox_id)
    assert ask(wire, b"FETCH 2 (UID ENVELOPE)").startswith(b"t NO [EXPUNGEISSUED]")
    ask(wire, b"NOOP")
    assert b"UID 3 " in ask(wire, b"FETCH 2 (UID ENVELOPE)")


def test_what_is_kept_is_bounded(mailbox_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = lately._Shelf(20_000)
    monkeypatch.setattr(lately, "_shelf", shelf)
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 40)
    picture = index.picture(folder_id)
    assert 10_000 < shelf.octets <= 20_000
    assert lately.at_hand(picture, [40], with_octets=True) is not None
    assert lately.at_hand(picture, [1], with_octets=False) is None
    for _ in range(3):
        assert lately.read(picture, [1], with_octets=True) is not None
    assert lately.at_hand(picture, [1], with_octets=True) is not None
    shelf.clear()
    assert shelf.octets == 0


def test_what_is_long_is_not_kept(mailbox_id: int) -> None:
    folder_id = inbox(mailbox_id)
    for octets in (HELLO + b"x" * lately.LONGEST, b"To: " + b"a@b.test, " * 4000 + b"\r\n\r\n"):
        append.append_message(mailbox_id, folder_id, octets).result(30)
    picture = index.picture(folder_id)
    for uid in (1, 2):
        assert lately.read(picture, [uid], with_octets=True) is None
        assert lately.at_hand(picture, [uid], with_octets=True) is None
    assert lately.at_hand(picture, [1], with_octets=False) is not None


def test_a_message_of_another_uidvalidity_is_another(mailbox_id: int) -> None:
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    picture = index.picture(folder_id)
    assert lately.at_hand(picture, [1], with_octets=True) is not None
    anew = replace(picture, uidvalidity=picture.uidvalidity + 1)
    assert lately.at_hand(anew, [1], with_octets=True) is None


def test_what_was_read_is_not_read_again(wire: DirectWire, mailbox_id: int) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 3)
    select(wire)
    lately.forget()
    told = ask(wire, b"FETCH 1:2 (ENVELOPE BODY.PEEK[HEADER])")
    Message.objects.update(envelope=b"no")
    assert ask(wire, b"FETCH 1:2 (ENVELOPE BODY.PEEK[HEADER])") == told


@has_stamps
def test_a_refusal_behind_news_is_told_as_one(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of a FETCH whose news were told at once is guarded as all of it is."""
    append_many(mailbox_id, inbox(mailbox_id), 3)
    select(wire)
    store(mailbox_id)
    index.picture(inbox(mailbox_id))

    def gone(*_: object) -> None:
        raise FolderGone("gone")

    monkeypatch.setattr(fetching, "fetched", gone)
    said = ask(wire, b"FETCH 1 (PREVIEW)")
    assert b"* 2 FETCH (UID 2 FLAGS (\\Flagged" in said
    assert b"t NO The folder is gone." in said


@has_stamps
def test_much_is_read_in_the_pool(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 3)
    select(wire)
    monkeypatch.setattr(fetch_few, "OCTETS_AT_HAND", 2 * len(HELLO) + 10)
    assert is_quick(wire, b"FETCH 1:2 BODY.PEEK[]")
    assert not is_quick(wire, b"FETCH 1:3 BODY.PEEK[]")
    assert not is_quick(wire, b"FETCH 1:2 (BODY.PEEK[] BODY.PEEK[TEXT])")


def test_many_recipients_share_the_octets_until_the_commit() -> None:
    """A thousand copies of each message of a batch would be gigabytes."""
    keys = [make_mailbox() for _ in range(40)]
    octets = HELLO + b"x" * 50_000
    prepared = prepare(octets)
    grown: list[int] = []

    def write(rows: Rows, blob_id: int | None) -> None:
        assert blob_id is not None
        rows.before_commit(lambda: grown.append(tracemalloc.get_traced_memory()[1]))
        tracemalloc.start()
        for key in keys:
            append.add_entry(
                rows,
                mailbox_id=key,
                folder_id=None,
                blob_id=blob_id,
                prefix=b"Delivered-To: somebody\r\n",
                prepared=prepared,
                octets_size=len(octets),
                octets=octets,
            )

    try:
        commit.run(commit.Unit(frozenset(keys), write, octets))
    finally:
        tracemalloc.stop()
    # Besides the rows, which hold prepared texts alone.
    assert grown[0] < 10 * len(octets)
