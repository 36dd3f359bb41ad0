"""Parts and sections, as RFC 9051 §6.4.5.1 numbers them, and the limits."""

import time
from mmap import mmap
from tempfile import TemporaryFile

import pytest

from protocols.wire.message import locate, parse, section, walk
from protocols.wire.message.structure import DEPTH_LIMIT, OPAQUE, PART_LIMIT
from tests import hostile_mail

# The shape of the example in RFC 9051 §6.4.5.1, with its own words in each part.
NESTED = (
    b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n"
    b"preamble\r\n--A\r\n\r\none\r\n"
    b"--A\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"
    b"--A\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: three\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
    b"--B\r\n\r\nthree one\r\n--B\r\nX-Y: z\r\n\r\nthree two\r\n--B--\r\n\r\n"
    b"--A\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n"
    b"--C\r\nContent-Type: image/gif\r\n\r\nfour one\r\n"
    b"--C\r\nContent-Type: message/rfc822\r\n\r\nSubject: four two\r\n\r\nfour two one\r\n--C--\r\n"
    b"--A--\r\nepilogue\r\n"
)
PLAIN = b"Subject: s\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    ("message", "path", "kind", "octets"),
    [
        (PLAIN, (), "", PLAIN),
        (PLAIN, (), "HEADER", b"Subject: s\r\n\r\n"),
        (PLAIN, (), "TEXT", b"body\r\n"),
        (PLAIN, (), "MIME", None),
        (PLAIN, (1,), "", b"body\r\n"),
        (PLAIN, (1,), "MIME", b"Subject: s\r\n\r\n"),
        (PLAIN, (1,), "HEADER", None),
        (PLAIN, (1, 1), "", None),
        (PLAIN, (2,), "", None),
        (PLAIN, (0,), "", None),
        (NESTED, (1,), "", b"one"),
        (NESTED, (1,), "MIME", b"\r\n"),
        (NESTED, (1,), "TEXT", None),
        (NESTED, (1, 1), "", None),
        (NESTED, (2,), "", b"two"),
        (NESTED, (2,), "MIME", b"Content-Type: application/octet-stream\r\n\r\n"),
        (NESTED, (3,), "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        (
            NESTED,
            (3,),
            "HEADER",
            b"Subject: three\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n",
        ),
        (
            NESTED,
            (3,),
            "TEXT",
            b"--B\r\n\r\nthree one\r\n--B\r\nX-Y: z\r\n\r\nthree two\r\n--B--\r\n",
        ),
        (NESTED, (3, 1), "", b"three one"),
        (NESTED, (3, 2), "", b"three two"),
        (NESTED, (3, 2), "MIME", b"X-Y: z\r\n\r\n"),
        (NESTED, (3, 3), "", None),
        (NESTED, (4, 1), "", b"four one"),
        (NESTED, (4, 2), "HEADER", b"Subject: four two\r\n\r\n"),
        (NESTED, (4, 2), "TEXT", b"four two one"),
        (NESTED, (4, 2, 1), "", b"four two one"),
        (NESTED, (4, 2, 1), "MIME", b"Subject: four two\r\n\r\n"),
        (NESTED, (4, 2, 2), "", None),
        (NESTED, (5,), "", None),
    ],
)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_section(message, path, kind, octets, line_end):
    message = message.replace(b"\r\n", line_end)
    found = section(message, path, kind)
    expected = None if octets is None else octets.replace(b"\r\n", line_end)
    assert (None if found is None else message[slice(*found)]) == expected
    if path:
        assert locate(parse(message), path, kind) == found


def test_root_of_type_message():
    octets = b"Subject: a\r\nContent-Type: message/rfc822\r\n\r\nSubject: b\r\n\r\nbody"
    for path, kind, text in [
        ((1,), "", b"Subject: b\r\n\r\nbody"),
        ((1,), "HEADER", b"Subject: b\r\n\r\n"),
        ((1, 1), "", b"body"),
    ]:
        found = section(octets, path, kind)
        assert found is not None
        assert octets[slice(*found)] == text


def kinds(octets):
    return [(part.number, part.content.kind) for part in walk(parse(octets))]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (hostile_mail.missing_boundary, [("", b"text/plain")]),
        (hostile_mail.wrong_boundary, [("", b"text/plain")]),
        (lambda: b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n", [("", b"text/plain")]),
        (
            lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n \r\n",
            [("", b"multipart/mixed"), ("1", b"text/plain")],
        ),
        (
            hostile_mail.only_closing_delimiter,
            [("", b"multipart/mixed"), ("1", b"text/plain")],
        ),
        (
            hostile_mail.empty_parts,
            [
                ("", b"multipart/mixed"),
                ("1", b"text/plain"),
                ("2", b"text/plain"),
                ("3", b"text/html"),
            ],
        ),
        (
            hostile_mail.not_closed,
            [("", b"multipart/mixed"), ("1", b"text/plain"), ("2", b"text/plain")],
        ),
        (
            hostile_mail.boundary_is_prefix,
            [
                ("", b"multipart/mixed"),
                ("1", b"multipart/mixed"),
                ("1.1", b"text/plain"),
                ("1.2", b"text/plain"),
                ("2", b"text/plain"),
            ],
        ),
        (
            hostile_mail.digest,
            [
                ("", b"multipart/digest"),
                *((str(n), kind) for n in (1, 2, 3) for kind in (b"message/rfc822", b"text/plain")),
            ],
        ),
    ],
)
def test_broken_multiparts(build, expected):
    assert kinds(build()) == expected
    assert kinds(build().replace(b"\r\n", b"\n")) == expected


def test_a_delimiter_may_be_padded_but_not_continued():
    octets = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x \t\r\n\r\na\r\n--xy\r\n--x-- \r\n"
    )
    (child,) = parse(octets).children
    assert octets[child.body_start : child.body_end] == b"a\r\n--xy"


def test_an_outer_delimiter_ends_inner_parts():
    octets = (
        b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
        b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\ninner\r\n--o\r\n\r\nouter\r\n"
    )
    assert section(octets, (1, 1)) == (
        octets.index(b"inner"),
        octets.index(b"\r\n--o\r\n\r\nouter"),
    )
    assert section(octets, (2,)) is not None


def test_depth_is_limited():
    for octets in (hostile_mail.nested_multiparts(), hostile_mail.nested_messages()):
        parts = list(walk(parse(octets)))
        assert len(parts) <= DEPTH_LIMIT + 1
        assert parts[-1].content is OPAQUE


def test_parts_are_limited():
    parts = list(walk(parse(hostile_mail.many_parts())))
    assert len(parts) == PART_LIMIT
    assert parts[-1].body_end == len(hostile_mail.many_parts())


def test_false_delimiters_are_limited():
    begun = time.process_time()
    parse(hostile_mail.false_delimiters(300_000))
    assert time.process_time() - begun < 2


def test_any_buffer_gives_the_same_structure():
    octets = hostile_mail.alternative_with_attachment() + b"epilogue\r\n" * 60_000
    expected = parse(octets)
    assert parse(bytearray(octets)) == expected
    assert parse(memoryview(octets)) == expected
    with TemporaryFile() as file:
        file.write(octets)
        file.flush()
        with mmap(file.fileno(), 0) as mapped:
            assert parse(mapped) == expected
            with memoryview(mapped) as view:
                assert parse(view) == expected


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (b"Base64", b"Base64"),
        (b"base64 (as ever)", b"base64"),
        (b"(RFC 2045 allows comments) base64", b"base64"),
        (b"quoted-printable; x", b"quoted-printable"),
        (b"(nothing)", b"7bit"),
        (b"", b"7bit"),
    ],
)
def test_transfer_encoding(value, encoding):
    assert parse(b"Content-Transfer-Encoding: " + value + b"\r\n\r\nx").encoding == encoding


@pytest.mark.parametrize(
    "params",
    [
        b"boundary*0=a; boundary*1=b",
        b"boundary*=us-ascii'en'a%62",
        b'BOUNDARY*1*=%62; boundary*0="a"',
    ],
)
def test_a_boundary_may_be_continued_or_encoded(params):
    octets = b"Content-Type: multipart/mixed; " + params + b"\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n"
    (child,) = parse(octets).children
    assert octets[child.body_start : child.body_end] == b"one"
