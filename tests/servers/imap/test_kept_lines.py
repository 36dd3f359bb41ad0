"""What FETCH keeps of its lines: found for the same state only, bounded, never stale."""

from collections.abc import Iterator

import pytest

from accounts.login import Identity
from accounts.mailstore import append, flags
from accounts.mailstore.picture import Picture
from accounts.models import Mailbox
from protocols.servers.imap import fetch as fetching
from protocols.servers.imap.folder_view import FolderView, Wording
from protocols.servers.imap.kept_lines import KeptLines
from protocols.wire.imap.fetch_items import Attribute
from tests.accounts import as_owner
from tests.accounts.mail import HELLO, append_many, inbox, make_mailbox
from tests.servers.imap.pictures import after, picture_of
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

ITEMS = (Attribute.UID, Attribute.SIZE)
LIST_VIEW = b"(UID FLAGS RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Subject From)])"


def view_of(picture: Picture) -> FolderView:
    return FolderView(picture, is_read_only=True, recent=range(0))


def test_lines_are_of_one_state_items_and_place() -> None:
    kept = KeptLines()
    picture = picture_of({1: 0, 2: 0})
    view = view_of(picture)
    kept.put(view, ITEMS, 0, b"lines")
    assert kept.get(view, ITEMS, 0) == b"lines"
    assert kept.get(view, ITEMS, 500) is None
    assert kept.get(view, ITEMS[:1], 0) is None
    for other in (after(picture, flags={1: 8}), after(picture, gone=(2,)), after(picture, came=1)):
        assert kept.get(view_of(other), ITEMS, 0) is None
    for wording in (Wording(in_utf8=True), Wording(by_uid=True)):
        view.wording = wording
        assert kept.get(view, ITEMS, 0) is None


def test_octets_are_bounded() -> None:
    kept = KeptLines(limit=100, longest=40)
    view = view_of(picture_of({1: 0}))
    kept.put(view, ITEMS, 0, b"x" * 41)
    assert kept.octets == 0
    for place in range(3):
        kept.put(view, ITEMS, place, b"x" * 40)
    assert kept.octets == 80
    assert kept.get(view, ITEMS, 0) is None
    kept.put(view, ITEMS, 1, b"y")
    assert kept.octets == 41


@pytest.fixture
def mailbox_id() -> int:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 700)
    return mailbox_id


@pytest.fixture
def wire(mailbox_id: int) -> Iterator[DirectWire]:
    mailbox = Mailbox.objects.get(pk=mailbox_id)
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    wire._session._client.identity = Identity(mailbox_id, 1, mailbox.address, 1)
    for line in (b"SELECT INBOX", b"CLOSE", b"SELECT INBOX"):
        _ask(wire, line)
    yield wire
    venue.end()


def _ask(wire: DirectWire, command: bytes) -> bytes:
    wire.send(b"t " + command + b"\r\n")
    said = b""
    while (line := wire.read_line()) is not None:
        said += line
        if line.startswith(b"t "):
            break
    return said


@pytest.mark.django_db(transaction=True)
def test_the_second_fetch_asks_only_what_is_new(
    wire: DirectWire, django_assert_num_queries
) -> None:
    first = _ask(wire, b"FETCH 1:* " + LIST_VIEW)
    with django_assert_num_queries(1):
        assert _ask(wire, b"FETCH 1:* " + LIST_VIEW) == first


@pytest.mark.django_db(transaction=True)
def test_answers_are_those_of_a_store_that_keeps_nothing(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_id = inbox(mailbox_id)

    def store() -> None:
        as_owner.store_flags(
            folder_id, [3, 600], flags.StoreMode.ADD, flags.Flag.FLAGGED, ["$Work"]
        )

    def remove() -> None:
        as_owner.expunge_uids(folder_id, [5, 501])

    def bring() -> None:
        append.append_message(mailbox_id, folder_id, HELLO.replace(b"Hello", b"Later")).result(30)

    def nothing() -> None:
        pass

    for change in (nothing, store, remove, bring, nothing):
        _ask(wire, b"FETCH 1:* " + LIST_VIEW)
        change()
        _ask(wire, b"NOOP")
        for numbers in (b"1:*", b"1:500", b"501:*", b"2:7"):
            command = b"FETCH " + numbers + b" " + LIST_VIEW
            answers = [_ask(wire, command) for _ in range(2)]
            with monkeypatch.context() as patch:
                patch.setattr(fetching, "_kept", KeptLines(longest=-1))
                naive = _ask(wire, command)
            assert answers == [naive, naive]
            assert b"t OK" in naive
