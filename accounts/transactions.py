"""A group commit's transaction, with as little as possible between it and SQLite.

At its ends Django does what every kind of database and of caller may need, which takes longer than
the statements of a small commit. Here SQLite begins and commits at once, and Django is left in the
state that it would be in, so that savepoints and `on_commit` inside it are its own. All else is
left to Django: any other database, whoever has statements watched, and what has to be undone.
"""

from types import TracebackType
from typing import Any

from django.db import transaction

from accounts.statements import may_be_short, own_database


def commit(database: Any) -> None:
    """COMMIT, with Django's errors."""
    with database.wrap_database_errors:
        database.connection.commit()


class Transaction:
    """One outermost transaction; a context manager, like `transaction.atomic(durable=True)`."""

    def __init__(self) -> None:
        self._atomic: Any = transaction.atomic(durable=True)
        self._database: Any = None

    def __enter__(self) -> None:
        database = own_database()
        if database.in_atomic_block or not database.autocommit or not may_be_short(database):
            self._atomic.__enter__()
            return
        with database.wrap_database_errors:
            # At once with the write lock, under which counters are known to be current.
            database.connection.execute("BEGIN IMMEDIATE")
        database.commit_on_exit = True
        database.autocommit = False
        database.in_atomic_block = True
        database.atomic_blocks.append(self._atomic)
        self._database = database

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        database = self._database
        if kind is not None or database is None or not may_be_short(database):
            self._atomic.__exit__(kind, error, traceback)
            return
        try:
            commit(database)
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise
        database.atomic_blocks.pop()
        database.in_atomic_block = False
        database.autocommit = True
        database.errors_occurred = False
        database.run_and_clear_commit_hooks()
