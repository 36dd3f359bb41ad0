"""How long a peer is waited for: silent, trickling, not reading, not logging in."""

from protocols.servers.pace import (
    LOGIN_TIMEOUT,
    STALL_SIZE,
    TRICKLE_SIZE,
    TRICKLE_TIMEOUT,
    Pace,
)

LONG = 10_000.0


def test_a_silent_peer_is_waited_for_as_long_as_its_protocol_says() -> None:
    pace = Pace(0.0)
    assert pace.is_kept_until(30.0, must_log_in=False) == 30.0
    pace.hear(10, 20.0)
    pace.answer(21.0)
    assert pace.is_kept_until(30.0, must_log_in=False) == 51.0


def test_what_has_begun_must_be_complete_or_grow() -> None:
    pace = Pace(0.0)
    pace.hear(1, 1.0)
    pace.hear(1, 200.0)
    assert pace.is_kept_until(LONG, must_log_in=False) == 1.0 + TRICKLE_TIMEOUT
    assert pace.is_kept_until(30.0, must_log_in=False) == 31.0
    pace.hear(TRICKLE_SIZE - 2, 250.0)
    assert pace.is_kept_until(LONG, must_log_in=False) == 250.0 + TRICKLE_TIMEOUT
    pace.answer(260.0)
    assert pace.is_kept_until(LONG, must_log_in=False) == 260.0 + LONG


def test_a_stranger_gains_nothing_by_talking() -> None:
    pace = Pace(5.0)
    pace.answer(600.0)
    assert pace.is_kept_until(LONG, must_log_in=True) == 5.0 + LOGIN_TIMEOUT


def test_a_reader_has_to_take_some_of_what_waits_each_time() -> None:
    pace = Pace(0.0)
    assert not pace.has_stalled(1 << 20, 60.0, 1000.0)
    pace.pause(10 * STALL_SIZE, 0.0)
    assert not pace.has_stalled(10 * STALL_SIZE, 60.0, 60.0)
    assert not pace.has_stalled(9 * STALL_SIZE, 60.0, 61.0)
    assert not pace.has_stalled(8 * STALL_SIZE + 1, 60.0, 121.0)
    assert pace.has_stalled(8 * STALL_SIZE + 1, 60.0, 122.0)
    pace.resume(130.0)
    assert not pace.has_stalled(0, 60.0, 1000.0)
    assert pace.is_kept_until(30.0, must_log_in=False) == 160.0
