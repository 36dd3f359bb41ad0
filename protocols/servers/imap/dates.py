"""INTERNALDATE of many messages at once: the day's name is made once a day and zone."""

from collections.abc import Iterable
from functools import lru_cache

from protocols.wire.imap import responses


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    """`"DD-Mon-YYYY ` of a day counted from 1970."""
    return responses.internal_date(days * 86400)[:13]


@lru_cache(maxsize=256)
def _zone(minutes: int) -> bytes:
    """` +HHMM"`."""
    return responses.internal_date(0, minutes)[-7:]


_MINUTES = tuple(b"%02d:%02d:" % divmod(minute, 60) for minute in range(1440))
_SECONDS = tuple(b"%02d" % second for second in range(60))


def internal_dates(moments: Iterable[tuple[int, int]]) -> list[bytes]:
    """The values for (Unix seconds, zone in minutes east of UTC), with their quotes."""
    rendered = []
    for seconds, zone in moments:
        minutes, second = divmod(seconds + zone * 60, 60)
        days, minute = divmod(minutes, 1440)
        rendered.append(_day(days) + _MINUTES[minute] + _SECONDS[second] + _zone(zone))
    return rendered
