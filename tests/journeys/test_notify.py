"""NOTIFY in several server processes: who asked hears of all folders, whichever process acts."""

import imaplib

import pytest

from tests.journeys.conftest import MakeInstance
from tests.journeys.test_shared_folders import CONNECTIONS, hears
from tests.partners.instance import Instance

ALICE = "alice@notify.test"
BOB = "bob@notify.test"


@pytest.fixture(scope="module")
def host(make_instance: MakeInstance) -> Instance:
    instance = make_instance("notify")
    instance.add_mailbox(ALICE)
    instance.add_mailbox(BOB)
    return instance


PERSONAL = (
    b"(personal (MessageNew MessageExpunge FlagChange MailboxName"
    b" SubscriptionChange MailboxMetadataChange))"
)


def notify(client: imaplib.IMAP4, groups: bytes = PERSONAL) -> None:
    client.send(b"n NOTIFY SET %b\r\n" % groups)
    assert hears(client, b"n ") == b"n OK Done.\r\n"


def uidvalidity(client: imaplib.IMAP4, name: str) -> bytes:
    _, [status] = client.status(name, "(UIDVALIDITY)")
    assert isinstance(status, bytes)
    return status.rpartition(b" ")[2].rstrip(b")")


def test_sessions_in_all_processes_are_told(host: Instance) -> None:
    assert len(host.servers()) > 1
    watchers = [host.imap(ALICE) for _ in range(CONNECTIONS)]
    for watcher in watchers:
        notify(watcher)
    alice = host.imap(ALICE)

    def all_hear(line: bytes) -> None:
        for watcher in watchers:
            assert hears(watcher, b"* ") == line

    alice.create("Work")
    all_hear(b'* LIST (\\HasNoChildren) "/" Work\r\n')
    valid = uidvalidity(alice, "Work")
    numbers = b"* STATUS %b (MESSAGES %d UIDNEXT %d UIDVALIDITY %b UNSEEN %d HIGHESTMODSEQ %d)\r\n"
    all_hear(numbers % (b"Work", 0, 1, valid, 0, 2))
    alice.append("Work", None, None, b"Subject: news\r\n\r\nHello.\r\n")
    all_hear(numbers % (b"Work", 1, 2, valid, 1, 3))
    alice.select("Work")
    alice.store("1", "+FLAGS.SILENT", r"(\Seen)")
    all_hear(numbers % (b"Work", 1, 2, valid, 0, 4))
    alice.unselect()
    alice.subscribe("Work")
    all_hear(b'* LIST (\\HasNoChildren \\Subscribed) "/" Work\r\n')
    alice.send(b's SETMETADATA Work (/private/comment "x")\r\n')
    hears(alice, b"s OK")
    # RFC 7162 §3.2: the folder's mod-sequence rises with it.
    all_hear(numbers % (b"Work", 1, 2, valid, 0, 6))
    all_hear(b"* METADATA Work /private/comment\r\n")
    alice.rename("Work", "Play")
    all_hear(b'* LIST (\\HasNoChildren) "/" Play ("OLDNAME" (Work))\r\n')
    all_hear(numbers % (b"Play", 1, 2, valid, 0, 7))
    alice.delete("Play")
    all_hear(b'* LIST (\\NonExistent) "/" Play\r\n')


def test_folders_of_others_are_told_of_in_all_processes(host: Instance) -> None:
    watchers = [host.imap(BOB) for _ in range(CONNECTIONS)]
    for watcher in watchers:
        notify(watcher, b"(subtree Shared (MessageNew MessageExpunge MailboxName))")
    alice = host.imap(ALICE)

    def all_hear(line: bytes) -> None:
        for watcher in watchers:
            assert hears(watcher, b"* ") == line

    name = b"Shared/alice@notify.test/Sent"
    valid = uidvalidity(alice, "Sent")
    numbers = b"* STATUS %b (MESSAGES %d UIDNEXT %d UIDVALIDITY " + valid + b" UNSEEN %d)\r\n"
    alice.setacl("Sent", BOB, "lr")
    all_hear(b'* LIST (\\HasNoChildren) "/" %b\r\n' % name)
    all_hear(numbers % (name, 0, 1, 0))
    alice.append("Sent", None, None, b"Subject: news\r\n\r\nHello.\r\n")
    all_hear(numbers % (name, 1, 2, 1))
    alice.setacl("Sent", BOB, "l")
    all_hear(b'* LIST (\\HasNoChildren \\NoAccess) "/" %b\r\n' % name)
    alice.append("Sent", None, None, b"Subject: not for you\r\n\r\nHello.\r\n")
    alice.deleteacl("Sent", BOB)
    all_hear(b'* LIST (\\NonExistent) "/" %b\r\n' % name)
