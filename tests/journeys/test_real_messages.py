"""Real and hostile mail goes in by SMTP and comes out by IMAP and POP3 octet for octet."""

import imaplib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hostile_mail
from tests.journeys.conftest import MakeInstance
from tests.journeys.wire import Line, send_message
from tests.partners.instance import PASSWORD, Instance

USER = "lectora@real.test"
NAME = b"mx.real.test"


@pytest.fixture(scope="module")
def host(make_instance: MakeInstance) -> Instance:
    instance = make_instance("real", HOSTNAME=NAME.decode())
    instance.add_mailbox(USER)
    return instance


def corpus() -> Iterator[tuple[str, bytes]]:
    """The public corpus with the line ends SMTP demands, and the generated hostile mail."""
    if root := os.environ.get("MAILHOST_TEST_DATA"):
        for path in sorted((Path(root) / "corpus").rglob("*.*")):
            if path.is_file():
                octets = path.read_bytes()
                yield path.name, re.sub(rb"\r?\n", b"\r\n", octets)
    for sample in hostile_mail.SAMPLES:
        yield sample.name, sample.build()


def is_refused_by_the_rule(octets: bytes) -> bool:
    """RFC 5321 §2.3.8: NUL, bare CR and bare LF are refused on port 25."""
    return b"\0" in octets or bool(re.search(rb"\r(?!\n)|(?<!\r)\n", octets))


def as_stored(octets: bytes) -> bytes:
    """What was sent, less the Return-Path and our own Authentication-Results fields."""
    if not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    if not re.match(rb"[!-9;-~]+[ \t]*:", octets):
        return octets
    header, blank, body = octets.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    kept = [
        field
        for field in fields
        if not re.match(rb"(?i)return-path[ \t]*:", field)
        and not re.match(rb"(?i)authentication-results[ \t]*:\s*" + re.escape(NAME), field)
    ]
    return b"\r\n".join(kept) + (blank if kept else b"\r\n") + body


def test_what_goes_in_comes_out(host: Instance) -> None:
    smtp = Line(host.address, host.SMTP)
    smtp.read()
    assert smtp.say("EHLO lejos.test").startswith("250")
    sent: list[tuple[str, bytes]] = []
    refused = 0
    for name, octets in corpus():
        reply = send_message(smtp, "x@lejos.test", USER, octets)
        if octets.count(b"\r\nReceived:") > 100:  # RFC 5321 §6.3: it goes in circles
            assert reply.startswith("554 5.4.6"), (name, reply)
        elif is_refused_by_the_rule(octets):
            assert reply.startswith("550 5.6.0"), (name, reply)
            refused += 1
        else:
            assert reply.startswith("250 2.0.0"), (name, reply)
            sent.append((name, octets))
    assert len(sent) > 10
    assert refused >= 3
    smtp.say("QUIT")

    imaplib._MAXLINE = 100 << 20
    imap = imaplib.IMAP4(host.address, host.IMAP)
    imap.login(USER, PASSWORD)
    imap.select("INBOX")
    pop = Line(host.address, host.POP3)
    pop.read()
    pop.say(f"USER {USER}")
    assert pop.say(f"PASS {PASSWORD}").startswith("+OK")
    assert pop.say("STAT").startswith(f"+OK {len(sent)} ")
    for number, (name, octets) in enumerate(sent, 1):
        data = imap.fetch(
            str(number), "(RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[TEXT])"
        )[1]
        assert data[0], name
        _, whole = imap.fetch(str(number), "(BODY.PEEK[])")
        by_imap = whole[0][1]
        assert by_imap.endswith(as_stored(octets)), name
        assert by_imap.startswith(b"Return-Path: <x@lejos.test>\r\n"), name
        assert len(by_imap) == int(re.search(rb"RFC822\.SIZE (\d+)", data[0][0])[1]), name
        assert pop.say(f"RETR {number}").startswith("+OK"), name
        assert pop.read_multiline() == by_imap, name
    imap.logout()
    pop.say("QUIT")


def test_a_message_of_fifty_mebibytes(host: Instance) -> None:
    octets = b"".join(hostile_mail.attachment(50 << 20))
    smtp = Line(host.address, host.SMTP)
    smtp.read()
    smtp.say("EHLO lejos.test")
    assert send_message(smtp, "x@lejos.test", USER, octets).startswith("250 2.0.0")
    imap = host.imap(USER)
    _, counted = imap.select("INBOX")
    number = counted[0].decode()
    _, data = imap.fetch(number, "(BODY.PEEK[])")
    assert data[0][1].endswith(octets)
    _, piece = imap.fetch(number, "(BODY.PEEK[2]<1000000.100>)")
    assert len(piece[0][1]) == 100
    assert piece[0][1] in octets
    imap.logout()


def test_a_message_over_the_limit_is_refused(make_instance: MakeInstance) -> None:
    small = make_instance("small", MAX_MESSAGE_SIZE="1M")
    small.add_mailbox(USER)
    smtp = Line(small.address, small.SMTP)
    smtp.read()
    assert "SIZE 1048576" in smtp.say("EHLO lejos.test")
    assert smtp.say("MAIL FROM:<x@lejos.test> SIZE=2000000").startswith("552 5.3.4")
    octets = b"".join(hostile_mail.attachment(2 << 20))
    assert send_message(smtp, "x@lejos.test", USER, octets).startswith("552 5.3.4")
    assert send_message(smtp, "x@lejos.test", USER, b"Subject: ok\r\n\r\n").startswith("250")
