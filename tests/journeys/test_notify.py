"""NOTIFY in several server processes: who asked hears of all folders, whichever process acts."""

import imaplib

import pytest

from tests.journeys.conftest import MakeInstance
from tests.journeys.test_shared_folders import CONNECTIONS, hears
from tests.partners.instance import Instance

ALICE = "alice@notify.test"


@pytest.fixture(scope="module")
def host(make_instance: MakeInstance) -> Instance:
    instance = make_instance("notify")
    instance.add_mailbox(ALICE)
    return instance


def notify(client: imaplib.IMAP4) -> None:
    client.send(
        b"n NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName"
        b" SubscriptionChange MailboxMetadataChange))\r\n"
    )
    assert hears(client, b"n ") == b"n OK Done.\r\n"


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
    all_hear(b"* STATUS Work (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7 UNSEEN 0)\r\n")
    alice.append("Work", None, None, b"Subject: news\r\n\r\nHello.\r\n")
    all_hear(b"* STATUS Work (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7 UNSEEN 1)\r\n")
    alice.select("Work")
    alice.store("1", "+FLAGS.SILENT", r"(\Seen)")
    all_hear(b"* STATUS Work (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7 UNSEEN 0)\r\n")
    alice.unselect()
    alice.subscribe("Work")
    all_hear(b'* LIST (\\HasNoChildren \\Subscribed) "/" Work\r\n')
    alice.send(b's SETMETADATA Work (/private/comment "x")\r\n')
    hears(alice, b"s OK")
    all_hear(b"* METADATA Work /private/comment\r\n")
    alice.rename("Work", "Play")
    all_hear(b'* LIST (\\HasNoChildren) "/" Play ("OLDNAME" (Work))\r\n')
    all_hear(b"* STATUS Play (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7 UNSEEN 0)\r\n")
    alice.delete("Play")
    all_hear(b'* LIST (\\NonExistent) "/" Play\r\n')
