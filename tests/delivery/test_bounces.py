"""Delivery status notifications: RFC 3464, RFC 6522, RFC 3834."""

import email
import email.policy
from datetime import UTC, datetime, timedelta

import pytest

from delivery import bounces
from delivery.bounces import Report, Undelivered, advice, compose

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORIGINAL = b"From: alice@a.test\r\nSubject: hello\r\n\r\nHello, Bob.\r\n"


def undelivered(**fields) -> Undelivered:
    values = {
        "address": "bob@b.test",
        "original_address": "",
        "status": "5.1.1",
        "reply": "550 5.1.1 No such user",
        "host": "mx.b.test[192.0.2.1]:25",
        "is_from_peer": True,
        "is_ambiguous": False,
        "tried_at": NOW,
    }
    return Undelivered(**(values | fields))


def report(*recipients: Undelivered, **fields) -> Report:
    values = {
        "sender": "alice@a.test",
        "hostname": "us.test",
        "queue_id": "Q1",
        "queued_at": NOW - timedelta(hours=5),
        "written_at": NOW,
        "recipients": recipients or (undelivered(),),
    }
    return Report(**(values | fields))


def read(octets: bytes):
    """What a mail program makes of it. The report is ours, so the standard library may read it."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert not message.defects
    return message, *message.iter_parts()


def test_a_bounce_is_a_report_in_three_parts():
    message, text, status, original = read(compose(report(), ORIGINAL))
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert original.get_content_type() == "message/rfc822"


def test_its_header_says_who_and_that_no_robot_shall_answer():
    message, *_ = read(compose(report(), ORIGINAL))
    assert message["From"] == "Mail Delivery System <mailer-daemon@us.test>"
    assert message["To"] == "alice@a.test"
    assert message["Subject"] == "Your message was not delivered"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"].endswith("@us.test>")


def test_people_read_what_happened_why_and_what_to_do():
    _, text, *_ = read(compose(report(), ORIGINAL))
    said = " ".join(text.get_content().split())
    assert "could not be delivered to the following recipients" in said
    assert "<bob@b.test>" in said
    assert "mx.b.test[192.0.2.1]:25 said: 550 5.1.1 No such user" in said
    assert "The other server does not know this address. Check how it is written." in said
    assert "Queue id: Q1" in said


def test_programs_read_the_fields_of_rfc_3464():
    _, _, status, _ = read(compose(report(), ORIGINAL))
    about_message, about_recipient = status.get_payload()
    assert about_message["Reporting-MTA"] == "dns; us.test"
    assert about_message["Arrival-Date"]
    assert about_recipient["Final-Recipient"] == "rfc822; bob@b.test"
    assert about_recipient["Action"] == "failed"
    assert about_recipient["Status"] == "5.1.1"
    assert about_recipient["Remote-MTA"] == "dns; mx.b.test"
    assert about_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user"
    assert about_recipient["Last-Attempt-Date"]
    assert about_recipient["Original-Recipient"] is None


def test_each_recipient_has_fields_of_its_own():
    two = undelivered(address="carol@b.test", original_address="team@a.test", status="5.2.2")
    _, text, status, _ = read(compose(report(undelivered(), two), ORIGINAL))
    first, second = status.get_payload()[1:]
    assert (first["Final-Recipient"], second["Final-Recipient"]) == (
        "rfc822; bob@b.test",
        "rfc822; carol@b.test",
    )
    assert second["Original-Recipient"] == "rfc822; team@a.test"
    assert "(you wrote to <team@a.test>)" in text.get_content()


def test_our_own_words_are_not_given_for_the_peers():
    mute = undelivered(reply="The domain b.test does not exist in DNS", host="", is_from_peer=False)
    _, text, status, _ = read(compose(report(mute), ORIGINAL))
    fields = status.get_payload()[1]
    assert fields["Diagnostic-Code"] == "x-mailhost; The domain b.test does not exist in DNS"
    assert fields["Remote-MTA"] is None
    assert "said:" not in text.get_content()


def test_a_notice_of_delay_says_how_long_we_try():
    until = NOW + timedelta(days=4)
    message, text, status, _ = read(compose(report(tried_until=until), ORIGINAL))
    assert message["Subject"] == "Your message is delayed"
    fields = status.get_payload()[1]
    assert fields["Action"] == "delayed"
    assert fields["Will-Retry-Until"] == "Fri, 27 Nov 2026 12:00:00 +0000"
    said = " ".join(text.get_content().split())
    assert "You need not send it again: we keep trying until 27 November 2026 12:00 UTC." in said


def test_a_message_that_may_have_arrived_is_said_to():
    _, text, *_ = read(compose(report(undelivered(is_ambiguous=True)), ORIGINAL))
    assert "may have arrived after all" in " ".join(text.get_content().split())


@pytest.mark.parametrize(
    ("sender", "to", "is_ascii"),
    [
        ("alice@bücher.test", "alice@xn--bcher-kva.test", True),
        ("jörg@bücher.test", "jörg@xn--bcher-kva.test", False),
    ],
)
def test_an_idn_alone_needs_no_internationalised_mail(sender, to, is_ascii):
    told = report(sender=sender)
    octets = compose(told, ORIGINAL)
    assert f"\r\nTo: <{to}>\r\n".encode() in octets
    assert told.is_ascii is octets[: octets.find(b"\r\n\r\n")].isascii() is is_ascii


def test_a_small_original_comes_back_whole():
    octets = compose(report(), ORIGINAL)
    assert ORIGINAL in octets


def test_a_large_original_comes_back_as_its_header():
    large = ORIGINAL + b"x" * bounces.RETURN_WHOLE
    octets = compose(report(), large)
    *_, original = read(octets)
    assert original.get_content_type() == "text/rfc822-headers"
    assert b"Subject: hello\r\n" in octets
    assert b"Hello, Bob." not in octets


def test_a_large_original_without_a_header_end_is_cut_at_a_line():
    endless = b"X-Field: value\r\n" * 10_000
    octets = compose(report(), endless)
    assert len(octets) < bounces.RETURN_HEADER + 5000
    assert b"X-Field: value\r\n\r\n--" in octets


@pytest.mark.parametrize("original", [b"", b"\r\n", b"\x00\xff" * 100, b"--", b"\r\n\r\n"])
def test_any_original_makes_a_report(original):
    _, *parts = read(compose(report(), original))
    assert len(parts) == 3


def test_the_boundary_cannot_be_guessed_by_an_original():
    first, second = report(), report()
    assert first.boundary != second.boundary
    assert len(first.boundary) == 32


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mx.b.test[192.0.2.1]:25", "mx.b.test"),
        ("[192.0.2.1][192.0.2.1]:25", "[192.0.2.1]"),
        ("[IPv6:2001:db8::1][2001:db8::1]:25", "[IPv6:2001:db8::1]"),
    ],
)
def test_the_remote_host_is_a_name_or_an_address_literal(host, name):
    _, _, status, _ = read(compose(report(undelivered(host=host)), ORIGINAL))
    assert status.get_payload()[1]["Remote-MTA"] == f"dns; {name}"


def test_a_report_in_ascii_declares_no_encoding():
    assert b"Content-Transfer-Encoding" not in compose(report(), ORIGINAL)


def test_8bit_is_declared_and_fields_stay_ascii():
    said = undelivered(reply="550 Usuario desconocido: señor")
    octets = compose(report(said), "Subject: señor\r\n\r\n".encode())
    assert octets.count(b"Content-Transfer-Encoding: 8bit") == 3
    message, text, status, _ = read(octets)
    assert message["Content-Transfer-Encoding"] == "8bit"
    assert "señor" in text.get_content()
    assert status.get_payload()[1]["Diagnostic-Code"] == "smtp; 550 Usuario desconocido: se?or"


def test_internationalised_addresses_have_a_type_of_their_own():
    octets = compose(report(undelivered(address="josé@b.test")), ORIGINAL)
    assert b"message/global-delivery-status" in octets
    assert "Final-Recipient: utf-8; josé@b.test".encode() in octets


@pytest.mark.parametrize(
    ("header", "is_smtputf8", "whole", "header_alone"),
    [
        ("Subject: señor", True, "message/global", "message/global-headers"),
        ("Subject: senor", True, "message/rfc822", "text/rfc822-headers"),
        # Nobody said which charset that is.
        ("Subject: señor", False, "message/rfc822", "text/rfc822-headers"),
    ],
)
def test_an_internationalised_original_has_a_type_of_its_own(
    header, is_smtputf8, whole, header_alone
):
    for size, expected in ((1, whole), (bounces.RETURN_WHOLE, header_alone)):
        original = f"{header}\r\n\r\n{'ñ' * size}".encode()
        octets = compose(report(is_smtputf8=is_smtputf8), original)
        kinds = [part.get_content_type() for part in email.message_from_bytes(octets).get_payload()]
        assert kinds[2] == expected


def test_a_link_in_a_reply_stays_whole():
    link = f"https://support.b.test/why-{'was-it-refused-' * 10}"
    _, text, status, _ = read(compose(report(undelivered(reply=f"550 See {link} now")), ORIGINAL))
    assert link in text.get_content().split()
    assert link in status.get_payload()[1]["Diagnostic-Code"].split()
    octets = compose(report(undelivered(reply="550 " + "x" * 2000)), ORIGINAL)
    assert max(len(line) for line in octets.split(b"\r\n")) < 998


def test_a_line_is_measured_in_octets():
    octets = compose(report(undelivered(reply=f"550 5.7.1 {'漢' * 490}")), ORIGINAL)
    assert max(map(len, octets.split(b"\r\n"))) <= 998


def test_no_line_is_too_long_and_no_reply_can_break_out_of_its_field():
    hostile = undelivered(reply="550 " + "word " * 5000 + "\r\nAction: delivered\r\n\r\nx")
    octets = compose(report(hostile), ORIGINAL)
    assert max(len(line) for line in octets.split(b"\r\n")) < 998
    _, _, status, _ = read(octets)
    assert status.get_payload()[1]["Action"] == "failed"
    assert len(status.get_payload()) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.1.1", "does not know this address"),
        ("5.1.3", "does not accept this address"),
        ("5.2.2", "mailbox is full"),
        ("5.7.1", "refuses the message by its rules"),
        ("4.4.1", "could not be reached"),
        ("5.9.9", "ask the recipient's mail administrator"),
    ],
)
def test_advice_fits_the_status(status, words):
    assert words in advice(status)
