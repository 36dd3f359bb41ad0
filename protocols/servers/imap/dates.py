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


def internal_dates(moments: Iterable[tuple[int, int]]) -> list[bytes]:
    """The values for (Unix seconds, zone in minutes east of UTC), with their quotes."""
    rendered = []
    for seconds, zone in moments:
        days, rest = divmod(seconds + zone * 60, 86400)
        minutes, second = divmod(rest, 60)
        rendered.append(
            b"%b%02d:%02d:%02d%b" % (_day(days), *divmod(minutes, 60), second, _zone(zone))
        )
    return rendered
