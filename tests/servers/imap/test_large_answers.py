"""Answers about hostile mail and to greedy commands are the right ones, and made in pieces."""

import tracemalloc

import pytest

from accounts import commit
from accounts.mailstore import append
from accounts.mailstore.columns import large_ones, read_columns
from accounts.mailstore.fetch import Columns, FetchRow
from protocols.servers.imap.fetch import SLICE_OCTETS, TEXT_OCTETS, _groups, fetched
from protocols.servers.imap.fetch_lines import Plan
from protocols.servers.imap.sections import Structure
from protocols.wire.imap.fetch_items import BodySection, SectionKind
from protocols.wire.imap.responses import InPieces
from protocols.wire.message import parse
from tests.accounts.mail import delivery, inbox
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

LONG = b"needle" + b"x" * TEXT_OCTETS
SUBJECTS = (b"one", LONG, b"two", b"three", LONG)


@pytest.fixture(autouse=True)
def _selected(wire: DirectWire, mailbox_id: int) -> None:
    for subject in SUBJECTS:
        octets = b"From: a@x.test\r\nSubject: " + subject + b"\r\n\r\nbody\r\n"
        append.append_message(mailbox_id, inbox(mailbox_id), octets).result(30)
    ask(wire, b"SELECT INBOX")


def test_a_message_with_a_large_header_is_told_in_its_place(wire: DirectWire) -> None:
    said = ask(wire, b"FETCH 1:* (UID ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert said.endswith(b"t OK Done.\r\n")
    responses = said.split(b"* ")[1:]
    assert [int(response.split()[0]) for response in responses] == [1, 2, 3, 4, 5]
    for response, subject in zip(responses, SUBJECTS, strict=True):
        assert response.count(subject) == 2
        assert b"Subject: %b\r\n\r\n)" % subject in response


def test_large_texts_are_left_out_when_read_with_others(wire: DirectWire) -> None:
    folder_id = wire._session._client.folder_id
    found = read_columns(folder_id, range(1, 6), columns=Columns.HEADERS, at_most=TEXT_OCTETS)
    assert large_ones(found) == [1, 4]
    assert large_ones(read_columns(folder_id, [2], columns=Columns.HEADERS)) == []


def test_a_search_looks_into_large_headers(wire: DirectWire) -> None:
    assert ask(wire, b"SEARCH SUBJECT needle").startswith(b"* SEARCH 2 5\r\n")
    assert ask(wire, b"SEARCH NOT SUBJECT needle").startswith(b"* SEARCH 1 3 4\r\n")


def test_many_pieces_of_one_header_are_answered_alike(wire: DirectWire) -> None:
    items = b" ".join(b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]<%d.4>" % n for n in range(20))
    said = ask(wire, b"FETCH 2:3 (%b)" % items)
    assert b"[HEADER.FIELDS (SUBJECT)]<9> {4}\r\nneed BODY" in said
    assert b"[HEADER.FIELDS (SUBJECT)]<9> {4}\r\ntwo\r BODY" in said
    assert said.endswith(b"t OK Done.\r\n")


def test_whole_messages_come_with_what_delivery_wrote_before_them(
    wire: DirectWire, mailbox_id: int
) -> None:
    trace, octets = b"Return-Path: <x@y.test>\r\n", b"Subject: z\r\n\r\n" + b"z" * 5000
    commit.run(delivery(mailbox_id, octets, trace))
    whole = trace + octets
    for items in (b"BODY.PEEK[]", b"BODY.PEEK[] UID RFC822.SIZE", b"BODY[] RFC822"):
        said = ask(wire, b"FETCH 1:* (%b)" % items)
        times = items.count(b"BODY") + items.endswith(b"RFC822")
        assert said.count(b" {%d}\r\n%b" % (len(whole), whole)) == times
        for subject in SUBJECTS:
            stored = b"From: a@x.test\r\nSubject: " + subject + b"\r\n\r\nbody\r\n"
            assert said.count(b" {%d}\r\n%b" % (len(stored), stored)) == times * SUBJECTS.count(
                subject
            )
    # \Seen is told with what set it.
    assert ask(wire, b"FETCH 1:* (FLAGS)").count(b"\\Seen") == 6


def test_octets_that_were_read_together_are_not_copied(wire: DirectWire) -> None:
    client = wire._session._client
    plan = Plan([BodySection((), SectionKind.WHOLE, (), True, 0, -1, b"BODY[]")], sets_seen=True)
    [told] = fetched(client, plan, [(0, 5)])
    assert isinstance(told, InPieces)
    views = [piece for piece in told.pieces if isinstance(piece, memoryview)]
    assert [view.obj for view in views] == [views[0].obj] * 5


def test_each_section_counts_as_a_whole_message() -> None:
    rows = [FetchRow(uid, size=SLICE_OCTETS // 4) for uid in range(1, 9)]
    assert list(_groups(rows, 1)) == [(0, 4), (4, 8)]
    assert list(_groups(rows, 2)) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert len(list(_groups(rows, 400))) == 8


def test_what_a_connection_keeps_of_the_parts_of_a_message_is_small() -> None:
    described = b"--b\r\nContent-Description: " + b"x" * 60_000 + b"\r\n"
    typed = b"Content-Type: text/plain; a=" + b"y" * 60_000 + b"\r\n"
    encoded = b"Content-Transfer-Encoding: base64\r\n\r\neA==\r\n"
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    octets += (described + encoded + b"--b\r\n" + typed + b"\r\n\r\n") * 50
    tracemalloc.start()
    structure = Structure(parse(octets))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000 < len(octets)
    content = structure.content((1,))
    assert content is not None
    assert (octets[content.start : content.end], content.encoding) == (b"eA==", b"base64")
