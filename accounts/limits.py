"""The limits that every room obeys, how sizes are written, and when a mailbox counts as full.

Pure arithmetic: callers pass the time in.
"""

import re
from datetime import datetime, timedelta
from enum import Enum

# An alias may lead to aliases; past this depth it is taken for a loop.
ALIAS_DEPTH = 10
# One recipient never becomes more than this many: larger lists want a list manager.
ALIAS_TARGETS = 1000
# Nor are more addresses looked up on its way there at once: lists may lead to lists of lists.
ALIAS_WIDTH = 10_000

# SQLite lets one process write at a time: more would only wait for each other.
SERVERS_ON_SQLITE = 2

# Every session asks all rules of the switchboard.
CLIENT_RULES = 1000

# A mailbox that stays full answers 452 for so long, then 552.
FULL_IS_TEMPORARY_FOR = timedelta(days=3)

# How long a removed mailbox can be restored.
RESTORABLE_FOR = timedelta(days=30)

# A mail program that comes back after longer is told which UIDs are not there (RFC 7162 §3.2.5.1)
# instead of which went.
CHANGES_KEPT_FOR = timedelta(days=30)


class Room(Enum):
    """What a mailbox says to the next message."""

    YES = "yes"
    NOT_NOW = "not now"
    NO = "no"


def is_full(*amounts: tuple[int, int]) -> bool:
    """Whether any of these (quota, used) is used up. A quota of 0 is unlimited."""
    return any(0 < quota <= used for quota, used in amounts)


def room(full: bool, full_since: datetime | None, now: datetime) -> Room:
    """Whether a mailbox takes mail."""
    if not full:
        return Room.YES
    if full_since is None or now - full_since < FULL_IS_TEMPORARY_FOR:
        return Room.NOT_NOW
    return Room.NO


# What a column of the database holds.
MOST_OCTETS = (1 << 63) - 1
_SIZE = re.compile(r"(\d{1,19})\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_FACTOR = {"T": 1 << 40, "G": 1 << 30, "M": 1 << 20, "K": 1 << 10, "": 1}


def parse_size(text: str) -> int:
    """A size such as `5G` in octets; ValueError when it is none."""
    match = _SIZE.fullmatch(text.strip())
    octets = MOST_OCTETS + 1 if match is None else int(match[1]) * _FACTOR[match[2].upper()]
    if octets > MOST_OCTETS:
        raise ValueError(f"“{text}” is no size; write for example 500M or 5G")
    return octets


def format_size(octets: int) -> str:
    """Octets in the largest unit, to one place: `5G`, `1.5M`; `parse_size` reads whole ones."""
    for unit, factor in _FACTOR.items():
        if octets >= factor:
            return f"{octets / factor:.1f}".removesuffix(".0") + unit
    return "0"
