"""Take turns at writing to the embedded database, first come first served.

SQLite lets one process write at a time and makes the others look again and again, after longer and
longer pauses: under load some would wait for long and all would idle. A group commit asks here
first, and the kernel wakes the next one the moment the turn is free. It frees the turn of a process
that dies, too. Whoever writes without a turn is kept apart by SQLite itself, as ever.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

log = logging.getLogger(__name__)


class Turns:
    """Of one thread: the file stays open for its next turn."""

    def __init__(self) -> None:
        self._file: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn; at once where the database needs none, or the lock cannot be had."""
        file = self._locked() if _needs_turns() else None
        try:
            yield
        finally:
            if file is not None:
                fcntl.flock(file, fcntl.LOCK_UN)

    def _locked(self) -> int | None:
        path = f"{connection.settings_dict['NAME']}.turn"
        try:
            if self._file is None:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            # SQLite keeps us apart without it, only less smoothly.
            log.warning("turns: %s: %s", path, error.strerror)
            return None
        return self._file

    def close(self) -> None:
        """Give the file up; the next turn opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _needs_turns() -> bool:
    return connection.vendor == "sqlite" and not connection.is_in_memory_db()  # type: ignore[attr-defined]
