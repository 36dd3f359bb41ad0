"""What takes long to prepare is told before; ordinary mail is soon prepared."""

import pytest

from protocols.wire.message import is_soon_prepared

HEADER = (
    b"Received: from a.test (a.test [192.0.2.1])\r\n by b.test with ESMTPS id 1; 1 Jan 2026\r\n"
    b'From: "Doe, Jane" <jane@a.test>\r\nTo: bob@b.test, eve@c.test\r\nSubject: Hello there\r\n'
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\nMessage-ID: <1.2@a.test>\r\n"
)
MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n"
FORWARD = b"Content-Type: message/rfc822\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"Hi\r\n",
        HEADER + b"\r\n" + b"a word, and (another)\r\n" * 5000,
        HEADER + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + b"<p>a</p>\r\n" * 10_000,
        HEADER + b"Content-Type: application/pdf\r\n\r\n" + b"--b\r\n" * 10_000,
        HEADER + MULTIPART + b"\r\n--b\r\n\r\nHi there\r\n--b\r\n\r\n" + b"x" * 100_000,
        HEADER + FORWARD + b"\r\n" + HEADER + b"\r\nHi\r\n",
    ],
)
def test_ordinary_mail(octets: bytes) -> None:
    assert is_soon_prepared(octets)


@pytest.mark.parametrize(
    "octets",
    [
        *(
            b"To: " + odd * 4000 + b"\r\n\r\nHi\r\n"
            for odd in (b"(c)a@b,", b"]", b"a ", b"<>", b"()")
        ),
        b"a:\r\n" * 4000 + b"\r\nHi\r\n",
        b"To: " + b"a@b," * 4000,
        MULTIPART + b"\r\n" + b"--b\r\n\r\n\r\n" * 1000,
        MULTIPART + b"\r\n--b\r\n" + FORWARD + b"\r\nTo: " + b"]" * 4000 + b"\r\n",
        FORWARD + b"\r\nTo: " + b"]" * 4000 + b"\r\n",
        b"Content-Type: mess(a comment)age/rfc822\r\n\r\nTo: " + b"]" * 4000 + b"\r\n",
        b"Content-Type : text/plain\r\ncontent-type:\r\n x/y\r\n\r\n" + b"a," * 4000,
    ],
)
def test_what_takes_long(octets: bytes) -> None:
    assert not is_soon_prepared(octets)
