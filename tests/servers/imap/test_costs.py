"""How many queries a command may take: what is counted here cannot creep in elsewhere."""

from collections.abc import Iterator

import pytest
from django.db import connection

from accounts import commit
from accounts.login import Identity
from accounts.mailstore import acl, folders, rights
from accounts.models import Mailbox
from protocols.wire.imap.commands import Logout, Unselect
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

# Whether nothing has changed: one query where no stamp says so.
LOOK = 0 if connection.vendor == "sqlite" else 1


@pytest.fixture
def wire() -> Iterator[DirectWire]:
    """A session with a folder of 1,200 messages selected, which it has looked at before."""
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 1200)
    mailbox = Mailbox.objects.get(pk=mailbox_id)
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    wire._session._client.identity = Identity(mailbox_id, 1, mailbox.address, 1)
    for line in (b"a SELECT INBOX", b"b CLOSE", b"c SELECT INBOX"):
        wire.send(line + b"\r\n")
        _answer(wire, line[:1])
    yield wire
    venue.end()


@pytest.fixture
def shared(wire: DirectWire) -> DirectWire:
    """The same session, with a folder of another selected."""
    mine = Mailbox.objects.get()
    owner = Mailbox.objects.create(domain=mine.domain, local_part="bob")
    folders.provision(owner.pk)
    folder = folders.find_folder(owner.pk, "INBOX")
    append_many(owner.pk, folder.id, 3)
    acl.set_rights(owner.pk, folder, acl.Identifier(mine.pk), "", rights.ALL)
    name = f"Shared/{owner.address}/INBOX"
    for line in (f"d SELECT {name}", "e CLOSE", f"f SELECT {name}", "g NOOP"):
        wire.send(f"{line}\r\n".encode())
        _answer(wire, line[:1].encode())
    return wire


@pytest.mark.parametrize(
    ("command", "queries"),
    [
        # Each as in a folder of one's own, and one for the rights.
        (b"NOOP", 1 + LOOK),
        (b"FETCH 1:* (UID FLAGS)", 1 + LOOK),
        # What has just come in is at hand; what has not been kept is read.
        (b"FETCH 1:* (ENVELOPE)", 1 + LOOK),
        (b"FETCH 1:* (PREVIEW)", 2 + LOOK),
        (b"SEARCH UNSEEN", 1 + LOOK),
        (b'LIST "" *', 2 + LOOK),
    ],
)
def test_a_folder_of_another_costs_one_query_more(
    shared: DirectWire, command: bytes, queries: int, django_assert_num_queries
) -> None:
    shared.send(b"t " + command + b"\r\n")
    with django_assert_num_queries(queries):
        said = _answer(shared, b"t")
    assert b"t OK" in said


def _answer(wire: DirectWire, tag: bytes) -> bytes:
    said = b""
    while (line := wire.read_line()) is not None:
        said += line
        if line.startswith(tag + b" "):
            break
    return said


@pytest.mark.parametrize(
    ("command", "queries", "lines"),
    [
        (b"NOOP", LOOK, 1),
        (b"FETCH 1:* (UID FLAGS)", LOOK, 1201),
        (b"UID FETCH 500:600 (FLAGS)", LOOK, 102),
        # One query for every 500.
        (b"FETCH 1:* (ENVELOPE)", 3 + LOOK, 1201),
        (
            b"FETCH 1:* (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)])",
            3 + LOOK,
            1201 + 2400 + 1200,
        ),
        (b"FETCH 1:* (PREVIEW)", 3 + LOOK, 1201),
        (b"SEARCH UNSEEN", LOOK, 2),
        (b"SEARCH SUBJECT hello", 3 + LOOK, 2),
        # For every 500 one of the keys kept, one of the header fields where there are none.
        (b"SORT (SUBJECT FROM) UTF-8 ALL", 6 + LOOK, 2),
        (b"SORT (DATE SIZE) UTF-8 ALL", 3 + LOOK, 2),
        (b"STATUS Sent (MESSAGES UNSEEN UIDNEXT)", 1 + LOOK, 2),
        (b'LIST "" *', 1 + LOOK, 7),
        (b"SELECT INBOX", LOOK, 11),
    ],
)
def test_queries(
    wire: DirectWire, command: bytes, queries: int, lines: int, django_assert_num_queries
) -> None:
    wire.send(b"t " + command + b"\r\n")
    with django_assert_num_queries(queries):
        said = _answer(wire, b"t")
    assert b"t OK" in said
    assert said.count(b"\r\n") == lines


@pytest.mark.parametrize("line", [b"UNSELECT", b"LOGOUT"])
def test_a_folder_is_left_without_a_thread(wire: DirectWire, line: bytes) -> None:
    """Also where the client was the first to see a message, which is written down."""
    session, folder_id = wire._session, wire._session._client.folder_id
    append_many(session._client.mailbox_id, folder_id, 1)
    wire.send(b"n NOOP\r\n")
    assert b"* 1201 EXISTS" in _answer(wire, b"n")
    assert session._client.took_recent
    assert session.is_quick(Unselect(b"t") if line == b"UNSELECT" else Logout(b"t"))
    wire.send(b"t " + line + b"\r\n")
    assert b"t OK" in _answer(wire, b"t")
    commit.reset()
    assert folders.get_folder(folder_id).recent_from_uid == 1202
