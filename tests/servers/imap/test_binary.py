"""BINARY of large messages: decoded a piece at a time, and not from the start for each range."""

import base64
import re
from collections.abc import Iterator

import pytest

from accounts.login import Identity
from accounts.mailstore import append
from accounts.models import Mailbox
from protocols.servers.imap.fetch import SLICE_OCTETS
from protocols.wire.message import transfer
from tests.accounts.mail import inbox, make_mailbox
from tests.transcripts.direct import DirectVenue, DirectWire
from tests.transcripts.given import Scene

pytestmark = pytest.mark.django_db(transaction=True)

PICTURE = (b"picture" + bytes(249)) * 12_000
HEAD = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
LARGE = HEAD + (
    b"--b\r\n\r\nwords\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n"
    b"--b\r\nContent-Transfer-Encoding: x-own\r\n\r\n?\r\n--b--\r\n" % base64.encodebytes(PICTURE)
)


@pytest.fixture
def wire() -> Iterator[DirectWire]:
    mailbox_id = make_mailbox()
    append.append_message(mailbox_id, inbox(mailbox_id), LARGE).result(30)
    venue = DirectVenue(Scene("imap"))
    wire = venue.connect()
    address = Mailbox.objects.get(pk=mailbox_id).address
    wire._session._client.identity = Identity(mailbox_id, 1, address, 1)
    _say(wire, b"EXAMINE INBOX")
    yield wire
    venue.end()


def _say(wire: DirectWire, command: bytes) -> bytes:
    wire.send(b"t " + command + b"\r\n")
    said = b""
    while (line := wire.read_line()) is not None:
        said += line
        if line.startswith(b"t "):
            break
    return said


def test_whole(wire: DirectWire) -> None:
    assert len(LARGE) > SLICE_OCTETS
    said = _say(wire, b"FETCH 1 (UID BINARY.SIZE[2] BINARY[2] BINARY[1] BINARY[9] BINARY.SIZE[9])")
    assert said.startswith(
        b"* 1 FETCH (UID 1 BINARY.SIZE[2] %d BINARY[2] ~{%d}\r\n" % (len(PICTURE), len(PICTURE))
    )
    assert PICTURE in said
    end = b" BINARY[1] {5}\r\nwords BINARY[9] NIL BINARY.SIZE[9] 0)\r\nt OK Done.\r\n"
    assert said.endswith(end)


@pytest.mark.parametrize(
    ("start", "count"),
    [(0, 7), (256, 300), (len(PICTURE) - 3, 10), (len(PICTURE) + 5, 1), (100_000, 2_000_000)],
)
def test_ranges(wire: DirectWire, start: int, count: int) -> None:
    said = _say(wire, b"FETCH 1 BINARY[2]<%d.%d>" % (start, count))
    part = PICTURE[start : start + count]
    match = re.match(rb"\* 1 FETCH \(BINARY\[2\]<%d> ~?\{%d\}\r\n" % (start, len(part)), said)
    assert match is not None
    assert said[match.end() :].startswith(part + b")\r\nt OK")


def test_a_range_does_not_read_what_lies_before_it_again(
    wire: DirectWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    _say(wire, b"FETCH 1 BINARY.SIZE[2]")
    steps = []

    def counted(*arguments: object) -> object:
        steps.append(1)
        return step(*arguments)

    decoded = wire._session._client.structures._kept[1]._decoded[(2,)]
    step = decoded._step
    monkeypatch.setattr(decoded, "_step", counted)
    _say(wire, b"FETCH 1 BINARY[2]<2900000.100>")
    assert len(steps) == 1
    assert len(LARGE) > 10 * transfer.PIECE


def test_an_unknown_encoding(wire: DirectWire) -> None:
    said = _say(wire, b"FETCH 1 (BINARY[2] BINARY[3])")
    assert said.startswith(b"t NO [UNKNOWN-CTE]")
