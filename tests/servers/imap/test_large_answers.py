"""Answers about hostile mail and to greedy commands are the right ones, and made in pieces."""

import pytest

from accounts.mailstore import append
from accounts.mailstore.columns import large_ones, read_columns
from accounts.mailstore.fetch import Columns, FetchRow
from protocols.servers.imap.fetch import SLICE_OCTETS, TEXT_OCTETS, _groups
from tests.accounts.mail import inbox
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


def test_each_section_counts_as_a_whole_message() -> None:
    rows = [FetchRow(uid, size=SLICE_OCTETS // 4) for uid in range(1, 9)]
    assert list(_groups(rows, 1)) == [(0, 4), (4, 8)]
    assert list(_groups(rows, 2)) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert len(list(_groups(rows, 400))) == 8
