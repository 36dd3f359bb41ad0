"""The clock of a recipient: RFC 5321 §4.5.4.1."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import schedule

QUEUED = datetime(2026, 1, 1, tzinfo=UTC)


def test_first_wait_is_thirty_minutes():
    assert schedule.next_attempt(QUEUED, 1, QUEUED) == QUEUED + timedelta(minutes=30)


@given(st.integers(1, 60), st.floats(0, 1))
def test_waits_never_shrink_below_thirty_minutes_nor_past_the_end(attempts, jitter):
    now = QUEUED + timedelta(hours=1)
    at = schedule.next_attempt(QUEUED, attempts, now, jitter=jitter)
    assert at is not None
    assert now + timedelta(minutes=30) <= at <= QUEUED + schedule.GIVE_UP_AFTER


def test_waits_grow():
    waits = [schedule.next_attempt(QUEUED, n, QUEUED) for n in range(1, 9)]
    assert waits == sorted(waits)
    assert waits[-1] == QUEUED + timedelta(hours=4)


def test_jitter_only_lengthens():
    assert schedule.next_attempt(QUEUED, 1, QUEUED, jitter=1.0) == QUEUED + timedelta(minutes=33)


def test_a_whole_life_has_a_try_after_four_hours_and_ends_after_five_days():
    now, tries = QUEUED, []
    for attempts in range(1, 1000):
        following = schedule.next_attempt(QUEUED, attempts, now, jitter=0.0)
        if following is None:
            break
        now = following
        tries.append(now - QUEUED)
    assert timedelta(hours=4) in tries
    assert tries[-1] == timedelta(days=5)
    assert len(tries) < 40


def test_expired_message_is_not_tried_again():
    assert schedule.next_attempt(QUEUED, 30, QUEUED + timedelta(days=5)) is None


def test_operators_schedule_is_taken_as_it_stands():
    waits = [timedelta(seconds=2), timedelta(seconds=4)]
    assert schedule.next_attempt(QUEUED, 1, QUEUED, jitter=1.0, schedule=waits) == (
        QUEUED + timedelta(seconds=2)
    )
    assert schedule.next_attempt(QUEUED, 2, QUEUED, schedule=waits) == QUEUED + timedelta(seconds=4)
    assert schedule.next_attempt(QUEUED, 3, QUEUED, schedule=waits) is None


def test_a_recipient_never_tried_has_no_next_try():
    with pytest.raises(ValueError, match="after a try"):
        schedule.next_attempt(QUEUED, 0, QUEUED)


def test_notice_is_due_after_four_hours():
    assert not schedule.is_notice_due(QUEUED, QUEUED + timedelta(hours=3, minutes=59))
    assert schedule.is_notice_due(QUEUED, QUEUED + timedelta(hours=4))
