"""Searching through windows finds what searching the whole finds."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import octets as octets_module
from protocols.wire.message.octets import count_lines, is_ascii, occurrences


@given(
    st.lists(st.sampled_from([b"ab", b"a", b"b", b"\n", b"\xff"]), max_size=40).map(b"".join),
    st.sampled_from([b"a", b"ab", b"aba", b"aaaa"]),
    st.integers(1, 9),
)
def test_windows_hide_nothing(data, needle, window):
    whole = list(occurrences(data, needle, 0, len(data)))
    before = octets_module.WINDOW
    octets_module.WINDOW = window
    try:
        view = memoryview(data)
        assert list(occurrences(view, needle, 0, len(data))) == whole
        assert count_lines(view, 0, len(data)) == data.count(b"\n")
        assert is_ascii(view) == data.isascii()
    finally:
        octets_module.WINDOW = before
    assert whole == [at for at in range(len(data)) if data.startswith(needle, at)]
