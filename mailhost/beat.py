"""When periodic tasks are next due, kept over restarts: Celery's scheduler, made hard to stop.

Rules of the file: what would raise here ends the thread of beat, and the worker that lives on
without it could not even be stopped. When a task ran last is worth less than that.
"""

import logging
import pickle
from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler

log = logging.getLogger(__name__)


class _Kept(dict[str, Any]):
    """What `shelve` would keep. What cannot be written now, as on a full disk, is written later."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        try:
            self.update(pickle.loads(path.read_bytes()))  # noqa: S301
        except FileNotFoundError:
            pass
        except Exception as error:  # noqa: BLE001 a damaged pickle may raise anything
            log.warning("beat: when tasks ran last cannot be read: %r", error)

    def sync(self) -> None:
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_bytes(pickle.dumps(dict(self)))
            draft.replace(self._path)
        except OSError as error:
            log.warning("beat: when tasks ran last cannot be written: %s", error.strerror)

    close = sync


class _Files:
    @staticmethod
    def open(path: str, **_: Any) -> _Kept:
        return _Kept(Path(path))


class Scheduler(PersistentScheduler):
    """Leaves a task out while the broker is away, instead of waiting until nobody can stop it."""

    producer = None  # type: ignore[assignment]
    persistence = _Files  # type: ignore[assignment]

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        for entry in self.schedule.values():
            now = entry.default_now()
            # The clock was set back: what ran in its future would be due only when that comes.
            if entry.last_run_at and entry.last_run_at > now:
                entry.last_run_at = now
                self._heap = None
        return super().tick(*args, **kwargs)
