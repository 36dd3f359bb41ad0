"""Tell a worker that something is due. A hint: workers look by themselves every few seconds."""

import logging
import time

from celery import current_app
from kombu.exceptions import OperationalError

from accounts import effects

log = logging.getLogger(__name__)

# A task costs a worker about two milliseconds: commits that follow each other share one nudge.
PAUSE = 0.05


def wake_worker() -> None:
    """Nudge a worker soon, without waiting for the broker."""
    effects.soon("drain", _nudge)


def _nudge() -> None:
    try:
        # Unheard after this long it is of no use: the worker has looked by itself.
        current_app.send_task("delivery.drain", retry=False, ignore_result=True, expires=30)
    except (OperationalError, OSError) as error:
        log.info("the broker took no nudge: %s", error)
    time.sleep(PAUSE)
