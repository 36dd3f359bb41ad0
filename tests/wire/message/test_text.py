"""What SEARCH sees."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import (
    decoded_header,
    decoded_text,
    html_text,
    prepare,
)
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


def test_lines_of_a_header_that_are_no_field():
    octets = b"Subject: one\r\ntwo three\r\nTo: bob@a.test\r\n: four\r\nCc: carol@a.test\r\n\r\nx"
    assert [text for text in decoded_header(octets) if text] == [
        "Subject: one",
        "two three",
        "To: bob@a.test",
        ": four",
        "Cc: carol@a.test",
    ]


def test_header_fields_of_parts():
    octets = hostile_mail.attached_message()
    text = "\n".join(decoded_header(octets))
    assert "Content-Type: message/rfc822" in text
    assert "inner" not in text
    assert len("".join(decoded_header(octets, 40))) <= 40


NAMED = (
    b"Content-Disposition: attachment; filename=plan.pdf\r\n",
    b'Content-Disposition: attachment; filename="my plan.pdf"\r\n',
    b"Content-Disposition: attachment; filename*=utf-8''my%20pl%61n.pdf\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''my%20;\r\n filename*1=plan.pdf\r\n",
    b'Content-Disposition: attachment; filename="=?utf-8?b?bXkgcGxhbi5wZGY=?="\r\n',
    b'Content-Type: application/pdf; name="=?utf-8?q?my_plan.pdf?="\r\n',
    b"Content-Type: application/pdf; name=plan.pdf\r\n"
    b"Content-Disposition: attachment; filename=other\r\n",
    b"Content-Type: message/rfc822; name=plan.pdf\r\n",
    b"Content-Description: the =?utf-8?q?plan=2Epdf?=\r\n",
)


@pytest.mark.parametrize("fields", NAMED)
def test_names_of_attachments_however_they_are_written(fields):
    part = fields + b"Content-Transfer-Encoding: 7bit\r\n\r\nSubject: inner\r\n\r\nx"
    if b"message/" not in fields and b"Content-Type" not in fields:
        part = b"Content-Type: application/pdf\r\n" + part
    octets = b"Subject: x\r\n" + hostile_mail.multipart(b"b", [hostile_mail.text_part(b"y"), part])
    assert "plan.pdf" in text_of(octets)


def test_headers_of_attached_messages_are_read_with_their_names():
    part = b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?inner=20one?=\r\n\r\nx"
    octets = b"Subject: x\r\n" + hostile_mail.multipart(b"b", [part])
    assert "Subject: inner one" in text_of(octets)


def test_the_header_of_a_message_that_is_all_there_is_of_another():
    octets = b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ny"
    assert text_of(octets) == "Subject: inner\ny"


def test_reports_are_read():
    report = (
        b"Content-Type: message/delivery-status\r\n\r\n"
        b"Final-Recipient: rfc822; bob@a.test\r\nStatus: 5.1.1\r\n"
    )
    octets = b"Subject: x\r\n" + hostile_mail.multipart(b"b", [report], b"report")
    assert "Status: 5.1.1" in text_of(octets)


@pytest.mark.parametrize("params", [b"charset*0=koi8; charset*1=-r", b"charset*=''koi8-r"])
def test_a_charset_may_be_continued_or_encoded(params):
    octets = b"Content-Type: text/plain; " + params + b"\r\n\r\n" + "Привет".encode("koi8-r")
    assert text_of(octets) == prepare(octets).preview == "Привет"
    assert b"us-ascii" not in prepare(octets).bodystructure


def test_the_name_of_a_part_is_read():
    assert "€ rates" in decoded_text(hostile_mail.rfc2231(), 1000)


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
        ("<a href=\"x?1>2\" title='b > c'>d</a>", "d"),
        ('<p title = "a>b">c<br alt=">">d', "\nc\nd"),
        ("<b title=it's>x</b> isn't", "x isn't"),
        ('<b title="open>x</b> "y"', 'x "y"'),
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


class Recording:
    """A pattern, and the length of the longest text that it goes through without a break."""

    def __init__(self, pattern):
        self.pattern = pattern
        self.longest = 0

    def sub(self, replacement, text):
        self.longest = max(self.longest, len(text))
        return self.pattern.sub(replacement, text)

    def search(self, text, start, end):
        self.longest = max(self.longest, min(end, len(text)) - start)
        return self.pattern.search(text, start, end)


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("_SILENT", "<" * 300),
        ("_BLOCK_TAG", "<" * 300),
        ("_TAG", "<" * 300),
        ("_REFERENCE", "&#" * 150),
        ("_SPACES", "a " * 150),
    ],
)
def test_html_leaves_turns_to_other_threads(name, html, monkeypatch):
    """A pattern lets no other thread work; eight megabytes of "<" took seconds."""
    pattern = Recording(getattr(html_text, name))
    monkeypatch.setattr(html_text, "_PIECE", 40)
    monkeypatch.setattr(html_text, name, pattern)
    html_to_text(html)
    assert 40 <= pattern.longest < 80


HTML = st.sampled_from(
    ["<p>", "<b", "x", "  ", ">", "&amp", ";", "<!--", "-->", "<script", "</script", "\n", "/"]
)


@given(st.lists(HTML))
def test_html_in_pieces_reads_as_all_of_it(words):
    html = "".join(words)
    whole = html_to_text(html)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html_text, "_PIECE", 3)
        assert html_to_text(html) == whole
