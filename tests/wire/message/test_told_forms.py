"""Prepared forms in UTF-8 and in ASCII: the same lists, whatever the octets."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import in_ascii, in_utf8, prepare
from tests.hostile_mail import SAMPLES, Sample
from tests.wire.message.imap_list import check_body, check_envelope, read_list

HEADER = (
    "From: Jürgen <jürgen@bücher.example>, Ä <a@ü.example>\r\n"
    "To: Ü: ö@x.test, b@c.test;\r\n"
    'Subject: Grüße {5} "aus" Köln\r\n'
    'Content-Type: text/plain; name="fü(1)%.txt"; charset=utf-8\r\n'
    "Content-Description: Größe\r\n\r\nx\r\n"
).encode()
PIECES = [
    b"Subject: \xff {3}\r\n",
    "Subject: ü\r\n".encode(),
    b"From: \xe9 <\xc3\xa9@x>, y: z@\xc3\xa9;\r\n",
    b'Content-Type: multipart/mixed; boundary=b; \xc3\xa9="\xc3\xa9"; name*="\xc3\xa9"\r\n',
    b'Content-Disposition: attachment; filename="\xc3\xa9\x00"; filename="\xff"\r\n',
    "Content-Language: é, à\r\n".encode(),
    b"Content-Type: message/rfc822\r\n",
    b"\r\n",
    b"--b\r\n",
]


def shape(value: object) -> object:
    """Which items are lists, strings, numbers and NIL."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value)


def test_an_envelope_in_utf8() -> None:
    told = in_utf8(prepare(HEADER).envelope).decode()
    assert '"Grüße {5} \\"aus\\" Köln"' in told
    assert '(("Jürgen" NIL "jürgen" "bücher.example")("Ä" NIL "a" "ü.example"))' in told
    assert "{" not in told.replace("{5}", "")


def test_an_envelope_in_ascii() -> None:
    told = read_list(in_ascii(prepare(HEADER).envelope))
    assert told[1] == b"=?utf-8?b?R3LDvMOfZSB7NX0gImF1cyIgS8O2bG4=?="
    assert told[2] == [
        [b"=?utf-8?b?SsO8cmdlbg==?=", None, b"invalid", b"internationalized-address.invalid"],
        [b"=?utf-8?b?w4Q=?=", None, b"a", b"xn--tda.example"],
    ]
    # A group's name is a text; its members stay what they are.
    assert told[5] == [
        [None, None, b"=?utf-8?b?w5w=?=", None],
        [None, None, b"invalid", b"internationalized-address.invalid"],
        [None, None, b"b", b"c.test"],
        [None, None, None, None],
    ]


def test_parameters_in_ascii() -> None:
    told = read_list(in_ascii(prepare(HEADER).bodystructure))
    assert told[2] == [b"name*", b"utf-8''f%C3%BC%281%29%25.txt", b"charset", b"utf-8"]
    assert told[4] == b"=?utf-8?b?R3LDtsOfZQ==?="


def test_encoded_words_beside_raw_utf8_stay_words() -> None:
    """A program that decodes what it is told once must not be left with "=?utf-8?" on its list."""
    header = (
        "Subject: =?utf-8?q?=C3=A4?= é\r\nFrom: =?utf-8?q?=C3=A4?= é <a@x.test>\r\n\r\n".encode()
    )
    told = read_list(in_ascii(prepare(header).envelope))
    assert told[1] == told[2][0][0] == b"=?utf-8?b?w6Qgw6k=?="


def test_ascii_is_told_as_it_is() -> None:
    form = prepare(b"Subject: x {3}\r\n\r\ny\r\n").envelope
    assert in_ascii(form) is form
    assert in_utf8(form) is form


def test_octets_that_are_no_utf8_stay_in_literals() -> None:
    form = prepare(b"Subject: \xe9\r\n\r\n").envelope
    assert in_utf8(form) == form
    assert read_list(in_ascii(form))[1] == b"=?utf-8?b?w6k=?="


def check(octets: bytes) -> None:
    prepared = prepare(octets)
    for form in (prepared.envelope, prepared.body, prepared.bodystructure):
        ascii_form, utf8_form = in_ascii(form), in_utf8(form)
        assert ascii_form.isascii()
        assert shape(read_list(ascii_form)) == shape(read_list(form))
        # Literals as they are: what is quoted in UTF-8 reads back as the same octets.
        quoted = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
        assert len(quoted.findall(utf8_form)) >= len(quoted.findall(form))
    check_envelope(read_list(in_ascii(prepared.envelope)))
    check_body(read_list(in_ascii(prepared.body)), is_extended=False)
    check_body(read_list(in_ascii(prepared.bodystructure)), is_extended=True)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_any_message(octets: bytes) -> None:
    check(octets)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_hostile_samples(sample: Sample) -> None:
    check(sample.build())


def test_long_forms_take_linear_time() -> None:
    form = b"(" + b"{2}\r\n\xc3\xa9 " * 50_000 + b'"x")'
    begun = time.process_time()
    assert in_utf8(form).count("é".encode()) == 50_000
    assert in_ascii(form).isascii()
    deep = b"(" * 3000 + b"{2}\r\n\xc3\xa9" + b")" * 3000
    assert in_ascii(deep).isascii()
    assert time.process_time() - begun < 5
