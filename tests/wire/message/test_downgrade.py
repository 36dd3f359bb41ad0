"""7-bit mail says the same as the 8-bit mail it was made from."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import decode_header, decode_params, parse, to_7bit, walk
from protocols.wire.message.content import parse_disposition
from protocols.wire.message.header import unfold
from tests import hostile_mail
from tests.hostile_mail import multipart, text_part, top


def check_7bit(octets):
    assert octets.isascii()
    assert b"\0" not in octets
    for line in octets.split(b"\n"):
        line = line.removesuffix(b"\r")
        assert len(line) <= 998
        assert b"\r" not in line
    assert to_7bit(octets) is octets


def leaves(octets):
    """What the standard library makes of well-formed mail: (type, charset, file name, content)."""
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    return [
        (
            part.get_content_type(),
            part.get_content_charset(),
            part.get_filename(),
            part.get_payload(decode=True),
        )
        for part in message.walk()
    ]


def shape(octets):
    return [(part.number, part.content.kind) for part in walk(parse(octets))]


def binary_part(octets, encoding=b"binary"):
    head = b"Content-Type: application/x-stuff; name=a\r\nContent-Transfer-Encoding: %b\r\n\r\n"
    return head % encoding + octets


GERMAN = "Grüße aus Köln = schön\r\n\r\n.\r\nFrom here \r\n".encode() * 30
FRENCH = "Déjà vu\r\n".encode("latin-1")

WELL_FORMED = {
    "one text": top("t") + text_part(GERMAN),
    "mixed": top("m")
    + multipart(
        b"b1",
        [
            text_part(GERMAN),
            text_part(FRENCH, b"iso-8859-1"),
            text_part(b"plain\r\n", encoding=b"7bit"),
            binary_part(b"\x89PNG\r\n\x1a\n\x00\xff" * 50),
            text_part(hostile_mail.base64_lines(GERMAN), encoding=b"base64"),
        ],
    ),
    "alternative": hostile_mail.alternative_with_attachment(),
    "attached": top("a")
    + multipart(
        b"b2",
        [
            text_part(b"see below\r\n"),
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + top("i")
            + multipart(b"b3", [text_part(GERMAN), text_part(FRENCH, b"iso-8859-1")]),
        ],
    ),
    "long lines": top("l") + text_part(b"x" * 3000 + b"\r\n" + b"y " * 2000, encoding=b"7bit"),
}


@pytest.mark.parametrize("octets", WELL_FORMED.values(), ids=WELL_FORMED)
def test_contents_and_structure_stay(octets):
    result = to_7bit(octets)
    check_7bit(result)
    assert leaves(result) == leaves(octets)
    assert shape(result) == shape(octets)
    assert b"8bit" not in result
    assert b"Content-Transfer-Encoding: binary" not in result


def test_fit_mail_is_the_same_object():
    octets = hostile_mail.plain()
    assert to_7bit(octets) is octets


def test_unencoded_parts_keep_every_octet():
    quiet = b"Content-Type: text/plain\r\nX-Odd:   spaces   \r\n\r\nquiet\r\n"
    octets = top("q") + multipart(b"b", [quiet, text_part(GERMAN)])
    assert b"--b\r\n" + quiet + b"\r\n--b\r\n" in to_7bit(octets)


def test_text_without_mime_gets_a_charset():
    result = to_7bit(b"Subject: x\r\n\r\n" + GERMAN)
    check_7bit(result)
    (leaf,) = leaves(result)
    assert leaf == ("text/plain", "utf-8", None, GERMAN)
    assert result.startswith(b"MIME-Version: 1.0\r\n")
    assert b"charset=unknown-8bit" in to_7bit(b"Subject: x\r\n\r\n" + FRENCH)


def test_text_without_header_becomes_a_message():
    result = to_7bit(GERMAN)
    check_7bit(result)
    assert leaves(result)[0][3] == GERMAN


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("Subject: Grüße an alle", "Grüße an alle"),
        ("Subject: an alle Grüße und Küsse hier", "an alle Grüße und Küsse hier"),
        ("Subject: =?utf-8?q?=C3=A4?= ö =?utf-8?q?=C3=BC?=", "ä ö ü"),
        ("Subject: " + "ä" * 500, "ä" * 500),
        ("From: Zoë Müller <zoe@a.test>", "Zoë Müller <zoe@a.test>"),
        ("From: =?utf-8?q?Zo=C3=AB?= Müller <zoe@a.test>", "Zoë Müller <zoe@a.test>"),
        ('To: "Müller, Zoë" <z@a.test>, b@c.test', "Müller, Zoë <z@a.test>, b@c.test"),
        ("To: Freunde: Zoë <z@a.test>, Jo <j@a.test>;, x@y.test", None),
        ("To: a@bücher.test", "a@xn--bcher-kva.test"),
        # RFC 5891: ß is a letter of its own, and strasse.test somebody else's.
        ("To: a@straße.test", "a@xn--strae-oqa.test"),
        ("To: a@βόλος.test", "a@xn--nxasmm1c.test"),
        ("To: a@☃.test", "a@xn--n3h.test"),
        ("To: a@é..test", "a@??..test"),
        ("Cc: zoë@a.test", "zo??@a.test"),
    ],
)
def test_field(field, text):
    octets = field.encode() + b"\r\nTo: x@y.test\r\n\r\nbody"
    result = to_7bit(octets)
    check_7bit(result)
    name, _, _ = field.partition(":")
    value = email.message_from_bytes(result)[name].encode()
    expected = text if text is not None else field.partition(": ")[2].replace(";,", ";,")
    assert decode_header(value) == expected


def test_file_names_become_rfc_2231():
    name = "Überraschung " * 10 + ".pdf"
    octets = (
        top("f")
        + b'Content-Type: application/pdf; name="\xc3\xa9.pdf"\r\n'
        + f'Content-Disposition: attachment; filename="{name}"; size=3\r\n\r\nabc'.encode()
    )
    result = to_7bit(octets)
    check_7bit(result)
    part = parse(result)
    assert decode_params(part.content.params)["name"] == "é.pdf"
    parsed = parse_disposition(unfold(part.fields[b"content-disposition"]))
    assert parsed is not None
    assert decode_params(parsed[1]) == {"filename": name, "size": "3"}
    assert email.message_from_bytes(result).get_filename() == name


def test_a_boundary_of_8_bits_still_bounds():
    octets = top("b") + multipart(b"gr\xc3\xbcn", [text_part(GERMAN), text_part(FRENCH)])
    result = to_7bit(octets)
    check_7bit(result)
    assert shape(result) == shape(octets)


@pytest.mark.parametrize("sample", hostile_mail.SAMPLES, ids=str)
def test_hostile_mail(sample):
    check_7bit(to_7bit(sample.build()))


@given(
    st.lists(
        st.sampled_from(
            [
                b"Subject: x\r\n",
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"Content-Type: text/plain; charset=utf-8\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Transfer-Encoding: quoted-printable\r\n",
                b"X-Y: \xc3\xa9\r\n",
                b"\r\n",
                b"\n",
                b"\r",
                b"\0",
                b"--b\r\n",
                b"--b--\r\n",
                b"\xff\xfe",
                b"text\r\n",
                b"=\r\n",
                b"y" * 1100,
            ]
        ),
        max_size=30,
    ).map(b"".join)
)
def test_any_octets(octets):
    check_7bit(to_7bit(octets))
