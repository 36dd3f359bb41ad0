"""Two mailboxes on one folder, in several server processes: each sees what the other does."""

import imaplib
import time

import pytest

from tests.journeys.conftest import MakeInstance
from tests.partners.instance import Instance

ALICE, BOB = "alice@shared.test", "bob@shared.test"
NAME = f"Shared/{ALICE}/INBOX"
# Well below the poll that stands behind lost notices (`changes.POLL_SECONDS`).
AT_ONCE = 5.0
# So many connections do not all meet in one of two processes.
CONNECTIONS = 8


@pytest.fixture(scope="module")
def host(make_instance: MakeInstance) -> Instance:
    instance = make_instance("shared")
    for address in (ALICE, BOB):
        instance.add_mailbox(address)
    return instance


def idle(client: imaplib.IMAP4) -> None:
    client.send(b"i IDLE\r\n")
    assert hears(client, b"+ ") == b"+ idling\r\n"


def hears(client: imaplib.IMAP4, wanted: bytes) -> bytes:
    """The first line that has these octets in it."""
    until = time.monotonic() + AT_ONCE
    while True:
        client.sock.settimeout(max(0.01, until - time.monotonic()))
        line = client.readline()
        if wanted in line:
            return line
        assert line, f"hung up before {wanted!r}"


def test_sessions_in_all_processes_see_each_other(host: Instance) -> None:
    assert len(host.servers()) > 1
    alice = host.imap(ALICE)
    alice.setacl("INBOX", BOB, "lrs")
    assert alice.select("INBOX")[0] == "OK"
    readers = [host.imap(BOB) for _ in range(CONNECTIONS)]
    for reader in readers:
        assert reader.select(NAME)[0] == "OK"
        idle(reader)
    alice.append("INBOX", None, None, b"Subject: news\r\n\r\nHello, Bob.\r\n")
    for reader in readers:
        assert hears(reader, b"EXISTS") == b"* 1 EXISTS\r\n"
    others = [host.imap(ALICE) for _ in range(CONNECTIONS)]
    for other in others:
        other.select("INBOX", readonly=True)
        idle(other)
    writer = host.imap(BOB)
    writer.select(NAME)
    assert writer.store("1", "+FLAGS.SILENT", r"(\Seen \Flagged)")[0] == "OK"
    for session in (*readers, *others):
        line = hears(session, b"FETCH")
        assert rb"\Seen" in line
        assert rb"\Flagged" not in line
    assert alice.deleteacl("INBOX", BOB)[0] == "OK"
    for reader in readers:
        hears(reader, b"* BYE")
    writer.send(b"n NOOP\r\n")
    hears(writer, b"* BYE")
