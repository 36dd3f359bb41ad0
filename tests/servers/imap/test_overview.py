"""Overviews: lists of messages read in narrow rows, told as the columns themselves would be."""

import pytest

from accounts.mailstore import append, copy, overview
from accounts.models import Entry, Message, Overview
from protocols.servers.imap import fetch as fetching
from protocols.servers.imap.kept_lines import KeptLines
from protocols.wire.message import prepare
from tests.accounts.mail import HELLO, inbox
from tests.hostile_mail import SAMPLES
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = (
    b"(UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE"
    b" BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])",
    b"(BODY.PEEK[HEADER.FIELDS (Date Subject From To)] RFC822.SIZE)",
    b"(MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT FROM TO DATE)] INTERNALDATE UID)",
)
# Above this the message is large by itself, and told alone.
SMALL = 1 << 20


@pytest.fixture(autouse=True)
def _keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_kept", KeptLines(longest=-1))


def select(wire: DirectWire) -> None:
    for line in (b"SELECT INBOX", b"CLOSE", b"SELECT INBOX (CONDSTORE)"):
        ask(wire, line)


def fill(mailbox_id: int) -> None:
    for sample in SAMPLES:
        octets = sample.build()
        if octets and len(octets) < SMALL:
            append.append_message(
                mailbox_id, inbox(mailbox_id), octets, internal_date=951_782_400, zone_minutes=-210
            ).result(30)
    # The order of the messages is not that of the entries.
    for uid in (5, 2):
        copy.copy_uids(inbox(mailbox_id), [uid], inbox(mailbox_id), actor=mailbox_id)


@pytest.mark.parametrize("items", LISTS)
def test_the_answer_is_that_of_the_columns(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch, items: bytes
) -> None:
    fill(mailbox_id)
    # Most have one, but not those with NUL octets where readers see them, or too much to show.
    have = Overview.objects.count()
    assert Message.objects.count() / 2 < have < Message.objects.count()
    select(wire)
    for numbers in (b"1:*", b"1,3:5,7,%d,%d" % (Entry.objects.count() - 1, Entry.objects.count())):
        told = ask(wire, b"FETCH " + numbers + b" " + items)
        with monkeypatch.context() as patch:
            patch.setattr(overview, "read", lambda *_: None)
            assert ask(wire, b"FETCH " + numbers + b" " + items) == told


def test_the_overview_is_what_is_read(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_id = inbox(mailbox_id)
    uids = [append.append_message(mailbox_id, folder_id, HELLO).result(30).uid for _ in range(3)]
    copy.copy_uids(folder_id, uids[:1], folder_id, actor=mailbox_id)
    select(wire)
    told = ask(wire, b"FETCH 1:* " + LISTS[0])
    assert told.count(b"Subject:") == 4
    Message.objects.update(size=7, internal_date=0, bodystructure=b"no", headers=b"no")
    assert ask(wire, b"FETCH 1:* " + LISTS[0]) == told


def test_one_message_without_an_overview_takes_the_long_road(
    wire: DirectWire, mailbox_id: int
) -> None:
    for _ in range(3):
        append.append_message(mailbox_id, inbox(mailbox_id), HELLO).result(30)
    select(wire)
    told = ask(wire, b"FETCH 1:* " + LISTS[0])
    Overview.objects.order_by("pk")[1].delete()
    assert ask(wire, b"FETCH 1:* " + LISTS[0]) == told


def test_a_nul_or_too_much_to_show_makes_no_overview() -> None:
    def packed(octets: bytes) -> bytes | None:
        return overview.pack(prepare(octets), size=9, seconds=0, zone_minutes=0)

    assert packed(HELLO) is not None
    assert packed(b"Subject: a\0b\r\n\r\nHello\r\n") is None
    assert packed(b"To: %b\r\n\r\nHello\r\n" % (b"x" * overview.LIMIT)) is None
