"""Read the Date field: RFC 5322 §3.3, its obsolete forms (§4.3), and what programs really write."""

import re
from typing import NamedTuple

from protocols.wire.message.content import strip_comments


class Moment(NamedTuple):
    """`unix` is seconds since 1970 UTC; `zone_minutes` east of UTC is the zone it was given in."""

    unix: int
    zone_minutes: int


_VALUE_LIMIT = 200
_MONTHS = {
    name: number
    for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
# RFC 5322 §4.3 names the American ones; military letters and unknown names mean UTC.
_ZONES = {
    b"EST": -300,
    b"EDT": -240,
    b"CST": -360,
    b"CDT": -300,
    b"MST": -420,
    b"MDT": -360,
    b"PST": -480,
    b"PDT": -420,
    b"CET": 60,
    b"MET": 60,
    b"MEZ": 60,
    b"CEST": 120,
    b"MEST": 120,
    b"MESZ": 120,
    b"EET": 120,
    b"EEST": 180,
    b"MSK": 180,
    b"BST": 60,
    b"JST": 540,
}
_TIME = (
    rb"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?(?:\.\d{1,9})?"
    rb"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = rb"(?: ?(?:(?:GMT|UTC?)?(?P<offset>[+-]\d{2}:?\d{2})|(?P<zone>[A-Za-z]{1,5})))?"
_FORMS = (
    re.compile(
        rb"(?:[A-Za-z]{2,12}\.?,? ?)?(?P<day>\d{1,2})[ -](?P<month>[A-Za-z]{3})[a-z]{0,6}\.?,?[ -]"
        rb"(?P<year>\d{2,4}),?(?: " + _TIME + _ZONE + rb")?"
    ),
    re.compile(  # asctime
        rb"[A-Za-z]{3},? (?P<month>[A-Za-z]{3}) (?P<day>\d{1,2}) "
        + _TIME
        + rb"(?: (?P<zone>[A-Z]{3,4}))? (?P<year>\d{4})"
    ),
    re.compile(  # RFC 3339
        rb"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?:[T ]" + _TIME + _ZONE + rb")?"
    ),
)


# What nearly all mail has: the form of RFC 5322 without comments, or with the zone's name in one.
_ORDINARY = re.compile(
    rb"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d)"
    rb" ([+-](?:0\d|1[0-3])[0-5]\d)(?: \([A-Z]{1,5}\))?"
)


def parse_date(value: bytes) -> Moment | None:
    """The moment an unfolded Date value names, or None where none can be made of it."""
    if ordinary := _ORDINARY.fullmatch(value):
        day, month, year, hour, minute, second, offset = ordinary.groups()
        number = _MONTHS.get(month.lower())
        if number is not None and 1 <= int(day) <= 31:
            zone = _zone_minutes(offset, None)
            days = _days_since_1970(int(year), number, int(day))
            seconds = int(hour) * 3600 + (int(minute) - zone) * 60 + int(second)
            return Moment(days * 86400 + seconds, zone)
    text = b" ".join(strip_comments(value[:_VALUE_LIMIT]).split())
    if b" :" in text or b": " in text:
        text = text.replace(b" :", b":").replace(b": ", b":")
    for form in _FORMS:
        if found := form.match(text):
            return _moment(found.groupdict())
    return None


def _moment(found: dict[str, bytes | None]) -> Moment | None:
    month_text = found["month"] or b""
    month = int(month_text) if month_text.isdigit() else _MONTHS.get(month_text.lower(), 0)
    day, year = int(found["day"] or 0), _full_year(found["year"] or b"0")
    hour, minute = int(found["hour"] or 0), int(found["minute"] or 0)
    second = int(found["second"] or 0)
    half = found["half"]
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half in b"pP" else 0)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    days = _days_since_1970(year, month, day)
    if not (hour < 25 and minute < 60 and second < 62):
        # RFC 5256 §2.2: the day is still a day, and what stands behind no time is no zone.
        return Moment(days * 86400, 0)
    zone = _zone_minutes(found.get("offset"), found["zone"])
    return Moment(days * 86400 + hour * 3600 + (minute - zone) * 60 + second, zone)


def _full_year(text: bytes) -> int:
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(text) == 3 else year


def _zone_minutes(offset: bytes | None, name: bytes | None) -> int:
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        # No place on earth is farther from UTC than 14 hours: such a zone is noise.
        if minutes > 14 * 60:
            return 0
        return -minutes if offset.startswith(b"-") else minutes
    return _ZONES.get(name.upper(), 0) if name else 0


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Days in the proleptic Gregorian calendar; a day past its month's end runs into the next."""
    # Years begin in March here, so that the leap day is their last.
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return (
        year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 719469
    )
