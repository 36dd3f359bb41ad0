"""What arrival adds and takes away."""

import pytest

from protocols.wire.message import add_missing_fields, ranges_to_strip

MISSING = {
    "message_id": b"<id@a.test>",
    "date": b"Mon, 23 Nov 2026 09:00:00 +0100",
    "sender": b"alice@a.test",
}
ID, DATE, FROM = (
    b"Message-ID: <id@a.test>\r\n",
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\n",
    b"From: alice@a.test\r\n",
)


@pytest.mark.parametrize(
    ("octets", "prefix"),
    [
        (b"hello\r\n", ID + DATE + FROM + b"\r\n"),
        (b"", ID + DATE + FROM + b"\r\n"),
        (b"\r\nhello\r\n", ID + DATE + FROM + b"\r\n"),
        (b"Subject: x\r\n\r\nhello", ID + DATE + FROM),
        (b"from: x\r\n\r\nDate: in the body", ID + DATE),
        (b"From: x\r\nDATE: x\r\nMessage-Id: <x>\r\n\r\nhello", b""),
        (b"From: x\r\nDate:\r\nMessage-ID: <x>\r\n\r\nhello", DATE),
    ],
)
def test_missing_fields(octets, prefix):
    assert add_missing_fields(octets, **MISSING) == prefix


def test_no_sender_adds_no_from():
    assert add_missing_fields(b"hi", **(MISSING | {"sender": b""})) == ID + DATE + b"\r\n"


@pytest.mark.parametrize(
    ("octets", "kept"),
    [
        (b"Return-Path: <x>\r\nSubject: s\r\n\r\nReturn-Path: body", None),
        (b"A: b\r\nreturn-path :\r\n <x>\r\nC: d\r\n\r\n", b"A: b\r\nC: d\r\n\r\n"),
        (b"Authentication-Results: mx.a.test; spf=pass\r\nC: d\r\n\r\n", b"C: d\r\n\r\n"),
        (b"Authentication-Results: (x) MX.a.test 1;\r\n none\r\nC: d\r\n\r\n", b"C: d\r\n\r\n"),
        (b'Authentication-Results: "mx.a.test"; none\r\nC: d\r\n\r\n', b"C: d\r\n\r\n"),
        (b"Return-Path: <x>\r\nReturn-Path: <y>\r\n\r\nbody", b"\r\nbody"),
    ],
)
def test_only_what_we_alone_may_write_is_stripped(octets, kept):
    expected = octets.partition(b"\r\n")[2] if kept is None else kept
    ranges = ranges_to_strip(octets, authserv_id=b"mx.a.test")
    for start, end in reversed(ranges):
        octets = octets[:start] + octets[end:]
    assert octets == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"Subject: s\r\n\r\nReturn-Path: <x>\r\n",
        b"Authentication-Results: mx.other.test; spf=pass\r\n\r\nbody",
        b"Authentication-Results: mx.a.test.other; none\r\n\r\nbody",
        b"X-Return-Path: <x>\r\n\r\nbody",
        b"no header\r\nReturn-Path: <x>\r\n\r\n",
    ],
)
def test_nothing_is_to_be_stripped(octets):
    assert not ranges_to_strip(octets, authserv_id=b"mx.a.test")
