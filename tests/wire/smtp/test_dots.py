"""Dot stuffing and the end of data, wherever the octets are cut (RFC 5321 §4.5.2)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.dots import DotStuffer
from protocols.wire.smtp.dots import DataReader
from protocols.wire.smtp.incoming import has_bare_octets, mend_line_ends

# The octets that decide anything, so that hypothesis finds their neighbourhoods.
octets = st.lists(st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"\0"]), max_size=24).map(
    b"".join
)
lines = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"hello"]), max_size=8)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(data[start : start + size])
        start += size
    return [*pieces, data[start:]]


def read(pieces: list[bytes], minimum: int = 1) -> tuple[bytes, bytes, bool]:
    """What the reader took, what is left in the buffer, whether the end was seen."""
    reader, buffer, taken = DataReader(), bytearray(), b""
    for piece in pieces:
        buffer += piece
        while not reader.is_complete:
            chunk = reader.take(buffer, minimum)
            taken += chunk
            if not chunk:
                break
    return taken, bytes(buffer), reader.is_complete


def stuff(pieces: list[bytes]) -> bytes:
    stuffer = DotStuffer()
    return b"".join(stuffer.stuff(piece) for piece in pieces) + stuffer.end()


cuts = st.lists(st.integers(0, 4), max_size=60)


@given(lines, cuts, cuts)
def test_what_is_stuffed_is_read_again(body: list[bytes], sent: list[int], got: list[int]) -> None:
    message = b"".join(line + b"\r\n" for line in body)
    wire = stuff(cut(message, sent))
    taken, left, is_complete = read(cut(wire + b"QUIT\r\n", got))
    assert (taken, left, is_complete) == (message, b"QUIT\r\n", True)


@given(octets, cuts, st.sampled_from([1, 5, 1000]))
def test_cuts_make_no_difference(data: bytes, sizes: list[int], minimum: int) -> None:
    whole = read([data + b"\r\n.\r\n"])
    assert read(cut(data + b"\r\n.\r\n", sizes), minimum)[0::2] == whole[0::2]


@pytest.mark.parametrize(
    ("wire", "message", "left"),
    [
        (b".\r\n", b"", b""),
        (b"\r\n.\r\n", b"\r\n", b""),
        (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
        (b"..\r\n.\r\n", b".\r\n", b""),
        (b".a\r\n.\r\n", b"a\r\n", b""),
        (b"...\r\n..b\r\n.\r\n", b"..\r\n.b\r\n", b""),
        (b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n", b""),
    ],
)
def test_end_of_data(wire: bytes, message: bytes, left: bytes) -> None:
    assert read([wire]) == (message, left, True)
    assert read([bytes([octet]) for octet in wire])[0] == message


@pytest.mark.parametrize(
    "wire",
    [b"a\n.\n", b"a\n.\r\n", b"a\r.\r", b"a\r\n.\n", b"a\r\n.\r", b"a\r.\r\n", b".\n", b".\r"],
)
def test_smuggled_ends_do_not_end(wire: bytes) -> None:
    assert not read([wire + b"MAIL FROM:<x@y>\r\n"])[2]


@given(octets, cuts)
def test_a_crlf_is_never_cut_in_two(data: bytes, sizes: list[int]) -> None:
    reader, buffer, chunks = DataReader(), bytearray(), []
    for piece in cut(data, sizes):
        buffer += piece
        while chunk := reader.take(buffer):
            chunks.append(chunk)
    for one, next_one in pairwise(chunks):
        assert not (one.endswith(b"\r") and next_one.startswith(b"\n"))


@pytest.mark.parametrize(
    ("data", "is_bare"),
    [
        (b"", False),
        (b"a\r\nb\r\n", False),
        (b"a\nb", True),
        (b"a\rb", True),
        (b"a\0b", True),
        (b"\n\r", True),
        (b"\r\r\n\n", True),
    ],
)
def test_bare_octets(data: bytes, is_bare: bool) -> None:
    assert has_bare_octets(data) is is_bare


def test_mended_line_ends() -> None:
    assert mend_line_ends(b"a\nb\r\nc\n") == b"a\r\nb\r\nc\r\n"
    assert mend_line_ends(b"a\r\nb") == b"a\r\nb"
