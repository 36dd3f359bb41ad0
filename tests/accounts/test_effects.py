"""Effects: soon, once, and never in anybody's way."""

import threading
import time

import pytest

from accounts import effects


def test_an_effect_runs_soon_and_not_on_our_thread() -> None:
    ran: list[str] = []
    effects.soon("x", lambda: ran.append(threading.current_thread().name))
    assert effects.wait_idle()
    assert ran == ["effects-nudges"]


def test_a_hanging_nudge_delays_no_notice_and_coalesces_others() -> None:
    go, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert go.wait(20)

    effects.soon("broker", hang)
    assert hanging.wait(20)
    ran: list[int] = []
    for number in range(100):
        effects.soon("drain", lambda number=number: ran.append(number))
    noticed = threading.Event()
    effects.soon("notice", noticed.set, lane="publications")
    assert noticed.wait(20)
    assert ran == []
    go.set()
    assert effects.wait_idle()
    assert ran == [99]


def test_an_effect_that_fails_hurts_no_other(caplog: pytest.LogCaptureFixture) -> None:
    ran = threading.Event()

    def fail() -> None:
        raise ValueError("only a hint")

    effects.soon("bad", fail)
    effects.soon("good", ran.set)
    assert ran.wait(20)
    assert effects.wait_idle()
    assert "only a hint" in caplog.text


def test_the_slot_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "CAPACITY", 3)
    go, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert go.wait(20)

    effects.soon("first", hang)
    assert hanging.wait(20)
    ran: list[int] = []
    for number in range(5):
        effects.soon(str(number), lambda number=number: ran.append(number))
    go.set()
    assert effects.wait_idle()
    assert ran == [2, 3, 4]


def test_a_lane_gathers_for_a_while_and_then_does_each_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(effects.GATHERING, "snapshots", 60.0)
    ran: list[int] = []
    for number in range(5):
        effects.soon("one", lambda number=number: ran.append(number), lane="snapshots")
        time.sleep(0.01)
    assert ran == []
    # Who waits does not wait so long.
    assert effects.wait_idle()
    assert ran == [4]
    monkeypatch.setitem(effects.GATHERING, "snapshots", 0.01)
    done = threading.Event()
    effects.soon("two", done.set, lane="snapshots")
    assert done.wait(20)
