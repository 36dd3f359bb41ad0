"""What FETCH keeps of its lines: found for the same state only, bounded, never stale."""

import pytest
from django.db import connection

from accounts.mailstore import append, flags
from accounts.mailstore.picture import Picture
from protocols.servers.imap import fetch as fetching
from protocols.servers.imap.folder_view import FolderView, Wording
from protocols.servers.imap.kept_lines import KeptLines
from protocols.wire.imap.fetch_items import Attribute
from tests.accounts import as_owner
from tests.accounts.mail import HELLO, append_many, inbox
from tests.servers.imap.asking import ask
from tests.servers.imap.pictures import after, picture_of
from tests.transcripts.direct import DirectWire

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
def _selected(wire: DirectWire, mailbox_id: int) -> None:
    append_many(mailbox_id, inbox(mailbox_id), 700)
    for line in (b"SELECT INBOX", b"CLOSE", b"SELECT INBOX"):
        ask(wire, line)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_selected")
def test_the_second_fetch_asks_only_what_is_new(
    wire: DirectWire, django_assert_num_queries
) -> None:
    first = ask(wire, b"FETCH 1:* " + LIST_VIEW)
    # On SQLite a stamp says that nothing is new.
    with django_assert_num_queries(0 if connection.vendor == "sqlite" else 1):
        assert ask(wire, b"FETCH 1:* " + LIST_VIEW) == first


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_selected")
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
        ask(wire, b"FETCH 1:* " + LIST_VIEW)
        change()
        ask(wire, b"NOOP")
        for numbers in (b"1:*", b"1:500", b"501:*", b"2:7"):
            command = b"FETCH " + numbers + b" " + LIST_VIEW
            answers = [ask(wire, command) for _ in range(2)]
            with monkeypatch.context() as patch:
                patch.setattr(fetching, "_kept", KeptLines(longest=-1))
                naive = ask(wire, command)
            assert answers == [naive, naive]
            assert b"t OK" in naive
