"""Content-Type and Content-Disposition, well and badly written."""

import pytest

from protocols.wire.message.content import parse_content_type, parse_disposition, strip_comments


@pytest.mark.parametrize(
    ("value", "kind", "params"),
    [
        (b"text/plain", b"text/plain", ()),
        (b"Text/HTML; CharSet=UTF-8", b"text/html", ((b"CharSet", b"UTF-8"),)),
        (b'a/b; x="y; \\"z\\""; w = v', b"a/b", ((b"x", b'y; "z"'), (b"w", b"v"))),
        (b"a/b (c) ; x=y (comment; no=param)", b"a/b", ((b"x", b"y"),)),
        (b'a/b; name="file (1).pdf"', b"a/b", ((b"name", b"file (1).pdf"),)),
        (b"a/b; name=my file.pdf", b"a/b", ((b"name", b"my file.pdf"),)),
        (b"a/b ; ; ;; ;;;;;;;; boundary=foo", b"a/b", ((b"boundary", b"foo"),)),
        (b'a/b; x="never closed; y=z', b"a/b", ((b"x", b"never closed; y=z"),)),
        (b"a/b; no value; x=y; =z; w=", b"a/b", ((b"x", b"y"), (b"w", b""))),
        (b'a/b; x="y"garbage; z=1', b"a/b", ((b"x", b"y"), (b"z", b"1"))),
        (b"a/b; t*0*=u''%20; t*1=b", b"a/b", ((b"t*0*", b"u''%20"), (b"t*1", b"b"))),
        (b"message/rfc822\0; x=y", b"message/rfc822", ((b"x", b"y"),)),
        (b"a/b; x=y (never closed", b"a/b", ((b"x", b"y (never closed"),)),
    ],
)
def test_content_type(value, kind, params):
    content = parse_content_type(value)
    assert content is not None
    assert content.kind == kind
    assert content.params == params


@pytest.mark.parametrize("value", [b"", b"text", b"/plain", b"; boundary=x", b"\xff"])
def test_no_content_type(value):
    assert parse_content_type(value) is None


def test_disposition():
    assert parse_disposition(b'Attachment; filename="a;b"') == (
        b"Attachment",
        ((b"filename", b"a;b"),),
    )
    assert parse_disposition(b"") is None


def test_comments_nest():
    assert strip_comments(b"a (b (c) \\) d) e") == b"a  e"
    assert strip_comments(b'"(a)" (b') == b'"(a)" (b'
