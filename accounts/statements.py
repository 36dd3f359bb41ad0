"""Run the statements of every commit, with as little as possible between them and the database.

Django's cursors cost four times what SQLite asks for a small statement. Here SQLite's own are used,
within Django's transactions and with Django's errors; any other database, and whoever has the
statements watched (tests, the debug log), gets Django's.
"""

import re
import sqlite3
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

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
    try:
        rows: list[Any] = database.connection.execute(_native(statement), parameters).fetchall()
    except sqlite3.Error:
        with database.wrap_database_errors:
            raise
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
    try:
        done = database.connection.execute(_native(statement), parameters)
    except sqlite3.Error:
        with database.wrap_database_errors:
            raise
    return done.rowcount, done.lastrowid or 0


def now_as_stored() -> object:
    """The present moment as the database stores it."""
    database = own_database()
    if database.vendor == "sqlite":
        # As Django writes it, in a quarter of the time.
        return datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    return database.ops.adapt_datetimefield_value(timezone.now())


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
    # What Django calls `queries_logged`, without a look at the settings for each statement.
    return bool(database.execute_wrappers or database.force_debug_cursor or _logs_all())


@cache
def _logs_all() -> bool:
    return bool(settings.DEBUG)


@lru_cache(maxsize=2048)
def _native(statement: str) -> str:
    return _PLACEHOLDER.sub("?", statement).replace("%%", "%")
