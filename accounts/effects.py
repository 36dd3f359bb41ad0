"""Do small things soon after a commit, without making the commit wait for them.

Rules of the file: an effect is a hint, never the truth. It may be lost (a crash, a full slot), so
whatever it announces is also found by somebody who looks every few seconds. Lanes are apart: a
broker that hangs delays the nudges, never the snapshots. What a busy time asks for again and again
is gathered for a while first, and done once.
"""

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, get_args

from django.db import connections

log = logging.getLogger(__name__)

Lane = Literal["nudges", "publications", "snapshots"]
Action = Callable[[], None]

CAPACITY = 10_000
# Seconds in which a lane gathers what is asked of it.
GATHERING: dict[Lane, float] = {"snapshots": 2.0}


class _Slot:
    """One lane: pending actions by key, and the daemon thread that empties it."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._condition = threading.Condition()
        self._pending: OrderedDict[str, Action] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._is_hurried = False

    def put(self, key: str, action: Action) -> None:
        with self._condition:
            if len(self._pending) >= CAPACITY and key not in self._pending:
                self._pending.popitem(last=False)
                log.warning("effects: %s are piling up; the oldest was dropped", self._lane)
            self._pending[key] = action
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"effects-{self._lane}", daemon=True
                )
                self._thread.start()
            self._condition.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        with self._condition:
            self._is_hurried = True
            self._condition.notify_all()
            try:
                return self._condition.wait_for(
                    lambda: not self._pending and not self._is_busy, timeout
                )
            finally:
                self._is_hurried = False

    def _run(self) -> None:
        while True:
            with self._condition:
                self._is_busy = False
                self._condition.notify_all()
                self._condition.wait_for(lambda: bool(self._pending))
                self._condition.wait_for(lambda: self._is_hurried, GATHERING.get(self._lane, 0))
                actions = list(self._pending.values())
                self._pending.clear()
                self._is_busy = True
            for action in actions:
                try:
                    action()
                except Exception:
                    log.exception("effects: one of the %s failed", self._lane)
            # An effect that asked the database must not keep a connection that nobody tends.
            connections.close_all()


_slots: dict[Lane, _Slot] = {}


def _start_afresh() -> None:
    for lane in get_args(Lane):
        _slots[lane] = _Slot(lane)


_start_afresh()
# A forked child has no threads of its parent, and must not do its parent's effects again.
os.register_at_fork(after_in_child=_start_afresh)


def soon(key: str, action: Action, *, lane: Lane = "nudges") -> None:
    """Have `action` run by a daemon thread; while it waits, the same `key` replaces it."""
    _slots[lane].put(key, action)


def wait_idle(timeout: float = 5.0) -> bool:
    """Have done what is pending, and wait for it, at most `timeout` seconds a lane."""
    return all(slot.wait_idle(timeout) for slot in _slots.values())
