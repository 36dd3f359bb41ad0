"""The threads that sessions run in, and their one way back to the reactor.

Rules: the reactor thread never waits for a pool; a pool thread never touches a connection, it
posts to `WayBack`. Workers are handed jobs last idle first, so that few of them (each with its own
database connection) stay busy under light load.
"""

import select
import time
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

import structlog
from django.db import close_old_connections, connection, connections
from twisted.internet.interfaces import IReactorFromThreads

Job = Callable[[], None]

log = structlog.get_logger(__name__)

# A database connection unused for this long (seconds) is checked before it is used again.
STALE_AFTER = 30.0


class SessionPool:
    """At most `size` daemon threads, started when needed, that run jobs first come first served."""

    def __init__(self, size: int = 16, name: str = "session") -> None:
        self._size = size
        self._name = name
        self._guard = Lock()
        self._backlog: deque[Job] = deque()
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._is_stopping = False

    def submit(self, job: Job) -> None:
        """Run `job` soon in one of the threads."""
        with self._guard:
            if self._idle:
                self._idle.pop().give(job)
            elif len(self._workers) < self._size and not self._is_stopping:
                worker = _Worker(self, job, f"{self._name}-{len(self._workers)}")
                self._workers.append(worker)
                worker.start()
            else:
                self._backlog.append(job)

    def next_job(self, worker: "_Worker") -> Job | None:
        """What a worker that is done does next; None: it waits until it is given something."""
        with self._guard:
            if self._backlog:
                return self._backlog.popleft()
            if self._is_stopping:
                worker.give(None)
            else:
                self._idle.append(worker)
            return None

    def stop(self, timeout: float = 5.0) -> None:
        """Let the threads finish what is queued and end; waits at most `timeout` seconds."""
        with self._guard:
            self._is_stopping = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.give(None)
        until = time.monotonic() + timeout
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))


class _Worker(Thread):
    def __init__(self, pool: SessionPool, job: Job, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._pool = pool
        self._given: Job | None = job
        self._has_been_given = Lock()

    def give(self, job: Job | None) -> None:
        """Wake the idle thread up with a job; None ends it."""
        self._given = job
        self._has_been_given.release()

    def run(self) -> None:
        self._has_been_given.acquire()
        job = self._given
        used_at = time.monotonic()
        while job is not None:
            now = time.monotonic()
            if now - used_at > STALE_AFTER or _has_lost_database():
                close_old_connections()
            used_at = now
            self._do(job)
            job = self._pool.next_job(self)
            if job is None:
                self._has_been_given.acquire()
                job = self._given
        connections.close_all()

    def _do(self, job: Job) -> None:
        try:
            job()
        except Exception:
            log.exception("job_failed")
            close_old_connections()


def _has_lost_database() -> bool:
    """Whether this thread's connection is known to be of no use, in a few microseconds.

    Where the database server was started again each thread would else fail once more.
    """
    if connection.connection is None:
        return False
    if connection.errors_occurred:
        return True
    if connection.vendor != "postgresql":
        return False
    if connection.connection.closed:
        return True
    # Between commands a server has nothing to say but that it hangs up.
    poll = select.poll()
    poll.register(connection.connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class WayBack:
    """Calls from any thread, made on the reactor thread in order, many for one wake-up of it."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._has_rung = False

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Make `call(*arguments)` on the reactor thread; returns at once."""
        self._calls.append((call, arguments))
        if not self._has_rung:
            self._has_rung = True
            self._reactor.callFromThread(self._drain)

    def _drain(self) -> None:
        # The bell first: a call posted from here on rings it again, so none is forgotten.
        self._has_rung = False
        calls = self._calls
        for _ in range(len(calls)):
            call, arguments = calls.popleft()
            try:
                call(*arguments)
            except Exception:
                log.exception("call_failed")
