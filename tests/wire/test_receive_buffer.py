"""The receive buffer against a model that holds everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.receive_buffer import LineTooLong, ReceiveBuffer

OCTETS = st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"bcdef"]), max_size=40).map(
    b"".join
)
CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def read(octets: bytes, cuts: list[int], limit: int, *, bare: bool) -> list[bytes | None]:
    """The lines as they come out; None stands for one that was too long."""
    buffer = ReceiveBuffer()
    lines: list[bytes | None] = []
    number = 0
    while octets:
        size = cuts[number % len(cuts)]
        buffer.feed(octets[:size])
        octets, number = octets[size:], number + 1
        while True:
            try:
                line = buffer.take_line(limit, accept_bare_lf=bare)
            except LineTooLong:
                lines.append(None)
                continue
            if line is None:
                break
            lines.append(line)
        assert len(buffer) < limit + 1
    return lines


@given(OCTETS, CUTS, st.integers(3, 12))
def test_lines_end_in_crlf(octets: bytes, cuts: list[int], limit: int) -> None:
    whole = [line if len(line) + 2 <= limit else None for line in octets.split(b"\r\n")[:-1]]
    found = read(octets, cuts, limit, bare=False)
    # A line that is too long is told of before its end is there.
    rest = octets.split(b"\r\n")[-1]
    assert found in (whole, [*whole, None])
    assert found == whole or len(rest) >= limit - 1


@given(OCTETS, CUTS, st.integers(3, 12))
def test_a_bare_lf_ends_a_line_where_it_may(octets: bytes, cuts: list[int], limit: int) -> None:
    whole = []
    for line in octets.split(b"\n")[:-1]:
        size = len(line) + 1
        whole.append(line.removesuffix(b"\r") if size <= limit else None)
    found = read(octets, cuts, limit, bare=True)
    assert found in (whole, [*whole, None])


def test_a_line_that_never_ends_is_told_of_once() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"x" * 100)
    with pytest.raises(LineTooLong):
        buffer.take_line(50)
    for _ in range(100):
        buffer.feed(b"x" * 100)
        assert buffer.take_line(50) is None
        assert len(buffer) <= 1
    buffer.feed(b"\r\nnext\r\n")
    assert buffer.take_line(50) == b"next"


def test_take_and_clear() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"abcdef\r\n")
    assert buffer.take(4) == b"abcd"
    assert buffer.take_line(50) == b"ef"
    buffer.feed(b"secret")
    buffer.clear()
    assert len(buffer) == 0
    buffer.feed(b"")
    assert buffer.is_closed
