"""Run the statements of every commit, with as little as possible between them and the database.

Django's cursors cost four times what SQLite asks for a small statement. Here SQLite's own are used,
within Django's transactions and with Django's errors; any other database, and whoever has the
statements watched (tests, the debug log), gets Django's.
"""

import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_PLACEHOLDER = re.compile(r"(?<!%)%s")


_own = threading.local()


def own_database() -> BaseDatabaseWrapper:
    """What `django.db.connection` stands for in this thread, which takes it longer to find out."""
    try:
        database: BaseDatabaseWrapper = _own.database
    except AttributeError:
        # Django, too, gives a thread the same one for as long as the thread lives.
        database = _own.database = connections[DEFAULT_DB_ALIAS]
    return database


def fetch(statement: str, parameters: Sequence[Any]) -> list[Any]:
    """The rows of a statement, whose placeholders are `%s`."""
    database = own_database()
    if not may_be_short(database):
        with database.cursor() as cursor:
            cursor.execute(statement, parameters)
            found: list[Any] = cursor.fetchall()
            return found
    with database.wrap_database_errors:
        rows: list[Any] = database.connection.execute(_native(statement), parameters).fetchall()
        return rows


def execute(statement: str, parameters: Sequence[Any]) -> tuple[int, int]:
    """Run a statement that gives no rows: how many it touched, and the last key it inserted.

    Only SQLite tells the key: else it is 0.
    """
    database = own_database()
    if not may_be_short(database):
        with database.cursor() as cursor:
            cursor.execute(statement, parameters)
            is_told = database.vendor == "sqlite"
            return cursor.rowcount, (cursor.lastrowid or 0) if is_told else 0
    with database.wrap_database_errors:
        done = database.connection.execute(_native(statement), parameters)
        return done.rowcount, done.lastrowid or 0


def may_be_short(database: BaseDatabaseWrapper) -> bool:
    """Whether SQLite's own cursors do here what Django's would."""
    # The last: Django's cursor says so of a transaction that only a rollback can end.
    return (
        database.vendor == "sqlite"
        and database.connection is not None
        and not _is_watched(database)
        and not database.needs_rollback
    )


def _is_watched(database: BaseDatabaseWrapper) -> bool:
    return bool(database.execute_wrappers or database.queries_logged)


@lru_cache(maxsize=2048)
def _native(statement: str) -> str:
    return _PLACEHOLDER.sub("?", statement).replace("%%", "%")
