"""Trace fields: RFC 5321 §4.4, RFC 3848, RFC 6531 §3.7.3."""

from datetime import UTC, datetime

import pytest

from delivery.envelope import Envelope, Recipient, Source, delivery_fields, received_field

AT = int(datetime(2026, 11, 23, 8, 30, tzinfo=UTC).timestamp())


def received(envelope: Envelope[None]) -> str:
    field = received_field(envelope, hostname="mx.test", queue_id="ABC", at=AT)
    return field.decode()


def of(source: Source, *recipients: str, is_smtputf8: bool = False) -> Envelope[None]:
    return Envelope("", source, is_smtputf8, [Recipient(name, None) for name in recipients])


def test_received() -> None:
    assert received(of(Source("far.test", "192.0.2.9"), "a@a.test")) == (
        "Received: from far.test ([192.0.2.9])\r\n"
        "\tby mx.test (Mailhost) with ESMTP id ABC\r\n"
        "\tfor <a@a.test>;\r\n"
        "\tMon, 23 Nov 2026 08:30:00 +0000\r\n"
    )


def test_blind_recipients_stay_blind() -> None:
    source = Source("far.test", "192.0.2.9")
    assert "for <" not in received(of(source, "a@a.test", "b@a.test"))
    assert "for <a@a.test>" in received(of(source, "a@a.test", "a@a.test"))


def test_received_is_ascii_and_asks_no_relay_for_smtputf8() -> None:
    source = Source("far.test", "192.0.2.9")
    assert "\tfor <a@xn--bcher-kva.test>;" in received(
        of(source, "a@bücher.test", is_smtputf8=True)
    )
    assert received(of(source, "josé@a.test", is_smtputf8=True)).isascii()


def test_received_tells_of_tls_and_ipv6() -> None:
    text = received(of(Source("far.test", "2001:db8::1", tls="TLSv1.3 TLS_AES_128_GCM_SHA256")))
    assert "from far.test ([IPv6:2001:db8::1])\r\n\t(using TLSv1.3 TLS_AES_128_GCM_SHA256)" in text
    assert "with ESMTPS id ABC;" in text


def test_a_lying_client_cannot_write_fields_of_its_own() -> None:
    text = received(of(Source("a)(b\x01ñ;<x>\r\nX-Evil:y", "192.0.2.9")))
    assert text.startswith("Received: from a??b????x???X-Evil:y ([192.0.2.9])\r\n")
    assert "from unknown " in received(of(Source("", "192.0.2.9")))


@pytest.mark.parametrize(
    ("source", "is_smtputf8", "keyword"),
    [
        (Source("x", "y", is_extended=False), False, "SMTP"),
        (Source("x", "y"), False, "ESMTP"),
        (Source("x", "y", tls="t"), False, "ESMTPS"),
        (Source("x", "y", is_authenticated=True), False, "ESMTPA"),
        (Source("x", "y", tls="t", is_authenticated=True), False, "ESMTPSA"),
        (Source("x", "y"), True, "UTF8SMTP"),
        (Source("x", "y", tls="t", is_authenticated=True), True, "UTF8SMTPSA"),
    ],
)
def test_protocol(source: Source, is_smtputf8: bool, keyword: str) -> None:
    assert source.protocol(is_smtputf8=is_smtputf8) == keyword


def test_delivery_fields() -> None:
    assert delivery_fields(return_path="", original="A+x@a.test", delivered_to="a@a.test") == (
        b"Return-Path: <>\r\nX-Original-To: A+x@a.test\r\nDelivered-To: a@a.test\r\n"
    )
    assert "ñ".encode() in delivery_fields(return_path="ñ@a.test", original="", delivered_to="")
