"""Properties that hold for any octets: no exception, bounded time, offsets that add up."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import (
    add_missing_fields,
    begins_with_field,
    count_received,
    decoded_header,
    decoded_text,
    header_fields,
    iter_fields,
    locate,
    parse,
    parse_addresses,
    parse_date,
    prepare,
    ranges_to_strip,
    section,
    split_header,
    to_7bit,
    walk,
)
from tests.hostile_mail import SAMPLES, attachment, is_acceptable
from tests.wire.message.imap_list import check_body, check_envelope, read_list

PIECES = [
    b"Subject: x",
    b"To: a@b, (c) <d@e>;",
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100",
    b'Content-Type: multipart/mixed; boundary="b"',
    b"Content-Type: multipart/digest; boundary=bb",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/html; charset=utf-16",
    b"Content-Disposition: attachment; filename*0*=x''%e2; filename=\"=?utf-8?q?=E2?=\"",
    b"Content-Language: a, b",
    b"Content-Transfer-Encoding: quoted-printable",
    b"--b",
    b"--b--",
    b"--bb",
    b"--bb--",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\0",
    b"\xff",
    b"{3}",
    b'"\\',
    b"text",
]
mail_like = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)
octets_of_any_kind = st.one_of(mail_like, st.binary(max_size=300))
CORPUS = (
    sorted(Path(os.environ["MAILHOST_TEST_DATA"]).glob("corpus/*/*"))
    if os.environ.get("MAILHOST_TEST_DATA")
    else []
)


def check(octets):
    """Everything that must hold of a message, whatever it is."""
    prepared = prepare(octets)
    check_envelope(read_list(prepared.envelope))
    check_body(read_list(prepared.body), is_extended=False)
    check_body(read_list(prepared.bodystructure), is_extended=True)
    root = parse(octets)
    assert (root.header_start, root.body_end) == (0, len(octets))
    assert root.body_start == split_header(octets)
    for count, part in enumerate(walk(root)):
        assert 0 <= part.header_start <= part.body_start <= part.body_end <= len(octets)
        check_inside(part)
        if part.path and count < 20:
            assert section(octets, part.path) == locate(root, part.path)
    for field in iter_fields(octets[: root.body_start]):
        assert octets[field.start : field.end].lower().startswith(field.name)
    text = "".join(decoded_text(octets, 10_000))
    assert len(text) <= 10_000
    "".join(decoded_header(octets)).encode()
    text.encode()


def check_inside(part):
    """The parts in a part stand in order and do not overlap: with what is between, they rejoin."""
    at = part.body_start
    for child in part.children:
        assert at <= child.header_start
        at = child.body_end
    assert at <= part.body_end
    if part.message is not None:
        inner = part.message
        assert (inner.header_start, inner.body_end) == (part.body_start, part.body_end)


@given(octets_of_any_kind)
def test_any_octets(octets):
    check(octets)


@given(octets_of_any_kind)
def test_any_octets_elsewhere(octets):
    parse_addresses(octets)
    parse_date(octets)
    count_received(octets)
    assert header_fields(octets, [b"subject"]).endswith(b"\r\n")
    prefix = add_missing_fields(octets, message_id=b"<x@y>", date=b"x", sender=b"a@b.test")
    assert begins_with_field(prefix + octets) or prefix in (b"", b"\r\n")
    edges = [at for each in ranges_to_strip(octets, authserv_id=b"mx.test") for at in each]
    assert edges == sorted(edges)
    assert all(0 <= at <= split_header(octets) for at in edges)


@given(octets_of_any_kind)
def test_the_prefix_is_part_of_the_message(octets):
    trace = b"Received: by us\r\n"
    prefix = trace if begins_with_field(octets) else trace + b"\r\n"
    assert prepare(octets, prefix=prefix) == prepare(prefix + octets)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_hostile_mail(sample):
    octets = sample.build()
    begun = time.process_time()
    prepare(octets)
    to_7bit(octets)
    # Far above what it takes (a few milliseconds), far below what quadratic time would take.
    assert time.process_time() - begun < 2
    check(octets)


@pytest.mark.parametrize(
    "header",
    [
        b"To: " + b"a," * 500_000,
        b"To: " + b"(" * 1_000_000,
        b"To: " + b'"' * 1_000_001,
        b"To: " + b"<" * 1_000_000,
        b"To: " + b"a:" * 500_000,
        b"To: " + b"[" * 1_000_000,
        b"To: " + b"a b " * 250_000,
        b"To:\r\n" * 200_000,
        b"a:\n" * 300_000,
        b"a:\nx\n" * 200_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 70_000,
        b"Subject: " + b"=?a?q?" * 170_000,
        b"Content-Type: text/plain" + b";" * 1_000_000,
        b"Content-Type: text/plain" + b";a=" * 300_000,
        b'Content-Type: text/plain;a="' + b"\\" * 1_000_000,
        b"Content-Type: " + b"(" * 1_000_000,
        b"Content-Type: text/plain; " + b"*" * 1_000_000 + b"=1",
        b"Content-Language: " + b"a," * 500_000,
        b"Date: " + b"1 " * 500_000,
        b"X: " + b"\r\n " * 300_000,
    ],
    ids=lambda header: header[:30].decode(),
)
def test_a_megabyte_of_header_takes_linear_time(header):
    octets = header + b"\r\n\r\nbody"
    begun = time.process_time()
    prepare(octets)
    "".join(decoded_header(octets))
    list(decoded_text(octets, 1 << 20))
    assert time.process_time() - begun < 4


def test_attachment_comes_in_pieces():
    pieces = attachment(1 << 20)
    first = next(pieces)
    octets = first + b"".join(pieces)
    assert len(octets) > 1 << 20
    assert is_acceptable(octets)
    check(octets)


def test_the_generator_is_deterministic():
    for sample in SAMPLES:
        assert sample.build() == sample.build()
    assert {is_acceptable(sample.build()) for sample in SAMPLES} == {True, False}


@pytest.mark.skipif(not CORPUS, reason="MAILHOST_TEST_DATA is not set")
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus(path):
    octets = path.read_bytes()
    check(octets)
    result = to_7bit(octets)
    assert result.isascii()
    assert to_7bit(result) is result
