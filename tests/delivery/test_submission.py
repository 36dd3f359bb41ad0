"""Mail from our own users: who may send as whom, and where it goes."""

import time

import pytest

from accounts.models import Mailbox
from delivery import submission
from delivery.models import QueuedMessage
from delivery.submission import FOREIGN_AUTHOR
from protocols.wire.smtp.address import parse_address
from protocols.wire.smtp.reply import Reply
from tests.delivery.house import (
    envelope,
    identity_of,
    inbox,
    make_alias,
    make_mailbox,
    queued,
    spool,
)

pytestmark = pytest.mark.django_db(transaction=True)

OWN = b"From: Anna <anna@a.test>\r\nSubject: Hello\r\n\r\nHello.\r\n"


def submit(octets: bytes, *recipients: str, return_path: str = "anna@a.test") -> Reply:
    facts = envelope(*recipients, return_path=return_path, is_authenticated=True)
    return submission.accept(identity_of("anna@a.test"), facts, spool(octets)).result(10)


@pytest.fixture(autouse=True)
def _house() -> None:
    make_mailbox("anna@a.test")
    make_mailbox("bert@a.test")


def test_near_and_far_recipients_in_one_commit() -> None:
    assert submit(OWN, "bert@a.test", "zoe@far.test", "yan@far.test").code == 250
    [message] = inbox("bert@a.test")
    assert message.startswith(b"Return-Path: <anna@a.test>\r\nX-Original-To: bert@a.test\r\n")
    assert b" with ESMTPA id " in message
    assert queued() == [("anna@a.test", [("yan@far.test", ""), ("zoe@far.test", "")])]
    row = QueuedMessage.objects.get()
    anna = Mailbox.objects.get(local_part="anna")
    assert (row.sender_id, row.tenant_id) == (anna.pk, anna.domain.tenant_id)
    prefix = bytes(row.prefix)
    # The next host writes its own (RFC 5321 §4.4).
    assert b"Return-Path" not in prefix
    assert b"Message-ID: <" in prefix
    assert b"Date: " in prefix
    assert b"From:" not in prefix


def test_missing_fields_are_added() -> None:
    assert submit(b"Just a text.\r\n", "bert@a.test", return_path="").code == 250
    [message] = inbox("bert@a.test")
    assert message.endswith(b"From: anna@a.test\r\n\r\nJust a text.\r\n")


def test_the_author_that_is_added_is_ascii_where_the_local_part_is() -> None:
    assert submit(b"Just a text.\r\n", "bert@a.test", return_path="anna@bücher.test").code == 250
    [message] = inbox("bert@a.test")
    assert b"From: anna@xn--bcher-kva.test\r\n" in message


def test_who_may_send_as_whom() -> None:
    make_alias("sales@a.test", "anna@a.test", "bert@a.test")
    make_alias("press@a.test", "bert@a.test")
    identity = identity_of("anna@a.test")
    mine = ["anna@a.test", "ANNA@A.TEST", "anna+x@a.test", "sales@a.test", "sales+x@a.test"]
    foreign = ["bert@a.test", "press@a.test", "anna@b.test", "annax@a.test", "nobody@a.test"]
    for address in mine:
        assert submission.may_send_as(identity, parse_address(address)), address
    for address in foreign:
        assert not submission.may_send_as(identity, parse_address(address)), address


def test_a_full_mailbox_may_still_send_as_its_aliases() -> None:
    make_alias("sales@a.test", "anna@a.test")
    Mailbox.objects.filter(local_part="anna").update(quota_bytes=1, used_bytes=5)
    identity = identity_of("anna@a.test")
    assert submission.may_send_as(identity, parse_address("sales@a.test"))
    assert submission.may_send_as(identity, parse_address("anna+x@a.test"))


@pytest.mark.parametrize(
    ("field", "is_taken"),
    [
        (b"From: anna@a.test\r\n", True),
        (b"From:\r\n Anna <anna+list@a.test>\r\n", True),
        (b"From: anna@a.test, Anna <ANNA@a.test>\r\n", True),
        (b"From: \r\n", True),
        (b"Reply-To: bert@a.test\r\n", True),
        (b"From: anna@a.test <anna@a.test>\r\n", True),
        (b'From: "bert@a.test" <anna@a.test>\r\n', True),
        (b"From: anna@a.test (bert@a.test)\r\n", True),
        (b"From: =?utf-8?q?bert@a.test?= <anna@a.test>\r\n", True),
        (b"From: Team @ Work <anna@a.test>\r\n", True),
        (b"From: bert@a.test\r\n", False),
        (b"From: anna@a.test, bert@a.test\r\n", False),
        (b"From: anna@a.test\r\nfrom: bert@a.test\r\n", False),
        (b"From : bert@a.test\r\n", False),
        (b"From: <anna@a.test> <bert@a.test>\r\n", False),
        (b'From: "anna@a.test" <bert@a.test>\r\n', False),
        (b"From: bert@a.test <anna@a.test>\r\n", False),
        (b"From: <anna@a.test> bert@a.test\r\n", False),
        (b"From: <bert@a.test:anna@a.test>\r\n", False),
        (b"From: " + b"anna@a.test " * 30 + b"<anna@a.test>\r\n", False),
        (b"From: nobody\r\n", False),
        (b"From: group:;\r\n", False),
        (b"From: " + b"anna@a.test, " * 30 + b"anna@a.test\r\n", False),
        (b"From: anna@a.test\r\nFrom://x <bert@a.test>\r\n", False),
        (b"From: anna@a.test\r\nstray\r\nstray\r\nFrom: bert@a.test\r\n", False),
        (b"From: anna@a.test\r\n" + b"stray\r\nX: y\r\n" * 101 + b"From: bert@a.test\r\n", False),
        (b"From: anna@a.test,\r\n" + (b" " * 998 + b"\r\n") * 140 + b" bert@a.test\r\n", False),
    ],
)
def test_the_from_field(field: bytes, is_taken: bool) -> None:
    reply = submit(field + b"Subject: x\r\n\r\nHello.\r\n", "bert@a.test")
    assert reply.code == (250 if is_taken else 550)
    assert reply.enhanced == ("2.0.0" if is_taken else "5.7.1")
    assert len(inbox("bert@a.test")) == is_taken


def test_nobodys_address_is_no_author_though_a_catch_all_leads_here() -> None:
    make_alias("*@a.test", "anna@a.test")
    assert submit(b"From: <any@a.test>\r\n\r\nHello.\r\n", "bert@a.test").code == 250
    for nobody in (b"<@a.test>", b'""@a.test'):
        reply = submit(b"From: " + nobody + b"\r\n\r\nHello.\r\n", "bert@a.test")
        assert reply == submission.BAD_AUTHOR


def test_what_looks_like_a_from_field_in_the_text_is_none() -> None:
    """Nobody reads a header behind an empty line, which is put before what has no header."""
    for octets in (
        OWN + b"\r\nFrom: bert@a.test\r\n",
        b"\r\nFrom: bert@a.test\r\n\r\nHello.\r\n",
        b"Hello.\r\nFrom: bert@a.test\r\n\r\nHello.\r\n",
        b"From://x <bert@a.test>\r\n\r\nHello.\r\n",
    ):
        assert submit(octets, "bert@a.test").code == 250
    for message in inbox("bert@a.test"):
        assert message.partition(b"\r\n\r\n")[0].count(b"\nFrom:") == 1


def test_the_from_field_is_found_in_a_header_of_megabytes() -> None:
    """Without a step for each field: a thread that takes seconds makes everybody else slow."""
    octets = b"Xyz: b\r\n" * (1 << 20) + b"From: bert@a.test\r\n\r\nHello.\r\n"
    begun = time.thread_time()
    assert submission._refuse_author(identity_of("anna@a.test"), octets) is FOREIGN_AUTHOR
    assert time.thread_time() - begun < 1


def test_mail_in_circles_is_refused() -> None:
    hop = b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    assert submit(hop * 101 + OWN, "bert@a.test").code == 554
