"""What SEARCH sees."""

import time

import pytest

from protocols.wire.message import decoded_header, decoded_text, parse, part_name, walk
from protocols.wire.message.html_text import html_to_text
from tests import hostile_mail


def text_of(octets, limit=1 << 20):
    return "\n".join(decoded_text(octets, limit))


def test_all_texts_of_a_message():
    text = text_of(hostile_mail.alternative_with_attachment())
    assert "Grüße" in text
    assert "& more" in text
    assert "grün.png" in text
    assert "<b>" not in text


def test_charset_and_attached_header():
    assert "Größe: 10 €" in text_of(hostile_mail.latin1_body())
    assert "inner" in text_of(hostile_mail.attached_message())
    assert "plain" not in text_of(hostile_mail.plain()).split()


def test_limit():
    octets = b"Subject: x\r\n\r\n" + b"word " * 1000
    assert len(text_of(octets, 50)) == 50
    assert text_of(octets, 0) == ""


def test_decoded_header():
    fields = list(decoded_header(hostile_mail.encoded_subject()))
    assert "Subject: Grüßeodd" in fields  # RFC 2047 §6.2: no space between encoded words


def test_part_name():
    octets = hostile_mail.rfc2231()
    assert [part_name(part) for part in walk(parse(octets))] == ["€ rates"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<b>b</b>c", "abc"),
        ("a<br/>b<p class='x'>c</p>", "a\nb\nc\n"),
        ("<style>p{}</style>a<script>x<y</script >b", " a b"),
        ("a<!-- <p>hidden -->b", "a b"),
        ("a<!-- never closed", "a"),
        ("&lt;&amp;&#65;&#x42;&nbsp;&euro;&nosuch;", "<&AB €&nosuch;"),
        ("&#0;&#xD800;&#9999999;", "\ufffd\ufffd\ufffd"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<", "<"),
    ],
)
def test_html(html, text):
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "html",
    ["<" * 300_000, "<!--" * 100_000, "<script>" * 50_000, "&#" * 200_000, "<div><p " * 50_000],
)
def test_html_takes_linear_time(html):
    begun = time.process_time()
    html_to_text(html)
    assert time.process_time() - begun < 1
