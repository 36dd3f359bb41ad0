"""Keep tests and the product from losing the locks of the embedded database.

A process loses all its POSIX locks of a file when it closes any descriptor of that file
(fcntl(2)), and SQLite, which holds them for as long as a database is open, does not learn of it.
Another process that closes the database then takes itself for the last one and deletes the log
that we go on with: errors and a damaged file follow, in whatever test comes next.
"""

import os
import sys
from pathlib import Path
from typing import Any


def install(database: Path) -> None:
    """From here on nobody but SQLite opens this database, or the copy of a worker of pytest."""
    beginning = os.path.realpath(database)

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(arguments[0])
        if database.name in path and _holds_locks(os.path.realpath(path), beginning):
            raise AssertionError(f"{path} is open in SQLite: read it in another process.")

    sys.addaudithook(look)


def _holds_locks(path: str, beginning: str) -> bool:
    """Of the database's files the log has none; what else begins with its name is not SQLite's."""
    if not path.startswith(beginning):
        return False
    worker = path.removeprefix(beginning).removesuffix("-shm")
    return not worker or (worker.startswith("_gw") and worker[3:].isdigit())
