"""NOTIFY under load: what is too much, what is lost on the way, and what it costs (RFC 5465)."""

import pytest

from accounts.commit import telling
from accounts.mailstore import changes, folders
from accounts.models import Folder, Mailbox
from protocols.servers.imap import arrivals, watch
from tests.accounts.mail import append_many, inbox
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

PERSONAL = b"NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName))"
SELECTED = b"NOTIFY SET (selected (MessageNew (BODY.PEEK[TEXT]) MessageExpunge))"


def ask(wire: DirectWire, command: bytes) -> list[bytes]:
    """The lines of the answer to a command, and what came with it."""
    wire.send(b"t " + command + b"\r\n")
    lines: list[bytes] = []
    while not lines or not lines[-1].startswith(b"t "):
        line = wire.read_line()
        assert line is not None
        lines.append(line.rstrip())
    return lines


def is_watched(mailbox_id: int) -> bool:
    """Whether anybody in this process hears of that mailbox; of others other tests may."""
    keys = ("mailbox", mailbox_id), ("folder", inbox(mailbox_id))
    return any(key in changes._watchers for key in keys)


OVERFLOW = b"* OK [NOTIFICATIONOVERFLOW] Too much has happened at once; look yourself."


def test_more_new_messages_than_are_told_of(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(wire, b"EXAMINE INBOX")
    ask(wire, SELECTED)
    monkeypatch.setattr(arrivals, "MAX_ARRIVALS", 3)
    append_many(mailbox_id, inbox(mailbox_id), 4)
    lines = ask(wire, b"NOOP")
    # How many there are is told all the same.
    assert lines == [b"* 4 EXISTS", b"* 4 RECENT", OVERFLOW, b"t OK Done."]
    # From now on it is as though NOTIFY NONE had been said, until another NOTIFY (RFC 5465 §5.8).
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert ask(wire, b"NOOP") == [b"t OK Done."]
    assert ask(wire, SELECTED)[:2] == [b"* 5 EXISTS", b"* 5 RECENT"]


def test_more_octets_than_are_told_of(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(wire, b"EXAMINE INBOX")
    ask(wire, SELECTED)
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert b"* 1 FETCH (UID 1 BODY[TEXT] {16}" in ask(wire, b"NOOP")
    monkeypatch.setattr(arrivals, "MAX_OCTETS", 100)
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert ask(wire, b"NOOP")[-2] == OVERFLOW


def test_more_folders_than_are_told_of(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(wire, PERSONAL)
    folders.create_folder(mailbox_id, "a")
    assert len(ask(wire, b"NOOP")) == 3
    monkeypatch.setattr(watch, "MAX_OCTETS", 100)
    folders.create_folder(mailbox_id, "b/c")
    assert ask(wire, b"NOOP") == [OVERFLOW, b"t OK Done."]
    assert not is_watched(mailbox_id)


def test_nothing_piles_up_for_who_does_not_read(wire: DirectWire, mailbox_id: int) -> None:
    ask(wire, PERSONAL)
    for number in range(20):
        folders.create_folder(mailbox_id, f"f{number}")
        folders.delete_folder(mailbox_id, f"f{number}")
    append_many(mailbox_id, inbox(mailbox_id), 20)
    # Some of them share a commit, hence a mod-sequence.
    modseq = Folder.objects.get(pk=inbox(mailbox_id)).highest_modseq
    assert 40 < modseq <= 61
    changes.publish([(mailbox_id, 0, 1)])
    assert len(wire._shell.wakes) == 1
    assert ask(wire, b"NOOP")[:-1] == [
        b"* STATUS INBOX (MESSAGES 20 UIDNEXT 21 UIDVALIDITY 1 UNSEEN 20 HIGHESTMODSEQ %d)" % modseq
    ]


def test_a_lost_notice_is_found_by_the_poll(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(wire, PERSONAL)
    monkeypatch.setattr(telling, "listeners", [])
    folders.create_folder(mailbox_id, "a")
    assert not wire._shell.wakes
    changes.poll()
    assert wire.read_line() == b'* LIST (\\HasNoChildren) "/" a\r\n'


@pytest.mark.parametrize("end", [b"NOTIFY NONE", b"UNAUTHENTICATE", b"LOGOUT"])
def test_it_ends(wire: DirectWire, mailbox_id: int, end: bytes) -> None:
    ask(wire, PERSONAL)
    assert is_watched(mailbox_id)
    ask(wire, end)
    wire.close()
    assert not is_watched(mailbox_id)


def test_it_ends_with_the_connection(wire: DirectWire, mailbox_id: int) -> None:
    ask(wire, PERSONAL)
    wire.close()
    assert not is_watched(mailbox_id)


def test_a_suspended_mailbox_gets_none(wire: DirectWire, mailbox_id: int) -> None:
    Mailbox.objects.filter(pk=mailbox_id).update(is_suspended=True)
    assert ask(wire, PERSONAL)[-1] == b"t NO Log in again."


def test_queries(wire: DirectWire, mailbox_id: int, django_assert_num_queries) -> None:
    ask(wire, b"NOOP")
    with django_assert_num_queries(0):
        ask(wire, b"NOOP")
    ask(wire, PERSONAL)
    with django_assert_num_queries(1):
        ask(wire, b"NOOP")
    append_many(mailbox_id, inbox(mailbox_id), 1)
    # The mailbox's MODSEQ, whether names changed, the folders that did.
    with django_assert_num_queries(3):
        assert len(ask(wire, b"NOOP")) == 2


def test_folders_of_others_cost_one_query(wire: DirectWire, django_assert_num_queries) -> None:
    ask(wire, b"NOTIFY SET (subtree Shared (MessageNew MessageExpunge))")
    with django_assert_num_queries(2):
        ask(wire, b"NOOP")
