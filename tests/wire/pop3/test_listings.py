"""Lists of a maildrop say of each message its number and its value, however many there are."""

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.pop3 import listings


@given(
    st.lists(st.integers(0, 1 << 63), max_size=12),
    st.sampled_from(["", "1717.", "%d."]),
    st.sets(st.integers(1, 14)),
    st.integers(1, 13),
)
def test_each_message_has_its_line(
    values: list[int], before: str, without: set[int], chunk: int
) -> None:
    with mock.patch.object(listings, "CHUNK", chunk):
        pieces = list(listings.lines(values, before, without=without))
    told = [
        f"{number} {before}{value}\r\n".encode()
        for number, value in enumerate(values, 1)
        if number not in without
    ]
    assert b"".join(pieces) == b"".join(told)
    assert all(piece.count(b"\n") <= chunk for piece in pieces)
