"""URLs of messages (RFC 5092 §11)."""

import time

import pytest

from protocols.wire.imap.fetch_grammar import body_section
from protocols.wire.imap.fetch_items import BodySection
from protocols.wire.imap.url import MAX_URL, MessageUrl, parse_url


def section(text: bytes) -> BodySection:
    found = body_section(text)
    assert found is not None
    return found


WHOLE = section(b"")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (b"/INBOX/;UID=1", MessageUrl("", "", "INBOX", 0, 1, WHOLE)),
        (b"/inbox;uidvalidity=7/;uid=20", MessageUrl("", "", "INBOX", 7, 20, WHOLE)),
        (
            b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
            MessageUrl("", "", "Drafts", 385759045, 20, section(b"HEADER")),
        ),
        (
            b"/a/b%20c%C3%A9/;UID=3/;SECTION=1.2.MIME/;PARTIAL=5.10",
            MessageUrl("", "", "a/b cé", 0, 3, section(b"1.2.MIME"), 5, 10),
        ),
        (b"/x/;UID=3/;PARTIAL=5", MessageUrl("", "", "x", 0, 3, WHOLE, 5)),
        (
            b"/x/;UID=3/;SECTION=HEADER.FIELDS%20(To%20Cc)",
            MessageUrl("", "", "x", 0, 3, section(b"HEADER.FIELDS (To Cc)")),
        ),
        (
            b"IMAP://Alice%40a.test;AUTH=*@Mail.Example.Test:143/x/;UID=3",
            MessageUrl("Alice@a.test", "mail.example.test", "x", 0, 3, WHOLE),
        ),
        (b"imap://h/x/;UID=3", MessageUrl("", "h", "x", 0, 3, WHOLE)),
        (b"imap://;AUTH=*@h/x/;UID=3", MessageUrl("", "h", "x", 0, 3, WHOLE)),
    ],
)
def test_url(text: bytes, url: MessageUrl) -> None:
    assert parse_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"/",
        b"/INBOX",
        b"/INBOX/",
        b"INBOX/;UID=1",
        b";UID=1",
        b"/;UID=1",
        b"/INBOX/;UID=0",
        b"/INBOX/;UID=1x",
        b"/INBOX/;UID=4294967296",
        b"/INBOX;UIDVALIDITY=9999999999/;UID=1",
        b"/INBOX;UIDVALIDITY=0/;UID=1",
        b"/INBOX/;UID=1/;SECTION=",
        b"/INBOX/;UID=1/;SECTION=FROB",
        b"/INBOX/;UID=1/;SECTION=0",
        b"/INBOX/;UID=1/;SECTION=1]<0.1>",
        b"/INBOX/;UID=1/;SECTION=1%5D%20BODY[",
        b"/INBOX/;UID=1/;PARTIAL=1.0",
        b"/INBOX/;UID=1/;PARTIAL=x",
        b"/INBOX/;UID=1/;PARTIAL=1/;SECTION=1",
        b"/INBOX/;UID=1;URLAUTH=anonymous",
        b"/INBOX/;UID=1/;SECTION=1;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=user+a:internal:00",
        b"/INBOX?SUBJECT%20x",
        b"/INBOX/;UID=1#x",
        b"/%FF/;UID=1",
        b"/%00/;UID=1",
        b"/a b/;UID=1",
        b"http://h/x/;UID=1",
        b"imap://h",
        b"imap://a@b@h/x/;UID=1",
        b"imap://%FF@h/x/;UID=1",
        b"//h/x/;UID=1?",
        b"/x/;UID=1" + b" " * MAX_URL,
    ],
)
def test_no_url_of_a_message(text: bytes) -> None:
    assert parse_url(text) is None


@pytest.mark.parametrize("octets", [b"/;", b"imap://", b";", b"%", b"@", b"/x;UIDVALIDITY="])
def test_absurd_urls_take_no_time(octets: bytes) -> None:
    begun = time.process_time()
    assert parse_url((octets * MAX_URL)[:MAX_URL]) is None
    assert parse_url((b"/x/;UID=1/;SECTION=" + octets * MAX_URL)[:MAX_URL]) is None
    assert time.process_time() - begun < 0.2
