"""IDLE under load: notices that come together cost one look (RFC 2177)."""

from collections.abc import Iterator

import pytest

from accounts.login import Identity
from accounts.mailstore import changes
from accounts.models import Mailbox
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mailbox_id() -> int:
    return make_mailbox()


@pytest.fixture
def wire(mailbox_id: int) -> Iterator[DirectWire]:
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    address = Mailbox.objects.get(pk=mailbox_id).address
    wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
    wire.read_line()
    yield wire
    venue.end()


@pytest.mark.parametrize("enabled", ["CONDSTORE", "METADATA"])
def test_notices_together_queue_one_look(wire: DirectWire, mailbox_id: int, enabled: str) -> None:
    wire.send(f"e ENABLE {enabled}\r\ns EXAMINE INBOX\r\ni IDLE\r\n".encode())
    while (wire.read_line() or b"") != b"+ idling\r\n":
        pass
    # The look with which IDLE begins.
    assert len(wire._shell.wakes) == 1
    wire._venue.run_wakes()
    assert not wire._shell.wakes
    append_many(mailbox_id, inbox(mailbox_id), 3)
    for modseq in range(5):
        changes.publish([(mailbox_id, inbox(mailbox_id), 100 + modseq)])
    assert len(wire._shell.wakes) == 1
    wire._venue.run_wakes()
    assert wire.read_line() == b"* 3 EXISTS\r\n"
