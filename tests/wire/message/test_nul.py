"""Parts that hold NUL, encoded so that the message is text (RFC 3516 §4.4)."""

import base64
import mmap
import tempfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import encode_nul, parse, walk
from protocols.wire.message.decode import decode_transfer
from tests.wire.message.test_hostile import mail_like


def encoded(octets: bytes) -> bytes | None:
    pieces = encode_nul(octets)
    return None if pieces is None else b"".join(pieces)


def contents(octets: bytes) -> list[bytes]:
    """What the leaves of a message stand for."""
    return [
        decode_transfer(octets[part.body_start : part.body_end], part.encoding)
        for part in walk(parse(octets))
        if not part.is_multipart and part.message is None
    ]


PARTS = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\ntext\r\n"
    b"--b\r\nContent-Type: image/png\r\ncontent-transfer-encoding: binary\r\nX-Y: z\r\n\r\n"
    b"\0PNG\r\n\0%b\r\n--b--\r\n" % bytes(range(256))
)


def test_only_the_part_is_changed() -> None:
    changed = encoded(PARTS) or b""
    assert b"\0" not in changed
    assert contents(changed) == contents(PARTS)
    assert changed.startswith(PARTS[: PARTS.index(b"content-transfer")])
    header = b"Content-Type: image/png\r\nX-Y: z\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert header in changed
    assert changed.endswith(b"\r\n--b--\r\n")
    assert max(map(len, changed.split(b"\r\n"))) <= 78


def test_what_holds_no_nul_stays_as_it_is() -> None:
    octets = PARTS.replace(b"\0", b"0")
    assert encoded(octets) == octets


@pytest.mark.parametrize(
    ("octets", "changed"),
    [
        (
            b"Subject: x\r\n\r\na\0",
            b"MIME-Version: 1.0\r\nSubject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nYQA=\r\n",
        ),
        (b"a\0", b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQA=\r\n"),
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\0",
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nQQA=\r\n",
        ),
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nQU\0E=",
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nQUE=\r\n",
        ),
    ],
)
def test_one_part(octets: bytes, changed: bytes) -> None:
    assert encoded(octets) == changed


def test_an_attached_message_is_changed_inside() -> None:
    octets = b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nin\0side"
    changed = encoded(octets) or b""
    assert contents(changed)[0].rstrip() == b"in\0side"
    assert b"Content-Type: message/rfc822\r\n\r\nSubject: y\r\n" in changed


@pytest.mark.parametrize(
    "octets",
    [
        b"Subject: \0\r\n\r\nx",
        PARTS.replace(b"\r\n--b\r\n\r\n", b"\r\n\0--b\r\n\r\n", 1),
        PARTS + b"epi\0logue",
        b"Content-Transfer-Encoding: x-own\r\n\r\na\0",
        b"Content-Type: multipart/mixed\r\n\r\na\0",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\na\0",
        b"Subject: x\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\na\0",
    ],
    ids=lambda octets: repr(octets[:40]),
)
def test_what_cannot_be_encoded(octets: bytes) -> None:
    assert encoded(octets) is None


@given(st.one_of(mail_like, st.binary(max_size=200)))
def test_any_octets(octets: bytes) -> None:
    changed = encoded(octets)
    if changed is not None:
        assert b"\0" not in changed
        assert encoded(changed) == changed


def test_a_large_part_in_a_file() -> None:
    body = bytes(range(256)) * 40_000
    octets = b"MIME-Version: 1.0\r\nContent-Type: image/png\r\n\r\n" + body
    with tempfile.TemporaryFile() as file:
        file.write(octets)
        file.flush()
        mapped = mmap.mmap(file.fileno(), len(octets), prot=mmap.PROT_READ)
        begun = time.process_time()
        pieces = list(encode_nul(mapped) or ())
        assert time.process_time() - begun < 3
        mapped.close()
    assert max(map(len, pieces)) < 1 << 20
    assert base64.b64decode(b"".join(pieces).split(b"\r\n\r\n", 1)[1]) == body
