"""The first words of a message (RFC 8970 §3)."""

import base64
import binascii
import time

import pytest

from protocols.wire.message import parse, prepare
from protocols.wire.message.preview import PREVIEW_LENGTH, READ_LIMIT, render_preview
from tests import hostile_mail


def preview(octets: bytes) -> str:
    return render_preview(octets, parse(octets))


def text(body: str, *, kind: str = "plain", charset: str = "utf-8", header: str = "") -> bytes:
    head = f"Subject: x\r\nContent-Type: text/{kind}; charset={charset}\r\n{header}\r\n"
    return head.encode() + body.encode(charset)


def parts(*each: bytes, kind: str = "mixed") -> bytes:
    inner = b"".join(b"--b\r\n" + part + b"\r\n" for part in each)
    return b"Content-Type: multipart/%b; boundary=b\r\n\r\n%b--b--\r\n" % (kind.encode(), inner)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"Subject: x\r\n\r\nHello,\r\n\r\n\tBob.  \r\n", "Hello, Bob."),
        (b"no header at all\r\n", "no header at all"),
        (b"Subject: x\r\n\r\n", ""),
        (text("Grüße aus Köln", charset="iso-8859-1"), "Grüße aus Köln"),
        (text("> said he\r\n> again\r\nNo.\r\n"), "No."),
        (text("> said he\r\n> again\r\n"), "> said he > again"),
        (text("a " * 50 + "\r\n> " + "b " * 600 + "\r\nc"), "a " * 50 + "c"),
        (text("<p>Dear <b>Bob</b>,</p><p>1 &lt; 2</p>", kind="html"), "Dear Bob, 1 < 2"),
        (
            text(
                "<html><head><title>T</title><style>p{}</style></head><body class=x><p>Hi</html>",
                kind="html",
            ),
            "Hi",
        ),
        (text("a\u200bb &zwnj;&nbsp;&zwnj;&nbsp;&#8203;c \u202ed", kind="html"), "ab c d"),
        (text("a\0b\x1b[31mc\x07\x85d"), "a\ufffdb[31mc d"),
        (parts(text("", kind="html"), text("second")), "second"),
        (
            parts(text("attached", header="Content-Disposition: attachment\r\n"), text("shown")),
            "shown",
        ),
        (parts(text("plain"), text("<b>html</b>", kind="html"), kind="alternative"), "plain"),
        (parts(b"Content-Type: image/png\r\n\r\nxyz"), ""),
        (b"Content-Type: application/pkcs7-mime\r\n\r\nMIIB", ""),
        (parts(b"Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\ninner"), "inner"),
    ],
)
def test_words(octets: bytes, words: str) -> None:
    assert preview(octets) == words
    assert prepare(octets).preview == words


def test_a_long_text_is_cut() -> None:
    words = preview(text("word " * 10_000))
    assert words == ("word " * 40).strip()
    assert len(preview(text("x" * 10_000))) == PREVIEW_LENGTH


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("character", ["я", "€", "𝄞"])
def test_undeclared_text_that_is_cut_within_a_character_stays_utf_8(
    shift: int, character: str
) -> None:
    body = ("x" * shift + character * 20_000).encode()
    words = preview(b"Subject: x\r\n\r\n" + body)
    assert words == ("x" * shift + character * 200)[:200]


def test_a_long_style_sheet_hides_no_words() -> None:
    html = f"<head><style>{'p { color: red }' * 2000}</style></head><body><p>Words</p></body>"
    assert preview(text(html, kind="html")) == "Words"
    encoded = binascii.b2a_qp(html.encode())
    head = b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert preview(head + encoded) == "Words"


def test_a_window_that_ends_within_a_tag_shows_nothing_of_it() -> None:
    html = "<p>Hi</p>" + "<!-- x -->" * 90 + f'<a href="{"x" * 70_000}">there</a>'
    assert preview(text(html, kind="html")) == "Hi"


def test_what_is_read_is_bounded() -> None:
    hidden = "<!-- hidden -->" * (READ_LIMIT // 10)
    each = text(f"{hidden}<p>late</p>", kind="html")
    message = parts(*[each] * 20)
    begun = time.process_time()
    for _ in range(10):
        assert preview(message) == ""
    # 64 KiB of hidden HTML take some milliseconds; twenty times that would show here.
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "html",
    [
        "<" * 200_000,
        "<p " * 70_000,
        "&" * 200_000,
        "<!--" * 50_000,
        "<body" * 40_000,
        "> " * 90_000,
    ],
    ids=lambda html: html[:5],
)
def test_hostile_html_takes_little_time(html: str) -> None:
    message = text(html, kind="html")
    begun = time.process_time()
    assert len(preview(message)) <= PREVIEW_LENGTH
    assert time.process_time() - begun < 0.5


def test_base64_and_odd_charsets() -> None:
    body = base64.encodebytes((("日本語 " * 9 + "\n") * 99).encode("iso2022_jp"))
    head = b"Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: base64\r\n"
    assert preview(head + b"\r\n" + body) == ("日本語 " * 50).strip()
    assert preview(text("日本語\n" * 5000, charset="utf-16")) == ("日本語 " * 50).strip()


@pytest.mark.parametrize("sample", hostile_mail.SAMPLES, ids=str)
def test_hostile_mail(sample: hostile_mail.Sample) -> None:
    words = prepare(sample.build()).preview
    assert len(words.encode()) <= 4 * PREVIEW_LENGTH
    assert "\n" not in words
    assert "\r" not in words
