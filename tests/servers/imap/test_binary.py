"""BINARY of large messages: decoded a piece at a time, and not from the start for each range."""

import base64
import re

import pytest

from accounts.mailstore import append
from protocols.servers.imap.fetch import SLICE_OCTETS
from protocols.wire.message import transfer
from tests.accounts.mail import inbox
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)

PICTURE = (b"picture" + bytes(249)) * 12_000
HEAD = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
LARGE = HEAD + (
    b"--b\r\n\r\nwords\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n"
    b"--b\r\nContent-Transfer-Encoding: x-own\r\n\r\n?\r\n--b--\r\n" % base64.encodebytes(PICTURE)
)


@pytest.fixture(autouse=True)
def _examined(wire: DirectWire, mailbox_id: int) -> None:
    append.append_message(mailbox_id, inbox(mailbox_id), LARGE).result(30)
    ask(wire, b"EXAMINE INBOX")


def test_whole(wire: DirectWire) -> None:
    assert len(LARGE) > SLICE_OCTETS
    said = ask(wire, b"FETCH 1 (UID BINARY.SIZE[2] BINARY[2] BINARY[1] BINARY[9] BINARY.SIZE[9])")
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
    said = ask(wire, b"FETCH 1 BINARY[2]<%d.%d>" % (start, count))
    part = PICTURE[start : start + count]
    match = re.match(rb"\* 1 FETCH \(BINARY\[2\]<%d> ~?\{%d\}\r\n" % (start, len(part)), said)
    assert match is not None
    assert said[match.end() :].startswith(part + b")\r\nt OK")


def test_a_range_does_not_read_what_lies_before_it_again(
    wire: DirectWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(wire, b"FETCH 1 BINARY.SIZE[2]")
    steps = []

    def counted(*arguments: object) -> object:
        steps.append(1)
        return step(*arguments)

    decoded = wire._session._client.structures._kept[1]._decoded[(2,)]
    step = decoded._step
    monkeypatch.setattr(decoded, "_step", counted)
    ask(wire, b"FETCH 1 BINARY[2]<2900000.100>")
    assert len(steps) == 1
    assert len(LARGE) > 10 * transfer.PIECE


def test_an_unknown_encoding(wire: DirectWire) -> None:
    said = ask(wire, b"FETCH 1 (BINARY[2] BINARY[3])")
    assert said.startswith(b"t NO [UNKNOWN-CTE]")
