"""RFC 2047, RFC 2231, transfer encodings and charsets."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import (
    charset,
    decode,
    decode_header,
    decode_params,
    decode_text,
    decode_transfer,
)
from protocols.wire.message.charset import _CODECS, find_codec
from protocols.wire.message.content import parse_content_type


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" plain\r\n folded ", "plain folded"),
        (b"=?iso-8859-1?q?a=E9_b?=", "aé b"),
        (b"=?UTF-8?B?w6k=?= x", "é x"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?= c", "aé c"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        (b"=?utf-8*en?q?hi?=", "hi"),
        (b"=?utf-8?q?with spaces in it?=", "with spaces in it"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"=?x-unknown?q?=C3=A9?=", "é"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?never closed", "=?utf-8?q?never closed"),
        (b"caf\xe9", "café"),
        ("café".encode(), "café"),
        (b"=?utf-8?q?a=0D=0AX:_b?=", "a  X: b"),
    ],
)
def test_header(value, text):
    assert decode_header(value) == text


@pytest.mark.parametrize(
    ("value", "params"),
    [
        (b"a/b; name=x", {"name": "x"}),
        (b"a/b; Name*=utf-8''%e2%82%ac%20rates", {"name": "€ rates"}),
        (
            b"a/b; t*0*=us-ascii'en'even%20more%20; t*2=\"isn't it\"; t*1*=%2A%2A%20",
            {"t": "even more ** isn't it"},
        ),
        (b'a/b; name="=?utf-8?q?=C3=A9?="', {"name": "é"}),
        (b"a/b; name=plain; name*=utf-8''best", {"name": "best"}),
        (b"a/b; x*0=one; x*1=two", {"x": "onetwo"}),
        (b"a/b; x*=broken%ZZ'", {"x": "broken%ZZ'"}),
    ],
)
def test_params(value, params):
    content = parse_content_type(value)
    assert content is not None
    assert decode_params(content.params) == params


@pytest.mark.parametrize(
    ("body", "encoding", "octets"),
    [
        (b"SGVs\r\nbG8=\r\n", b"base64", b"Hello"),
        (b"SGVsbG8", b"BASE64", b"Hello"),
        (b"SGVsbG8=\r\n____\r\nOur list\r\n", b"base64", b"Hello"),
        (b"S*G V\xffsbG8=!", b"base64", b"Hello"),
        (b"A", b"base64", b""),
        (b"a=C3=A9=\r\nb=ZZ", b"quoted-printable", b"a\xc3\xa9b=ZZ"),
        (b"a  \r\nb \t\nc=20 \r\nd", b"quoted-printable", b"a\r\nb\nc \r\nd"),
        (b"soft= \t\r\nend=\t\nlast \t", b"quoted-printable", b"softendlast"),
        (b"begin 644 x\n%2&5L;&\\\n`\nend\n", b"x-uuencode", b"Hello"),
        (b"as it is", b"7bit", b"as it is"),
        (b"as it is", b"x-unheard-of", b"as it is"),
    ],
)
def test_transfer(body, encoding, octets):
    assert decode_transfer(body, encoding) == octets


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"\xe9", b"iso-8859-1", "é"),
        (b"\x80", b"iso-8859-1", "€"),
        (b"\xc3\xa9", b"us-ascii", "é"),
        (b"\xe9", b"us-ascii", "é"),
        (b"\xc3\xa9", b"x-no-such", "é"),
        (b"\xd6\xd0", b"gb2312", "中"),
        (b"\x82\xa0", b"Shift_JIS", "あ"),
        (b"\xb0\xa1", b"ks_c_5601-1987", "가"),
        (b"\xd0", b"koi8-r", "п"),
        (b"+AOk-", b"unicode-1-1-utf-7", "é"),
        (b"caf\xe9", b"utf-8", "café"),
        ("ä".encode() * 100 + b"\xc3", b"utf-8", "ä" * 100 + "\ufffd"),
        (b"a\0b", b"utf-8", "a\ufffdb"),
        (b"text", b"zlib", "text"),
    ],
)
def test_charset(octets, charset, text):
    assert decode_text(octets, charset) == text


def test_every_codec_on_the_list_exists():
    for name in _CODECS:
        assert codecs.lookup(name)._is_text_encoding


@pytest.mark.parametrize("name", [b"idna", b"punycode", b"unicode_escape", b"rot13", b"../x", b""])
def test_no_other_codec_is_reached(name):
    assert find_codec(name) is None


@given(st.binary(max_size=60), st.sampled_from(sorted(_CODECS)))
def test_decoded_text_is_text(octets, codec):
    text = decode_text(octets, codec.encode())
    assert "\0" not in text
    text.encode()


@given(st.binary(max_size=200))
def test_decode_header_never_fails(value):
    text = decode_header(value)
    assert "\n" not in text
    text.encode()


@given(st.sampled_from(sorted(_CODECS)), st.binary(max_size=60) | st.text(alphabet="aé漢か한é "))
def test_a_charset_in_pieces_reads_as_all_of_it(codec, text):
    octets = text if isinstance(text, bytes) else text.encode(codec, "ignore")
    whole = outcome(codec, octets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charset, "_PIECE", 7)
        assert outcome(codec, octets) == whole
        decode_text(octets, codec.encode())


def outcome(codec, octets):
    try:
        return charset._decoded(octets, codec, "strict")
    except UnicodeError:
        return None


def test_a_broken_escape_sequence_in_pieces_is_replaced(monkeypatch):
    octets = b"{!-(\x1b(f/\r!0\x1b\x00 \xfe\rf\xa4"
    monkeypatch.setattr(charset, "_PIECE", 7)
    assert "\ufffd" in charset._decoded(octets, "iso2022_kr", "replace")


def test_wrong_octets_leave_turns_to_other_threads(monkeypatch):
    """A codec lets no other thread work; megabytes that are wrong in it took many seconds."""
    lengths = []

    def recording(codec):
        class Decoder(codecs.lookup(codec).incrementaldecoder):
            def decode(self, octets, final=False):
                lengths.append(len(octets))
                return super().decode(octets, final)

        return Decoder

    monkeypatch.setattr(charset, "_PIECE", 100)
    monkeypatch.setattr(charset.codecs, "getincrementaldecoder", recording)
    assert decode_text(b"\x81" * 1000, b"windows-1252") == "\ufffd" * 1000
    assert max(lengths) == 100
    assert sum(lengths) > 1000


QUOTED = st.lists(
    st.sampled_from([b"=C3=A9", b"=", b" ", b"\t", b"\r\n", b"\n", b"\r", b"a", b"=2"])
)


@given(QUOTED)
def test_quoted_printable_in_pieces_reads_as_all_of_it(words):
    text = b"".join(words)
    whole = decode._lines_decoded(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_PIECE", 3)
        assert decode.decode_quoted_printable(text) == whole


def test_lines_are_decoded_some_at_a_time():
    """Megabytes of them at once let no other thread work for seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_PIECE", 40)
        pieces = list(decode._in_pieces(b"=C3=A9 \r\n" * 100))
    assert b"".join(pieces) == b"=C3=A9 \r\n" * 100
    assert max(map(len, pieces)) == 45
