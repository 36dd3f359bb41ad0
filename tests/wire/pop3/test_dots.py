"""Dot stuffing and TOP, over octets cut anywhere, held against the plainest possible model."""

from hypothesis import example, given
from hypothesis import strategies as st

from protocols.wire.dots import DotStuffer, stuff_whole
from protocols.wire.pop3.top import TopCutter

OCTETS = st.lists(st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"a", b".."]), max_size=40).map(
    b"".join
)
CUTS = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    found, number = [], 0
    while octets:
        size = cuts[number % len(cuts)]
        found.append(octets[:size])
        octets, number = octets[size:], number + 1
    return found


@given(OCTETS, CUTS)
@example(b"\r\n.", [2, 1])
@example(b".\r\n.\r\n", [1])
def test_what_was_stuffed_can_be_read_again(octets: bytes, cuts: list[int]) -> None:
    stuffer = DotStuffer()
    wire = b"".join(stuffer.stuff(piece) for piece in pieces(octets, cuts)) + stuffer.end()
    # RFC 1939 §3, as a client reads it: the first line that is a dot alone is the end.
    end = (b"\r\n" + wire).index(b"\r\n.\r\n")
    assert end + len(b".\r\n") == len(wire)
    read = (b"\r\n" + wire)[: end + 2].replace(b"\r\n..", b"\r\n.")[2:]
    assert read == (octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n")


@given(OCTETS)
@example(b"")
@example(b".")
def test_a_whole_message_is_stuffed_as_its_pieces_are(octets: bytes) -> None:
    stuffer = DotStuffer()
    assert stuff_whole(octets) == (stuffer.stuff(octets), stuffer.end())


def test_nothing_at_all_is_only_the_end() -> None:
    assert DotStuffer().end() == b".\r\n"


def top(octets: bytes, lines: int) -> bytes:
    """The model: line by line."""
    shown = b""
    is_in_body = False
    for line in octets.splitlines(keepends=True) if b"\r" not in octets else _lines(octets):
        if is_in_body:
            if not lines:
                break
            lines -= 1
        shown += line
        is_in_body = is_in_body or line in (b"\r\n", b"\n")
    return shown


def _lines(octets: bytes) -> list[bytes]:
    return [line + b"\n" for line in octets.split(b"\n")[:-1]] + (
        [octets.rsplit(b"\n", 1)[-1]] if octets.rsplit(b"\n", 1)[-1] else []
    )


@given(OCTETS, st.integers(0, 5), CUTS)
@example(b"\r\nbody\r\nmore\r\n", 1, [1])
@example(b"A: b\r\n\r\nbody", 1, [6])
def test_top_is_the_header_and_so_many_lines(octets: bytes, lines: int, cuts: list[int]) -> None:
    cutter = TopCutter(lines)
    assert b"".join(cutter.cut(piece) for piece in pieces(octets, cuts)) == top(octets, lines)
