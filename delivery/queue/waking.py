"""Tell a worker that mail is due. A hint: workers look by themselves every few seconds."""

import time

from accounts import effects
from accounts.nudging import nudge

# A task costs a worker about two milliseconds: commits that follow each other share one nudge.
PAUSE = 0.05


def wake_worker() -> None:
    """Nudge a worker soon, without waiting for the broker."""
    effects.soon("drain", _nudge)


def _nudge() -> None:
    nudge("delivery.drain", within=30)
    time.sleep(PAUSE)
