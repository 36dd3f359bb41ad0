"""What is idle is counted as the system counts it, and nobody gives way where it does not."""

import os
import time

from accounts import processors
from accounts.processors import Ticks


def test_the_share_that_was_idle() -> None:
    assert Ticks(130, 400).idle_since(Ticks(100, 300)) == 0.3
    assert Ticks(130, 400).idle_since(Ticks(130, 400)) == 1.0
    # Twenty ticks were our own.
    hertz = os.sysconf("SC_CLK_TCK")
    assert Ticks(130, 400).idle_since(Ticks(100, 300), 20 / hertz) == 0.5
    assert Ticks(130, 400).seconds_since(Ticks(100, 300)) == 100 / hertz


def test_ticks_go_on() -> None:
    before = processors.ticks()
    time.sleep(0.1)
    now = processors.ticks()
    assert now == before or (now.total > before.total and 0 <= now.idle_since(before) <= 1)
