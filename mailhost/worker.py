"""What a worker process does beside Celery's tasks: it looks at the queue, and shows that it lives.

Rules of the file: neither thread needs the broker. The mark is a file, `HOME/run/worker-PID.alive`,
touched every `BEAT` seconds; `/readyz` of a server with the same home reads its age. It is not
touched while looking at the queue hangs, so that a worker that is stuck counts as dead.
"""

import contextlib
import logging
import os
import threading
import time
from pathlib import Path

from django.conf import settings

from accounts import commit
from delivery import outbound

log = logging.getLogger(__name__)

# Seconds.
BEAT = 2.0
LOOK = 5.0
STUCK_AFTER = 120.0

_ending = threading.Event()
_stopper: threading.Thread | None = None


def begin() -> None:
    """Start both threads."""
    _ending.clear()
    threading.Thread(target=_look, name="look", daemon=True).start()
    threading.Thread(target=_beat, name="beat-mark", daemon=True).start()


def begin_to_end() -> None:
    """Asked to stop: take no new mail, finish or release what is under way. Returns at once."""
    global _stopper
    if _stopper is None:
        _ending.set()
        _stopper = threading.Thread(target=outbound.stop, name="stop", daemon=True)
        _stopper.start()


def end() -> None:
    """Wait until what was under way is written down; nothing may run after this."""
    begin_to_end()
    assert _stopper is not None
    _stopper.join()
    commit.shutdown()
    with contextlib.suppress(OSError):
        mark().unlink()


def mark() -> Path:
    """The file whose age tells whether this worker lives."""
    run: Path = settings.HOME / "run"
    return run / f"worker-{os.getpid()}.alive"


def _look() -> None:
    """Send what is due, whatever became of the nudges."""
    while not _ending.is_set():
        try:
            outbound.drain()
        except Exception:
            log.exception("the queue could not be drained; it is looked at again")
        _ending.wait(LOOK)


def _beat() -> None:
    path = mark()
    path.parent.mkdir(parents=True, exist_ok=True)
    while not _ending.wait(BEAT if path.exists() else 0):
        if time.monotonic() - outbound.last_turn() < STUCK_AFTER:
            with contextlib.suppress(OSError):
                path.touch()
