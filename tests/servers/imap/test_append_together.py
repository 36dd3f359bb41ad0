"""APPENDs of many messages, as clients gone mad send them."""

from collections.abc import Iterator

import pytest

from accounts.blobs import directory
from accounts.blobs.place import SPOOLS
from accounts.blobs.spool import IN_MEMORY
from accounts.login import Identity
from accounts.models import Blob, Entry, Mailbox
from tests.accounts.mail import make_mailbox
from tests.transcripts.dialogue import Silence
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

ONE = b"X: y\r\n\r\n"


@pytest.fixture
def wire() -> Iterator[DirectWire]:
    mailbox_id = make_mailbox()
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    assert wire.read_line() is not None
    address = Mailbox.objects.get(pk=mailbox_id).address
    wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
    yield wire
    venue.end()


def _say(wire: DirectWire, octets: bytes, tag: bytes = b"t") -> bytes:
    wire.send(octets)
    said = b""
    while (line := wire.read_line()) is not None:
        said += line
        if line.startswith(tag + b" "):
            break
    return said


def test_a_thousand_messages_and_no_more(wire: DirectWire) -> None:
    literal = b" {%d+}\r\n%b" % (len(ONE), ONE)
    assert b"t OK [APPENDUID 1 1:1000]" in _say(wire, b"t APPEND INBOX" + literal * 1000 + b"\r\n")
    said = _say(wire, b"t APPEND INBOX" + literal * 3000 + b"\r\n")
    assert said.startswith(b"t NO [LIMIT]")
    assert b"t OK" in _say(wire, b"t NOOP\r\n")
    assert Entry.objects.count() == 1000


def test_what_is_held_in_memory_is_bounded(
    wire: DirectWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocols.servers.imap.append.MAX_HELD", 100_000)
    octets = b"Subject: %b\r\n\r\n" % (b"x" * 30_000)
    literal = b" {%d+}\r\n%b" % (len(octets), octets)
    assert _say(wire, b"t APPEND INBOX" + literal * 20 + b"\r\n").startswith(b"t NO [LIMIT]")
    assert Blob.objects.count() < 10
    assert not Entry.objects.exists()


def test_many_octets_wait_for_the_committer(
    wire: DirectWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocols.servers.imap.append.MAX_UNSETTLED", 10)
    literal = b" {%d+}\r\n%b" % (len(ONE), ONE)
    assert b"t OK [APPENDUID 1 1:9]" in _say(wire, b"t APPEND INBOX" + literal * 9 + b"\r\n")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(wire: DirectWire) -> None:
    wire.send(b"t APPEND INBOX {%d+}\r\n%b {%d+}\r\n" % (len(ONE), ONE, 3 * IN_MEMORY))
    wire.send(b"x" * 2 * IN_MEMORY)
    with pytest.raises(Silence):
        wire.read_line()
    spools = directory() / SPOOLS
    assert len(list(spools.iterdir())) == 1
    wire._session.closed()
    assert list(spools.iterdir()) == []
    assert not Entry.objects.exists()
