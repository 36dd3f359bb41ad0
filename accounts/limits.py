"""The limits that every room obeys, and when a mailbox counts as full.

Pure arithmetic: callers pass the time in.
"""

from datetime import datetime, timedelta
from enum import Enum

# An alias may lead to aliases; past this depth it is taken for a loop.
ALIAS_DEPTH = 10
# One recipient never becomes more than this many: larger lists want a list manager.
ALIAS_TARGETS = 1000

# A mailbox that stays full refuses for good after this long (CONTRACT, wire promises).
FULL_IS_TEMPORARY_FOR = timedelta(days=3)

# How long a removed mailbox can be restored.
RESTORABLE_FOR = timedelta(days=30)


class Room(Enum):
    """What a mailbox says to the next message."""

    YES = "yes"
    NOT_NOW = "not now"
    NO = "no"


def room(quota: int, used: int, full_since: datetime | None, now: datetime) -> Room:
    """Whether a mailbox takes mail. Octets; a quota of 0 is unlimited."""
    if not quota or used < quota:
        return Room.YES
    if full_since is None or now - full_since < FULL_IS_TEMPORARY_FOR:
        return Room.NOT_NOW
    return Room.NO
