"""Replies to octets and back (RFC 5321 §4.2, RFC 2034 §4)."""

import pytest

from protocols.wire.smtp.reply import BadReply, Reply, ReplyReader


def read(*lines: bytes) -> Reply | None:
    reader = ReplyReader()
    reply = None
    for line in lines:
        reply = reader.feed_line(line)
    return reply


@pytest.mark.parametrize(
    ("reply", "octets"),
    [
        (Reply(250, "2.1.0", "Ok"), b"250 2.1.0 Ok\r\n"),
        (Reply(220, "", "mx ESMTP"), b"220 mx ESMTP\r\n"),
        (Reply(250, "", ("mx", "SIZE 1")), b"250-mx\r\n250 SIZE 1\r\n"),
        (Reply(550, "5.1.1", ("no", "way")), b"550-5.1.1 no\r\n550 5.1.1 way\r\n"),
        (Reply(550, "5.1.1", "a\r\n250 b\x00"), b"550 5.1.1 a  250 b \r\n"),
        (Reply(550, "5.1.1", "ñ"), b"550 5.1.1 ?\r\n"),
        (Reply(550, "", "x" * 600), b"550 " + b"x" * 506 + b"\r\n"),
    ],
)
def test_octets(reply: Reply, octets: bytes) -> None:
    assert reply.to_bytes() == octets


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        ([b"250 2.1.0 Ok"], Reply(250, "2.1.0", "Ok")),
        ([b"250 Ok 2.1.0"], Reply(250, "", "Ok 2.1.0")),
        ([b"250"], Reply(250, "", "")),
        ([b"250 "], Reply(250, "", "")),
        ([b"250 5.1.0 odd"], Reply(250, "", "5.1.0 odd")),
        ([b"550-5.1.1 no", b"550 5.1.1 way"], Reply(550, "5.1.1", ("no", "way"))),
        ([b"550-5.7.1 a", b"550 5.7.10 b"], Reply(550, "5.7.1", ("a", "5.7.10 b"))),
        ([b"250-mx", b"250-SIZE 1", b"250 HELP"], Reply(250, "", ("mx", "SIZE 1", "HELP"))),
        ([b"550 a\rb\x00"], Reply(550, "", "a b ")),
    ],
)
def test_reading(lines: list[bytes], reply: Reply) -> None:
    assert read(*lines) == reply


@pytest.mark.parametrize(
    "lines",
    [
        [b""],
        [b"hello"],
        [b"150 x"],
        [b"600 x"],
        [b"250x"],
        [b"25"],
        [b"250-a", b"251 b"],
        [b"250-a"] * 200,
    ],
)
def test_no_reply(lines: list[bytes]) -> None:
    with pytest.raises(BadReply):
        read(*lines)


def test_an_unfinished_reply_waits() -> None:
    assert read(b"250-a", b"250-b") is None


def test_what_follows_from_the_code() -> None:
    assert Reply(250, "", "").is_completion
    assert not Reply(354, "", "").is_completion
    assert Reply(451, "", "").is_temporary
    assert not Reply(550, "", "").is_temporary
    assert Reply(550, "", "").is_permanent
    assert str(Reply(550, "5.1.1", ("no", "way"))) == "550 5.1.1 no way"
