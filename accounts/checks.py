"""System checks of the database: mail that was answered 250 must survive a power cut.

They ask the database, so they run with `check --database default`, `migrate` and `up`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections

# SQLite stores what is durable in FULL (2) and EXTRA (3).
_SQLITE_FULL = 2
_DURABLE = frozenset({"on", "local", "remote_write", "remote_apply"})


@register(Tags.database)
def durability(databases: Iterable[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    for alias in databases or ():
        connection = connections[alias]
        try:
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute("SHOW synchronous_commit")
                    yield from _postgresql(str(cursor.fetchone()[0]))
                elif connection.vendor == "sqlite":
                    cursor.execute("PRAGMA synchronous")
                    yield from _sqlite(int(cursor.fetchone()[0]))
        except DatabaseError:
            # Whether it answers at all is somebody else's question.
            continue


def _postgresql(synchronous_commit: str) -> Iterator[CheckMessage]:
    if synchronous_commit not in _DURABLE:
        yield Error(
            "PostgreSQL answers commits before they are on disk: synchronous_commit is off.",
            hint="ALTER ROLE or ALTER DATABASE … SET synchronous_commit = on.",
            id="accounts.E001",
        )


def _sqlite(synchronous: int) -> Iterator[CheckMessage]:
    if synchronous < _SQLITE_FULL:
        yield Error(
            "SQLite answers commits before they are on disk.",
            hint="Leave synchronous at FULL.",
            id="accounts.E002",
        )
