"""APPENDs of many messages, as clients gone mad send them."""

from pathlib import Path

import pytest

from accounts.blobs.place import SEGMENTS, SPOOLS
from accounts.blobs.spool import IN_MEMORY
from accounts.models import Blob, Entry
from tests.accounts.disk import own_spools
from tests.transcripts.dialogue import Silence
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

ONE = b"X: y\r\n\r\n"


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


@pytest.mark.parametrize("part", [SPOOLS, SEGMENTS])
def test_a_disk_that_takes_no_large_message_is_away_for_now(
    wire: DirectWire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str
) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    (blobs / part).touch()
    for module in ("spool", "segments"):
        monkeypatch.setattr(f"accounts.blobs.{module}.directory", lambda: blobs)
    large = ONE + b"x" * IN_MEMORY
    said = _say(wire, b"t APPEND INBOX {%d+}\r\n%b\r\n" % (len(large), large))
    assert said.startswith(b"t NO [UNAVAILABLE] ")
    assert not list(blobs.rglob("*.spool"))
    assert _say(wire, b"u NOOP\r\n", b"u").startswith(b"u OK ")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(wire: DirectWire) -> None:
    wire.send(b"t APPEND INBOX {%d+}\r\n%b {%d+}\r\n" % (len(ONE), ONE, 3 * IN_MEMORY))
    wire.send(b"x" * 2 * IN_MEMORY)
    with pytest.raises(Silence):
        wire.read_line()
    assert len(own_spools()) == 1
    wire._session.closed()
    assert own_spools() == []
    assert not Entry.objects.exists()
