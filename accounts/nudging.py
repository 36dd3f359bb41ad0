"""Tell a worker that something is due. A hint: it looks by itself after a while."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def nudge(task: str, *, within: float) -> None:
    """Have a worker run `task`. Unheard after `within` seconds the nudge is of no use."""
    try:
        current_app.send_task(task, retry=False, ignore_result=True, expires=within)
    except (OperationalError, OSError) as error:
        log.info("the broker took no nudge: %s", error)
