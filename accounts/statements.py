"""Run the statements of every commit, with as little as possible between them and the database.

Django's cursors cost four times what SQLite asks for a small statement. Here SQLite's own are used,
within Django's transactions and with Django's errors; any other database, and whoever has the
statements watched (tests, the debug log), gets Django's.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection

_PLACEHOLDER = re.compile(r"(?<!%)%s")


def fetch(statement: str, parameters: Sequence[Any]) -> list[Any]:
    """The rows of a statement, whose placeholders are `%s`."""
    if not _may_be_short():
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            found: list[Any] = cursor.fetchall()
            return found
    with connection.wrap_database_errors:
        rows: list[Any] = connection.connection.execute(_native(statement), parameters).fetchall()
        return rows


def execute(statement: str, parameters: Sequence[Any]) -> tuple[int, int]:
    """Run a statement that gives no rows: how many it touched, and the last key it inserted.

    Only SQLite tells the key: else it is 0.
    """
    if not _may_be_short():
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            is_told = connection.vendor == "sqlite"
            return cursor.rowcount, (cursor.lastrowid or 0) if is_told else 0
    with connection.wrap_database_errors:
        done = connection.connection.execute(_native(statement), parameters)
        return done.rowcount, done.lastrowid or 0


def _may_be_short() -> bool:
    # The last: Django's cursor says so of a transaction that only a rollback can end.
    return (
        connection.vendor == "sqlite"
        and connection.connection is not None
        and not _is_watched()
        and not connection.needs_rollback
    )


def _is_watched() -> bool:
    return bool(connection.execute_wrappers or connection.queries_logged)


@lru_cache(maxsize=2048)
def _native(statement: str) -> str:
    return _PLACEHOLDER.sub("?", statement).replace("%%", "%")
