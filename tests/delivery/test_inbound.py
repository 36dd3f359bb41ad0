"""Mail from other hosts: what arrives, with which octets, and what is said when it cannot."""

import re
from concurrent.futures import Future

import pytest
from django.conf import settings

from accounts import commit
from accounts.blobs import OutOfSpace
from accounts.models import Blob, Entry, Mailbox, Message
from accounts.rows import MailboxGone
from delivery import inbound
from delivery.models import QueuedMessage
from protocols.wire.smtp.reply import Reply
from tests.accounts.disk import own_spools
from tests.delivery.house import HELLO, envelope, inbox, make_alias, make_mailbox, queued, spool

pytestmark = pytest.mark.django_db(transaction=True)

HOSTNAME = settings.MAILHOST.hostname


def accept(octets: bytes, *recipients: str, **facts: object) -> Reply:
    return inbound.accept(envelope(*recipients, **facts), spool(octets)).result(10)


def split(message: bytes, octets: bytes) -> bytes:
    """The trace on top of what was received."""
    assert message.endswith(octets)
    return message[: len(message) - len(octets)]


def test_the_octets_arrive_under_their_trace() -> None:
    make_mailbox("anna@a.test")
    reply = accept(HELLO, "Anna+news@a.test")
    match = re.fullmatch(r"Ok: queued as (\w+)", str(reply.text))
    assert (reply.code, reply.enhanced, match is not None) == (250, "2.0.0", True)
    assert match is not None
    [message] = inbox("anna@a.test")
    trace = split(message, HELLO).decode()
    assert trace.startswith(
        "Return-Path: <zoe@far.test>\r\n"
        "X-Original-To: Anna+news@a.test\r\n"
        "Delivered-To: anna@a.test\r\n"
        "Received: from far.test ([192.0.2.9])\r\n"
        f"\tby {HOSTNAME} (Mailhost) with ESMTP id {match[1]}\r\n"
        "\tfor <Anna+news@a.test>;\r\n"
    )
    assert trace.endswith(" +0000\r\n")
    row = Message.objects.get()
    assert row.size == len(message)
    assert b'"Hello"' in bytes(row.envelope)


def test_all_recipients_share_one_blob_and_keep_their_own_trace() -> None:
    for name in ("anna", "bert", "carl"):
        make_mailbox(f"{name}@a.test")
    make_alias("team@a.test", "anna@a.test", "bert@a.test", "dora@elsewhere.test")
    reply = accept(HELLO, "team@a.test", "anna@a.test", "carl@a.test", return_path="")
    assert reply.code == 250
    assert Blob.objects.count() == 1
    [anna], [bert], [carl] = (inbox(f"{name}@a.test") for name in ("anna", "bert", "carl"))
    # The first recipient that leads to a mailbox names it, and it gets one copy only.
    assert anna.startswith(b"Return-Path: <>\r\nX-Original-To: team@a.test\r\n")
    assert b"Delivered-To: bert@a.test\r\n" in bert
    assert carl.startswith(b"Return-Path: <>\r\nX-Original-To: carl@a.test\r\n")
    assert b"\tfor <" not in anna
    assert queued() == [("", [("dora@elsewhere.test", "team@a.test")])]
    message = QueuedMessage.objects.get()
    assert reply.text == f"Ok: queued as {message.queue_id}"
    assert bytes(message.prefix).startswith(b"Received: from far.test")
    assert message.size == len(bytes(message.prefix)) + len(HELLO)
    assert (message.is_8bit, message.is_smtputf8, message.sender_id) == (False, False, None)
    assert message.tenant_id == Mailbox.objects.get(local_part="anna").domain.tenant_id


def test_aliases_of_two_tenants_queue_apart() -> None:
    for domain in ("a.test", "b.test"):
        make_mailbox(f"x@{domain}")
        make_alias(f"out@{domain}", f"someone@for-{domain}")
    accept(HELLO, "out@a.test", "out@b.test")
    tenants = set(QueuedMessage.objects.values_list("tenant_id", flat=True))
    assert len(tenants) == 2
    assert queued() == [
        ("zoe@far.test", [("someone@for-a.test", "out@a.test")]),
        ("zoe@far.test", [("someone@for-b.test", "out@b.test")]),
    ]


@pytest.mark.parametrize(
    "body", [b"Just a text.\r\nNo header.\r\n", b"\r\nAn empty line first.\r\n"]
)
def test_a_text_without_header_arrives_as_body(body: bytes) -> None:
    make_mailbox("anna@a.test")
    assert accept(body, "anna@a.test").code == 250
    [message] = inbox("anna@a.test")
    header, _, rest = message.partition(b"\r\n\r\n")
    assert rest == body
    assert b"Message-ID" not in header


def test_an_empty_message_arrives() -> None:
    make_mailbox("anna@a.test")
    assert accept(b"", "anna@a.test").code == 250
    [message] = inbox("anna@a.test")
    assert message.endswith(b"\r\n\r\n")


def test_a_client_on_loopback_gets_missing_fields_added() -> None:
    make_mailbox("anna@a.test")
    body = b"Hola.\r\n"
    accept(body, "anna@a.test", is_loopback=True, return_path="emisor@direccionemisor.es")
    [message] = inbox("anna@a.test")
    header = split(message, body).decode()
    assert re.search(rf"\r\nMessage-ID: <\w+@{re.escape(HOSTNAME)}>\r\n", header)
    assert re.search(r"\r\nDate: \w{3}, .* \+0000\r\n", header)
    assert header.endswith("\r\nFrom: emisor@direccionemisor.es\r\n\r\n")
    envelope_bytes = bytes(Message.objects.get().envelope)
    assert b'"emisor" "direccionemisor.es"' in envelope_bytes

    accept(HELLO, "anna@a.test", is_loopback=True)
    header = split(inbox("anna@a.test")[1], HELLO).decode()
    assert "Message-ID: " in header
    assert "From: " not in header


def test_only_our_own_trace_fields_are_taken_away() -> None:
    make_mailbox("anna@a.test")
    kept = b"Authentication-Results: other.test; spf=pass\r\nSubject: x\r\n\r\nReturn-Path: <y>\r\n"
    forged = (
        b"Return-Path: <forged@a.test>\r\n"
        b"Authentication-Results: " + HOSTNAME.encode() + b";\r\n\tspf=pass\r\n"
    )
    accept(forged + kept, "anna@a.test")
    [message] = inbox("anna@a.test")
    assert split(message, kept).count(b"Return-Path") == 1
    assert b"spf=pass" not in split(message, kept)


def test_large_messages_are_adopted_whole() -> None:
    make_mailbox("anna@a.test")
    for top in (b"", b"Return-Path: <forged@a.test>\r\n"):
        octets = b"Subject: large\r\n\r\n" + b"x" * 76 * 20_000 + b"\r\n"
        assert accept(top + octets, "anna@a.test").code == 250
        assert inbox("anna@a.test")[-1].endswith(b" +0000\r\n" + octets)
    assert own_spools() == []


def test_mail_in_circles_is_refused() -> None:
    make_mailbox("anna@a.test")
    hop = b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    assert accept(hop * 50 + HELLO, "anna@a.test").code == 250
    reply = accept(hop * 101 + HELLO, "anna@a.test")
    assert (reply.code, reply.enhanced) == (554, "5.4.6")
    # Quoted in the body they say nothing about this message.
    assert accept(HELLO + hop * 60, "anna@a.test").code == 250


def test_8bit_and_smtputf8_are_told_to_the_queue() -> None:
    make_mailbox("anna@a.test")
    make_alias("out@a.test", "someone@elsewhere.test")
    accept(HELLO + "ñ\r\n".encode(), "out@a.test", is_smtputf8=True)
    accept("Subject: ñ\r\n\r\n".encode(), "out@a.test", is_smtputf8=True)
    accept(HELLO, "out@a.test", is_smtputf8=True, return_path="ñ@far.test")
    accept("Subject: ñ\r\n\r\n".encode(), "out@a.test")
    flags = list(QueuedMessage.objects.order_by("pk").values_list("is_8bit", "is_smtputf8"))
    assert flags == [(True, False), (True, True), (False, True), (True, False)]


def test_a_mailbox_that_is_gone_by_now_stops_the_whole_message() -> None:
    make_mailbox("anna@a.test")
    gone = make_mailbox("bert@a.test")
    facts = envelope("anna@a.test", "bert@a.test")
    Mailbox.objects.filter(pk=gone).delete()
    reply = inbound.accept(facts, spool(HELLO)).result(10)
    # Temporary: the sender comes again, and is told the truth at RCPT.
    assert (reply.code, reply.enhanced) == (451, "4.2.1")
    assert Entry.objects.count() == 0


def test_what_was_accepted_is_stored_though_the_mailbox_is_full() -> None:
    make_mailbox("anna@a.test", quota=10)
    assert accept(HELLO, "anna@a.test").code == 250
    assert len(inbox("anna@a.test")) == 1
    assert Mailbox.objects.get().full_since is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfSpace(28, "No space left on device"), "452 4.3.1"),
        (commit.CommitUnavailable("locked"), "451 4.3.0"),
        (MailboxGone("1"), "451 4.2.1"),
    ],
)
def test_failures_of_the_store_are_temporary(
    error: Exception, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_mailbox("anna@a.test")
    failed: Future[None] = Future()
    failed.set_exception(error)
    monkeypatch.setattr(commit, "submit", lambda unit: failed)
    assert str(accept(HELLO, "anna@a.test")).startswith(code)


def test_a_bug_is_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    make_mailbox("anna@a.test")
    failed: Future[None] = Future()
    failed.set_exception(ZeroDivisionError())
    monkeypatch.setattr(commit, "submit", lambda unit: failed)
    with pytest.raises(ZeroDivisionError):
        accept(HELLO, "anna@a.test")
