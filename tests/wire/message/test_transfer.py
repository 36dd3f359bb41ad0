"""Transfer encodings undone a piece at a time (RFC 2045 §6)."""

import base64
import binascii
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import decode_transfer
from protocols.wire.message.transfer import Decoded, is_known

ENCODINGS = [b"7bit", b"8BIT", b"binary", b"Base64", b"quoted-printable"]
LINES = st.lists(
    st.sampled_from(
        [b"=\r\n", b"=3D", b"=", b"a", b"\r\n", b"\n", b"=4", b"\0", b"Zm9v", b" ", b"\t", b"!"]
    )
).map(b"".join)


def _decoded(body: bytes, encoding: bytes) -> Decoded:
    return Decoded(lambda start, length: body[start : start + length], len(body), encoding)


@given(LINES, st.sampled_from(ENCODINGS), st.integers(3, 40))
def test_pieces_are_the_whole(body: bytes, encoding: bytes, piece: int) -> None:
    if encoding == b"quoted-printable":
        # A soft break that ends in no line end reaches to the next one, however far that is.
        body = body.replace(b"\r\n", b"\n")
    whole = decode_transfer(body, encoding)
    with patch("protocols.wire.message.transfer.PIECE", piece):
        decoded = _decoded(body, encoding)
        for _ in decoded.scan():
            pass
        assert decoded.known_size == len(whole)
        assert b"".join(decoded.read(0, len(whole) + 5)) == whole
        assert decoded.holds_nul(0, len(whole)) is (b"\0" in whole)


@given(st.binary(max_size=200), st.integers(0, 220), st.integers(0, 220), st.integers(4, 30))
def test_ranges_in_any_order(octets: bytes, start: int, count: int, piece: int) -> None:
    body = base64.encodebytes(octets)
    with patch("protocols.wire.message.transfer.PIECE", piece):
        decoded = _decoded(body, b"base64")
        for begin, end in ((start, start + count), (0, start), (count, 300)):
            for _ in decoded.scan(end):
                pass
            assert decoded.known_size >= min(end, len(octets))
            assert b"".join(decoded.read(begin, end)) == octets[begin:end]


def test_a_range_read_again_costs_no_more_than_its_piece() -> None:
    octets = bytes(range(256)) * 8192
    body = base64.encodebytes(octets)
    reads: list[int] = []

    def read(start: int, length: int) -> bytes:
        reads.append(length)
        return body[start : start + length]

    decoded = Decoded(read, len(body), b"base64")
    for _ in decoded.scan():
        pass
    reads.clear()
    at = len(octets) - 100_000
    assert b"".join(decoded.read(at, at + 10)) == octets[at : at + 10]
    assert len(reads) == 1


def test_a_line_longer_than_a_piece() -> None:
    octets = b"\xe9" * 300_000
    body = binascii.b2a_qp(octets).replace(b"=\n", b"")
    assert b"\n" not in body
    assert b"".join(_decoded(body, b"quoted-printable").read(0, 1 << 20)) == octets


@pytest.mark.parametrize("piece", [3, 9, 200])
def test_nothing_behind_the_padding(piece: int) -> None:
    with patch("protocols.wire.message.transfer.PIECE", piece):
        decoded = _decoded(b"SGVsbG8=\r\n____\r\nOur list is https://a.test/\r\n", b"base64")
        for _ in decoded.scan():
            pass
        assert decoded.known_size == 5
        assert b"".join(decoded.read(0, 50)) == b"Hello"
        assert b"".join(decoded.read(4, 50)) == b"o"


@pytest.mark.parametrize("encoding", [b"x-uuencode", b"8bit;", b"", b"base 64"])
def test_unknown(encoding: bytes) -> None:
    assert not is_known(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_known(encoding: bytes) -> None:
    assert is_known(encoding)
    assert list(_decoded(b"", encoding).read(0, 10)) == []
