"""Decide when to try a recipient again, when to warn the sender, and when to give up.

Pure arithmetic: callers pass time and randomness in. Nothing here may read a clock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

# RFC 5321 §4.5.4.1: wait at least 30 minutes, more often while the message is young, give up after
# 4 to 5 days. The first four waits add up to the four hours after which the sender is told.
WAITS = (
    timedelta(minutes=30),
    timedelta(minutes=45),
    timedelta(hours=1),
    timedelta(hours=1, minutes=45),
    timedelta(hours=2),
    timedelta(hours=3),
    timedelta(hours=4),
)
GIVE_UP_AFTER = timedelta(days=5)
DELAY_NOTICE_AFTER = timedelta(hours=4)

# Waits grow by up to this part of themselves: what failed together shall not return together.
JITTER = 0.1


def next_attempt(
    queued_at: datetime,
    attempts: int,
    now: datetime,
    *,
    jitter: float = 0.0,
    schedule: Sequence[timedelta] = (),
) -> datetime | None:
    """When to try again after `attempts` failed tries, or None once the recipient has expired.

    `jitter` is a random number from 0 to 1. `schedule` is `MAILHOST_RETRY_SCHEDULE`: its waits are
    taken as they stand, and after the last of them the recipient expires.
    """
    if attempts < 1:
        raise ValueError("a recipient is rescheduled only after a try")
    if schedule:
        return now + schedule[attempts - 1] if attempts <= len(schedule) else None
    expires_at = queued_at + GIVE_UP_AFTER
    if now >= expires_at:
        return None
    wait = WAITS[min(attempts, len(WAITS)) - 1]
    return min(now + wait * (1 + JITTER * jitter), expires_at)


def is_notice_due(queued_at: datetime, now: datetime) -> bool:
    """Whether the sender of a message that still waits should hear about it."""
    return now - queued_at >= DELAY_NOTICE_AFTER
