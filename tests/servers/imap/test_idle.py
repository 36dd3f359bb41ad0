"""IDLE under load: notices that come together cost one look (RFC 2177)."""

import pytest

from accounts.mailstore import changes
from tests.accounts.mail import append_many, inbox
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)


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
