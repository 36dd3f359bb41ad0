"""Have the embedded database's log in memory before much is written over it.

SQLite writes its log in frames that are no whole pages of the file. Where the system has dropped
those pages meanwhile (a backup that read everything is enough) it reads each one again before it
takes a part of it, one after the other, inside the commit: that doubles the time of a large one.
"""

import logging
import os

from django.db import connection

log = logging.getLogger(__name__)

# A batch of so many rows is worth the question, which takes some 30 microseconds.
MANY_ROWS = 500
# SQLite begins the log anew at a thousand pages: beyond twice that only a huge commit wrote.
OCTETS = 8 << 20


def read_log_ahead(rows: int) -> None:
    """Have the system read, without waiting for it, what a batch of so many rows overwrites."""
    if rows < MANY_ROWS or connection.vendor != "sqlite":
        return
    try:
        # SQLite's locks are in other files: they do not end with a close of this one.
        file = os.open(f"{connection.settings_dict['NAME']}-wal", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("commit: the log is not read ahead: %s", error.strerror)
        return
    try:
        os.posix_fadvise(file, 0, OCTETS, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(file)
