"""System checks of the database: mail that was answered 250 must survive, and be understood.

They ask the database, so they run with `check --database default`, `migrate` and `up`.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from accounts.directory.resolving import names_postmaster

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
            # `version` tells.
            continue


@register(Tags.database)
def pooling(databases: Iterable[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    """The cursors that fsck, purges and lists read with end with the backend's turn at us."""
    for alias in databases or ():
        if connections[alias].vendor == "postgresql":
            with suppress(DatabaseError):
                yield from _pooling(_backends(connections[alias]))


@register(Tags.database)
def version(databases: Iterable[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    """Django passes over migrations it does not know: all would seem well until a write."""
    for alias in databases or ():
        try:
            loader = MigrationLoader(connections[alias])
        except ProgrammingError:
            # It answers, and this role may not look (deploy/postgres/roles.sql).
            continue
        except DatabaseError as error:
            yield Error(
                f"The database cannot be used: {str(error).strip().splitlines()[0]}.",
                hint="Start it, or set MAILHOST_DATABASE_URL to where it is.",
                id="accounts.E005",
            )
            continue
        ours = max(name for app, name in loader.disk_migrations if app == "accounts")
        written = [name for app, name in loader.applied_migrations if app == "accounts"]
        # By their numbers: an older name may have gone since.
        if written and max(written)[:4] > ours[:4]:
            yield Error(
                f"A newer version has written the database: it has {max(written)}.",
                hint="Run that version, or restore a backup that was made before the upgrade.",
                id="accounts.E003",
            )


@register(Tags.database)
def postmaster(databases: Iterable[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    """Where it names no mailbox another one gets that mail, and nobody says so."""
    address = settings.MAILHOST.postmaster
    if not databases or not address:
        return
    # Before the tables are made there is no mailbox either.
    with suppress(DatabaseError):
        if not names_postmaster():
            yield checks.Warning(
                f"MAILHOST_POSTMASTER is “{address}”, which is no mailbox that takes mail here.",
                hint="Set it to one; until then another mailbox gets this mail.",
                id="accounts.W006",
            )


def _postgresql(synchronous_commit: str) -> Iterator[CheckMessage]:
    if synchronous_commit not in _DURABLE:
        yield Error(
            "PostgreSQL answers commits before they are on disk: synchronous_commit is off.",
            hint="ALTER ROLE or ALTER DATABASE … SET synchronous_commit = on.",
            id="accounts.E001",
        )


def _backends(database: BaseDatabaseWrapper) -> list[tuple[int, int]]:
    """Which processes of the server answer on two connections at a time, asked in turn."""
    other = database.copy()
    try:
        return [(_backend(database), _backend(other)) for _ in range(3)]
    finally:
        other.close()


def _backend(database: BaseDatabaseWrapper) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _pooling(backends: Iterable[tuple[int, int]]) -> Iterator[CheckMessage]:
    ours, others = map(set, zip(*backends, strict=True))
    if len(ours) > 1 or ours & others:
        yield Error(
            "PostgreSQL stands behind a pool that shares its connections by transaction.",
            hint="Have it share them by session (pgbouncer: pool_mode = session).",
            id="accounts.E004",
        )


def _sqlite(synchronous: int) -> Iterator[CheckMessage]:
    if synchronous < _SQLITE_FULL:
        yield Error(
            "SQLite answers commits before they are on disk.",
            hint="Leave synchronous at FULL.",
            id="accounts.E002",
        )
