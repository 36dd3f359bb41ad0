"""Sizes as people write them, and when a mailbox is full."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.limits import Room, format_size, is_full, parse_size, room

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("500", 500),
        ("1K", 1024),
        ("500M", 500 << 20),
        (" 5 GiB ", 5 << 30),
        ("1t", 1 << 40),
    ],
)
def test_sizes_are_read(text: str, octets: int) -> None:
    assert parse_size(text) == octets


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5G", "5X", "G", "5 G B", "1e9", "9999999T", "9" * 5000]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("octets", "text"), [(0, "0"), (1023, "1023"), (1024, "1K"), (1536, "1.5K"), (5 << 30, "5G")]
)
def test_sizes_are_written(octets: int, text: str) -> None:
    assert format_size(octets) == text


@pytest.mark.parametrize(
    ("quota", "used", "full_for", "wanted"),
    [
        (0, 10**12, None, Room.YES),
        (100, 99, timedelta(days=9), Room.YES),
        (100, 100, None, Room.NOT_NOW),
        (100, 100, timedelta(days=2, hours=23), Room.NOT_NOW),
        (100, 200, timedelta(days=3), Room.NO),
    ],
)
def test_room(quota: int, used: int, full_for: timedelta | None, wanted: Room) -> None:
    full_since = None if full_for is None else NOW - full_for
    assert room(is_full((0, 9), (quota, used)), full_since, NOW) is wanted
