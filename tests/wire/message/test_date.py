"""Dates as they are written, and the moments they name."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.message import parse_date


@pytest.mark.parametrize(
    ("value", "moment", "zone"),
    [
        (b"Mon, 23 Nov 2026 09:00:00 +0100", "2026-11-23T08:00:00", 60),
        (b"1 Jan 1970 00:00 +0000", "1970-01-01T00:00:00", 0),
        (b"Tue, 29 Feb 2000 23:59:60 -0330", "2000-03-01T03:30:00", -210),
        (b"Wed, 11 Feb 98 11:51 CST", "1998-02-11T17:51:00", -360),
        (b"Fri, 21 Nov 49 09:55:06 GMT", "2049-11-21T09:55:06", 0),
        (b"Fri, 21 Nov 101 09:55:06 Z", "2001-11-21T09:55:06", 0),
        (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06", -360),
        (b"Fri, 21 Nov 1997 09:55:06 K", "1997-11-21T09:55:06", 0),
        (b"Fri, 21 Nov 1997 09:55:06", "1997-11-21T09:55:06", 0),
        (b"Fri 21 November 1997", "1997-11-21T00:00:00", 0),
        (b"Mon Dec 23 00:08:02 1996", "1996-12-23T00:08:02", 0),
        (b"Mon Dec 23 00:08:02 EST 1996", "1996-12-23T05:08:02", -300),
        (b"2026-11-23T09:00:00+01:00", "2026-11-23T08:00:00", 60),
        (b"Tue, 5 May 2009 03:04:05 PM GMT+0200", "2009-05-05T13:04:05", 120),
        (b"Tue, 5 May 2009 12:04 AM", "2009-05-05T00:04:00", 0),
        (b"Tue, 5 May 2009 10:00:00 +9999", "2009-05-05T10:00:00", 0),
        (b"1 Jan 2020 26:00 +0200", "2020-01-01T00:00:00", 0),
        (b"Fri, 21 Nov 1997 09:61:00", "1997-11-21T00:00:00", 0),
        (b"Fri, 21 Nov 1997 09:55:99 -0600", "1997-11-21T00:00:00", 0),
        (b"Fri, 21 Nov 1997 noon -0600", "1997-11-21T00:00:00", 0),
        (b"Mon Dec 23 99:08:02 1996", "1996-12-23T00:00:00", 0),
        (b"2026-11-23T09:60:00+01:00", "2026-11-23T00:00:00", 0),
    ],
)
def test_moment(value, moment, zone):
    parsed = parse_date(value)
    expected = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    assert parsed == (expected, zone)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"yesterday",
        b"32 Jan 2020 10:00",
        b"1 Foo 2020 10:00",
        b"\xff" * 50,
    ],
)
def test_no_moment(value):
    assert parse_date(value) is None


def test_days_agree_with_the_calendar():
    for days in range(-200_000, 200_000, 97):
        when = datetime.fromtimestamp(days * 86400, UTC)
        text = when.strftime("%d %b ").encode() + b"%04d 00:00:00 +0000" % when.year
        assert parse_date(text) == (days * 86400, 0)


TWO_DIGITS = st.integers(0, 99).map("{:02}".format)
MONTH = st.sampled_from(["Jan", "Feb", "Jun", "Dec", "Foo", "feb"])


@given(
    st.sampled_from(["", "Mon, ", "mon, "]),
    st.integers(0, 32),
    MONTH,
    st.integers(0, 9999).map("{:04}".format),
    st.tuples(TWO_DIGITS, TWO_DIGITS, TWO_DIGITS).map(":".join),
    st.tuples(st.sampled_from("+-"), TWO_DIGITS, TWO_DIGITS).map("".join),
    st.sampled_from(["", " (CET)", " (x)", "x"]),
)
def test_the_form_that_nearly_all_mail_has_is_read_as_any_other(
    weekday: str, day: int, month: str, year: str, time: str, zone: str, behind: str
) -> None:
    value = f"{weekday}{day} {month} {year} {time} {zone}{behind}".encode()
    # No unfolded value begins with a space: so this is none of the form that is read at once.
    assert parse_date(value) == parse_date(b" " + value)
