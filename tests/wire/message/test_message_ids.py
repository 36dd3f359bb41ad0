"""Message-ids in one form (RFC 5256 §3)."""

import time

import pytest

from protocols.wire.message import ancestors, message_ids

CASES = {
    b"": [],
    b" <a@b.test>": [b"a@b.test"],
    b"<a@b.test> <c@d.test>": [b"a@b.test", b"c@d.test"],
    b"<a@b.test><a@b.test>": [b"a@b.test", b"a@b.test"],
    b"<a@b.test>,\r\n\t<c@d.test>": [b"a@b.test", b"c@d.test"],
    b'<"01KF8JCEOCBS0045PS"@xxx.yyy.com>': [b"01KF8JCEOCBS0045PS@xxx.yyy.com"],
    b'<"a \\"b\\" <c>"@d.test>': [b'a "b" <c>@d.test'],
    b'<a"b@c.test> "x" <d"e@f.test>': [b'a"b@c.test', b'd"e@f.test'],
    b"< a@b.test >": [b"a@b.test"],
    b"<a@\r\n b.test>": [b"a@b.test"],
    b"<A@B.test>": [b"A@B.test"],
    b"<a@b@c.test>": [b"a@b@c.test"],
    b"<nothing> <@b.test> <a@> <>": [],
    b"Your letter of Monday, from <alice@a.test> (Alice)": [b"alice@a.test"],
    b"<a@b.test": [],
    b"<a <b@c.test>": [b"b@c.test"],
    b"\xff<\xfe@b.test>": [b"\xfe@b.test"],
}


@pytest.mark.parametrize(("value", "found"), CASES.items())
def test_message_ids(value: bytes, found: list[bytes]) -> None:
    assert message_ids(value) == found


def test_references_come_before_in_reply_to() -> None:
    assert ancestors(b"<a@b> <c@d>", b"<e@f>") == [b"a@b", b"c@d"]
    assert ancestors(b"", b"<e@f> <g@h>") == [b"e@f"]
    assert ancestors(b"none", b"yours, <e@f>") == [b"e@f"]
    assert ancestors(b"", b"") == []


@pytest.mark.parametrize(
    "piece",
    [b"<", b'<"', b'<"a', b"<a@b>", b'<"a"', b"< ", b'"', b"<a", b'<\\"', b'<"\\', b'<"a" '],
)
def test_hostile_references_take_linear_time(piece: bytes) -> None:
    value = piece * ((4 << 20) // len(piece))
    started = time.process_time()
    message_ids(value)
    message_ids(value + b">")
    assert time.process_time() - started < 5
