"""Overviews: lists of messages read in narrow rows, told as the columns themselves would be."""

import re
from collections.abc import Sequence

import pytest

from accounts.mailstore import append, copy, overview
from accounts.models import Entry, Message, Overview
from protocols.servers.imap import fetch as fetching
from protocols.servers.imap import fetch_few
from protocols.servers.imap.kept_lines import KeptLines
from protocols.wire.message import prepare
from tests.accounts.as_owner import expunge_uids
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
    b"(MODSEQ INTERNALDATE RFC822.SIZE BODYSTRUCTURE"
    b" BODY.PEEK[HEADER.FIELDS (TO DATE FROM SUBJECT)] FLAGS UID)",
    b"(UID RFC822.SIZE INTERNALDATE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])",
)
# Above this the message is large by itself, and told alone.
SMALL = 1 << 20


@pytest.fixture(autouse=True)
def _keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_kept", KeptLines(longest=-1))
    monkeypatch.setattr(fetch_few, "_is_served", lambda *_: False)


def select(wire: DirectWire) -> None:
    for line in (b"SELECT INBOX", b"CLOSE", b"SELECT INBOX (CONDSTORE)"):
        ask(wire, line)


def add(mailbox_id: int, count: int, octets: bytes = HELLO) -> list[int]:
    """The UIDs of so many messages, one after another."""
    folder_id = inbox(mailbox_id)
    return [
        append.append_message(mailbox_id, folder_id, octets).result(30).uid for _ in range(count)
    ]


def in_columns(wire: DirectWire, monkeypatch: pytest.MonkeyPatch, command: bytes) -> bytes:
    """The answer, where there are no overviews."""
    with monkeypatch.context() as patch:
        patch.setattr(overview, "read", lambda *_: None)
        return ask(wire, command)


def forbid_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on overviews must be told as they come from the database."""

    def fail(octets: bytes, count: int) -> None:
        raise AssertionError(f"{count} overviews are taken apart")

    monkeypatch.setattr(overview, "parts", fail)


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
        command = b"FETCH " + numbers + b" " + items
        assert ask(wire, command) == in_columns(wire, monkeypatch, command)


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


@pytest.mark.parametrize("items", [LISTS[0], LISTS[3]])
def test_what_is_asked_for_as_it_is_stored_is_not_taken_apart(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch, items: bytes
) -> None:
    uids = add(mailbox_id, 4, HELLO.replace(b"Hello\r\n", b"100%b of %d %% \\0\r\n"))
    # UIDs with a gap, flags that differ, and a message that came before others of lower UIDs.
    expunge_uids(inbox(mailbox_id), uids[1:2], only_deleted=False)
    copy.copy_uids(inbox(mailbox_id), uids[:1], inbox(mailbox_id), actor=mailbox_id)
    select(wire)
    ask(wire, b"STORE 2 +FLAGS.SILENT (\\Flagged $Label1)")
    for numbers in (b"1:*", b"2", b"1,3:4"):
        command = b"FETCH " + numbers + b" " + items
        expected = in_columns(wire, monkeypatch, command)
        assert expected.count(b"100%b of %d %% \\0") == expected.count(b" FETCH (") > 0
        with monkeypatch.context() as patch:
            forbid_parts(patch)
            assert ask(wire, command) == expected


def test_uids_are_told_instead_of_numbers(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = add(mailbox_id, 3)
    expunge_uids(inbox(mailbox_id), uids[:1], only_deleted=False)
    ask(wire, b"ENABLE UIDONLY")
    select(wire)
    command = b"UID FETCH 1:* " + LISTS[0]
    expected = in_columns(wire, monkeypatch, command)
    assert expected.startswith(b"* %d UIDFETCH (" % uids[1])
    forbid_parts(monkeypatch)
    assert ask(wire, command) == expected


@pytest.mark.parametrize("in_utf8", [False, True])
def test_raw_utf8_in_a_structure_is_told_as_the_client_reads_it(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch, *, in_utf8: bool
) -> None:
    add(mailbox_id, 1)
    add(mailbox_id, 1, b'Content-Type: text/plain; name="\xc3\xa9t\xc3\xa9.txt"\r\n' + HELLO)
    if in_utf8:
        ask(wire, b"ENABLE UTF8=ACCEPT")
    select(wire)
    command = b"FETCH 1:* " + LISTS[0]
    told = ask(wire, command)
    assert (b"\xc3\xa9t\xc3\xa9.txt" in told) is in_utf8
    assert told == in_columns(wire, monkeypatch, command)


def test_a_message_that_goes_as_its_chunk_is_read_is_left_out(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = add(mailbox_id, 3)
    select(wire)
    told = ask(wire, b"FETCH 1:* " + LISTS[0])
    read = overview.read

    def read_late(folder_id: int, some: Sequence[int], between: bytes) -> bytes | None:
        Entry.objects.filter(folder_id=folder_id, uid=uids[1]).delete()
        return read(folder_id, some, between)

    monkeypatch.setattr(overview, "read", read_late)
    one, _two, three, _end = _lines(told)
    left = _lines(ask(wire, b"FETCH 1:* " + LISTS[0]))
    assert left[:-1] == [one, three]
    assert left[-1].startswith(b"t NO [EXPUNGEISSUED]")


def _lines(told: bytes) -> list[bytes]:
    """FETCH responses and the tagged answer."""
    first, *others = re.split(rb"(?m)^(?=\* \d+ FETCH|t )", told)
    assert not first
    return others


def test_what_sets_seen_still_does(wire: DirectWire, mailbox_id: int) -> None:
    add(mailbox_id, 2)
    select(wire)
    told = ask(wire, b"FETCH 1:* " + LISTS[0].replace(b".PEEK", b""))
    assert told.count(b"FLAGS (\\Seen") == 2


def test_chunks_of_a_long_list_follow_each_other(mailbox_id: int) -> None:
    uids = add(mailbox_id, 5)
    apart = [overview.read(inbox(mailbox_id), [uid], b"-") for uid in uids]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overview, "CHUNK", 2)
        found = overview.read(inbox(mailbox_id), uids, "-\0ü-".encode())
    assert found == "-\0ü-".encode().join(each or b"" for each in apart)
