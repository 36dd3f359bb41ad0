"""ENVELOPE, BODY and BODYSTRUCTURE against values written by hand from RFC 9051 §7.5.2."""

import pytest

from protocols.wire.message import LIST_VIEW_FIELDS, begins_with_field, prepare
from tests import hostile_mail
from tests.wire.message.imap_list import check_body, check_envelope, read_list


def test_the_envelope_of_the_rfc():
    # RFC 9051 §8, the sample connection, with the message it was made from.
    octets = (
        (
            b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
            b"From: Terry Gray <gray@cac.washington.edu>\r\n"
            b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
            b"To: imap@cac.washington.edu\r\n"
            b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
            b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
        )
        + b"x" * 30
        + b"\r\n" * 92
    )
    prepared = prepare(octets)
    assert prepared.envelope == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) '
        b'((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) '
        b'NIL NIL "<B27397-0100000@cac.washington.edu>")'
    )
    assert prepared.body == (b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 214 92)')
    assert prepared.bodystructure == (
        b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 214 92 NIL NIL NIL NIL)'
    )
    assert prepared.sent_at == 837595405


def test_the_two_part_body_of_the_rfc():
    # RFC 9051 §7.5.2, BODYSTRUCTURE, the example of two texts.
    octets = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" + b"a\r\n" * 23 + b"\r\n"
        b"--b\r\n"
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n"
        b"Content-ID: <960723163407.20117h@cac.washington.edu>\r\n"
        b"Content-Description: Compiler diff\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"
        + b"a\r\n" * 73
        + b"\r\n--b--\r\n"
    )
    assert prepare(octets).body == (
        b'(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 69 23)'
        b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "cc.diff") '
        b'"<960723163407.20117h@cac.washington.edu>" "Compiler diff" "BASE64" 219 73) "mixed")'
    )


def test_extension_data():
    structure = read_list(prepare(hostile_mail.alternative_with_attachment()).bodystructure)
    alternative, picture, *rest = structure
    assert rest == [b"mixed", [b"boundary", b"outer"], None, None, None]
    assert alternative[2:] == [b"alternative", [b"boundary", b"inner"], None, None, None]
    assert picture[:6] == [
        b"image",
        b"png",
        [b"name", b"dot.png"],
        b"<dot@hostile>",
        None,
        b"base64",
    ]
    assert picture[7:] == [
        None,
        [b"attachment", [b"filename*0*", b"utf-8''gr%C3%BC", b"filename*1", b"n.png"]],
        [b"de", b"en"],
        None,
    ]


def test_md5_language_and_location():
    octets = (
        b"Content-Type: application/pdf\r\nContent-MD5: Q2hlY2s=\r\nContent-Language: da\r\n"
        b"Content-Location: http://example.test/a\r\nContent-Disposition: inline\r\n\r\nx"
    )
    assert prepare(octets).bodystructure == (
        b'("application" "pdf" NIL NIL NIL "7bit" 1 "Q2hlY2s=" ("inline" NIL) "da" '
        b'"http://example.test/a")'
    )


def test_attached_message():
    octets = (
        b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\nFrom: a@b.test\r\n\r\none\r\ntwo\r\n"
    )
    from_alone = b'((NIL NIL "a" "b.test"))'
    assert prepare(octets).body == (
        b'("message" "rfc822" NIL NIL NIL "7bit" 41 (NIL "in" %b %b %b NIL NIL NIL NIL NIL) '
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2) 5)' % ((from_alone,) * 3)
    )


@pytest.mark.parametrize(
    ("header", "place", "value"),
    [
        (b"Subject:\r\n", 1, b""),
        (b"Subject: a\r\n  b\r\n", 1, b"a  b"),
        (b'Subject: "quoted" \\ slash\r\n', 1, b'"quoted" \\ slash'),
        (b"Subject: caf\xc3\xa9\r\n", 1, b"caf\xc3\xa9"),
        (b"Subject: a\0b\r\n", 1, b"ab"),
        (b"Subject: a\rb\r\n", 1, b"a b"),
        (b"Subject: one\r\nSubject: two\r\n", 1, b"one"),
        (b"X-Other: x\r\n", 1, None),
        (b"From: a@b\r\nSender:\r\nReply-To: c@d\r\n", 3, [[None, None, b"a", b"b"]]),
        (b"From: a@b\r\nReply-To: c@d\r\n", 4, [[None, None, b"c", b"d"]]),
        (b"To: a@b\r\nTo: c@d\r\n", 5, [[None, None, b"a", b"b"], [None, None, b"c", b"d"]]),
        (b"To: g:;\r\n", 5, [[None, None, b"g", None], [None, None, None, None]]),
        (b"Bcc: ,\r\n", 7, None),
    ],
)
def test_envelope_member(header, place, value):
    assert read_list(prepare(header + b"\r\nbody").envelope)[place] == value


def test_eight_bit_strings_are_literals():
    assert b"{5}\r\ncaf\xc3\xa9 " in prepare(b"Subject: caf\xc3\xa9\r\n\r\n").envelope


def test_headers_are_the_list_view_as_received():
    octets = b"Received: x\r\nsubject:  a\r\n\tb\r\nX-Priority : 1\r\nX-Other: y\r\nTo: z\n\r\nbody"
    prepared = prepare(octets)
    assert prepared.headers == b"subject:  a\r\n\tb\r\nX-Priority : 1\r\nTo: z\r\n"
    assert {b"subject", b"references", b"list-id"} <= LIST_VIEW_FIELDS


def test_prefix_and_octets_are_one_message():
    trace = b"Received: by us\r\nSubject: first\r\n"
    for sample in hostile_mail.SAMPLES:
        octets = sample.build()
        prefix = trace if begins_with_field(octets) else trace + b"\r\n"
        assert prepare(octets, prefix=prefix) == prepare(prefix + octets), sample.name


def test_a_date_that_is_none():
    assert prepare(b"Date: never\r\n\r\nhello").sent_at is None


@pytest.mark.parametrize("sample", hostile_mail.SAMPLES, ids=str)
def test_syntax_of_hostile_mail(sample):
    prepared = prepare(sample.build())
    check_envelope(read_list(prepared.envelope))
    check_body(read_list(prepared.body), is_extended=False)
    check_body(read_list(prepared.bodystructure), is_extended=True)
