"""Two at once on PostgreSQL: one has changed rows and not committed, the other must wait for it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections, transaction

from tests.partners.daemon import wait_until


@contextmanager
def meanwhile(verb: Callable[[], object]) -> Iterator[Future[Any]]:
    """A transaction that is committed once the verb, in another thread, waits for a lock of it."""
    outcome: Future[Any] = Future()

    def run() -> None:
        try:
            outcome.set_result(verb())
        except Exception as error:
            outcome.set_exception(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        yield outcome
        thread.start()
        wait_until(lambda: outcome.done() or _waits(), "the verb waits or is done")
        assert not outcome.done()
    thread.join(30)


def _waits() -> bool:
    with connection.cursor() as cursor:
        # Of our own transaction: other workers' tests are on the same server.
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])
