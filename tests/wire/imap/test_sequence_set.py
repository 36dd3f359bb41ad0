"""Sequence sets against a model that writes out every number."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.imap import sequence_set
from protocols.wire.imap.sequence_set import SequenceSet, compact, merge, parse, within

NUMBERS = st.one_of(st.just(0), st.integers(1, 40))
SETS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12).map(
    lambda ranges: SequenceSet(tuple(ranges))
)


def _model(numbers: SequenceSet, maximum: int) -> set[int]:
    """RFC 3501 §9 by the letter."""
    found: set[int] = set()
    for low, high in numbers.ranges:
        ends = sorted((low or maximum, high or maximum))
        found.update(range(ends[0], ends[1] + 1))
    return {number for number in found if 1 <= number <= maximum}


@given(SETS, st.integers(0, 50))
def test_resolves_as_the_model(numbers: SequenceSet, maximum: int) -> None:
    ranges = numbers.resolve(maximum)
    spelt = [number for low, high in ranges for number in range(low, high + 1)]
    assert spelt == sorted(_model(numbers, maximum))
    for (_, high), (low, _) in pairwise(ranges):
        assert low > high + 1
    for number in range(52):
        assert within(ranges, number) == (number in spelt)


@given(SETS)
def test_writing_and_reading_undo_each_other(numbers: SequenceSet) -> None:
    assert parse(numbers.to_bytes()) == numbers


@given(st.sets(st.integers(1, 60)))
def test_compact_is_read_back(numbers: set[int]) -> None:
    text = compact(sorted(numbers))
    assert (text == b"") == (not numbers)
    if numbers:
        read = parse(text)
        assert read is not None
        assert _model(read, 60) == numbers
        assert merge(read.ranges).ranges == read.ranges


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], b""),
        ([7], b"7"),
        ([1, 2, 3, 7], b"1:3,7"),
        ([4294967294, 4294967295], b"4294967294:4294967295"),
        ([3, 1, 2], b"3,1:2"),
    ],
)
def test_compact(numbers: list[int], text: bytes) -> None:
    assert compact(numbers) == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"0",
        b"01",
        b"1:",
        b":1",
        b"1,",
        b",1",
        b"1:2:3",
        b"**",
        b"1 2",
        b"-1",
        b"4294967296",
        b"1:4294967296",
        b"9999999999",
        b"10000000000",
        b"1\n",
        b"\xb2",
    ],
)
def test_what_is_no_set(text: bytes) -> None:
    assert parse(text) is None


def test_huge_ranges_cost_nothing() -> None:
    whole = parse(b"1:4294967295")
    assert whole is not None
    assert whole.resolve(4294967295) == ((1, 4294967295),)
    many = parse(b",".join([b"1:*"] * 10_000))
    assert many is not None
    assert many.resolve(4294967295) == ((1, 4294967295),)
    assert sequence_set.merge([]).ranges == ()


def test_highest_and_star() -> None:
    numbers = parse(b"3,9:5,*:2")
    assert numbers is not None
    assert (numbers.highest, numbers.has_star) == (9, True)
    assert parse(b"*") == SequenceSet(((0, 0),))
    assert SequenceSet(((0, 0),)).highest == 0
    assert not SequenceSet(((1, 2),)).has_star
