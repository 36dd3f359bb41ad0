"""Take turns at writing to the embedded database, first come first served.

SQLite lets one process write at a time and makes the others look again and again, after longer and
longer pauses: under load some would wait for long and all would idle. A group commit asks here
first, and the kernel wakes the next one the moment the turn is free. It frees the turn of a process
that dies, too. Whoever writes without a turn is kept apart by SQLite itself, as ever.
"""

import fcntl
import logging
import os

from accounts.statements import own_database

log = logging.getLogger(__name__)


class Turns:
    """Of one thread: the file stays open for its next turn.

    It is had at once where the database needs none, or where the lock cannot be had.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        self._held: int | None = None

    def take(self) -> None:
        """Wait for the turn."""
        if _needs_turns():
            self._held = self._locked(fcntl.LOCK_EX)

    def take_at_once(self) -> bool:
        """Take the turn unless somebody else has it."""
        if _needs_turns():
            try:
                self._held = self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def give_back(self) -> None:
        """Let the next one have it."""
        file, self._held = self._held, None
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _locked(self, how: int) -> int | None:
        try:
            if self._file is None:
                path = f"{own_database().settings_dict['NAME']}.turn"
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, how)
        except BlockingIOError:
            raise
        except OSError as error:
            # SQLite keeps us apart without it, only less smoothly.
            log.warning("turns: no turn: %s", error)
            return None
        return self._file

    def close(self) -> None:
        """Give the file up; the next turn opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _needs_turns() -> bool:
    database = own_database()
    return database.vendor == "sqlite" and not database.is_in_memory_db()  # type: ignore[attr-defined]
