"""The threads that sessions run in, and their one way back to the reactor.

Rules: the reactor thread never waits for a pool; a pool thread never touches a connection, it
posts to `WayBack`. Workers are handed jobs last idle first, so that few of them (each with its own
database connection) stay busy under light load.

On the embedded database a job is mostly computing, and threads that compute at once only take the
interpreter from each other, at each system call anew. So there a job stands in line behind the one
thread that has just begun another, for a few milliseconds at most: a job that turns out to be slow
holds nobody for longer. Jobs that wait for a database server get a thread each at once.

Jobs have owners, who take turns, and none of whom gets more than half of the threads: so whoever
asks for much on many connections keeps others waiting no longer than on a few.
"""

import select
import time
from collections import deque
from collections.abc import Callable
from threading import Lock, Semaphore, Thread
from typing import Any

import structlog
from django.db import close_old_connections, connection, connections
from twisted.internet.interfaces import IReactorFromThreads

from protocols.servers.line import Job, Line, Owner
from protocols.servers.processors import roam

log = structlog.get_logger(__name__)

# A database connection unused for this long (seconds) is checked before it is used again.
STALE_AFTER = 30.0


# How long a job waits for a thread that is at work (seconds), on the embedded database.
PATIENCE = 0.005


class SessionPool:
    """At most `size` daemon threads, started when needed, that run each owner's jobs in order.

    A job waits up to `patience` seconds, and no more than twice that, for a thread that has begun
    another within `patience` seconds; then one more thread is woken for it.
    """

    def __init__(self, size: int = 16, name: str = "session", patience: float = 0.0) -> None:
        self._size = size
        self._name = name
        self._patience = patience
        self._guard = Lock()
        self._backlog = Line(most=max(1, size // 2))
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._latest: _Worker | None = None  # who began its job last, while it is at it
        self._watchman: _Watchman | None = None
        self._is_watched = False  # the watchman sees to the backlog
        self._is_stopping = False

    def submit(self, job: Job, owner: Owner = None) -> None:
        """Run `job` soon in one of the threads. Jobs of nobody are not held back by each other."""
        now = time.monotonic()
        with self._guard:
            latest = self._latest
            has_just_begun = latest is not None and now - latest.began_at < self._patience
            may_begin = not has_just_begun and self._backlog.may_begin(owner)
            if not (may_begin and self._start(job, owner, now)):
                self._backlog.add(job, owner, now)
            if has_just_begun and not self._is_watched:
                self._is_watched = True
                self._watch()

    def next_job(self, worker: "_Worker") -> Job | None:
        """What a worker that is done does next; None: it waits until it is given something."""
        with self._guard:
            self._backlog.end(worker.owner)
            if (found := self._backlog.first()) is not None:
                job = self._backlog.take(found)
                self._note(worker, found.owner, time.monotonic())
                return job
            if self._latest is worker:
                self._latest = None
            if self._is_stopping:
                worker.give(None)
            else:
                self._idle.append(worker)
            return None

    def help_out(self) -> bool:
        """Give jobs that have waited for too long to other threads; whether any still waits."""
        with self._guard:
            now = time.monotonic()
            while (found := self._backlog.first(now - self._patience)) is not None:
                if not self._start(found.job, found.owner, now):
                    break
                self._backlog.take(found)
            self._is_watched = bool(self._backlog) and not self._is_stopping
            return self._is_watched

    def stop(self, timeout: float = 5.0) -> None:
        """Let the threads finish what is queued and end; waits at most `timeout` seconds."""
        with self._guard:
            self._is_stopping = True
            idle, self._idle = self._idle, []
            if self._watchman is not None:
                self._watchman.end()
        for worker in idle:
            worker.give(None)
        until = time.monotonic() + timeout
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))

    def _start(self, job: Job, owner: Owner, now: float) -> bool:
        """Have another thread do the job, if there may be one."""
        if self._idle:
            worker = self._idle.pop()
            worker.give(job)
        elif len(self._workers) < self._size and not self._is_stopping:
            worker = _Worker(self, job, f"{self._name}-{len(self._workers)}")
            self._workers.append(worker)
            worker.start()
        else:
            return False
        self._note(worker, owner, now)
        return True

    def _watch(self) -> None:
        if self._watchman is None:
            self._watchman = _Watchman(self, f"{self._name}-watchman", self._patience)
            self._watchman.start()
        self._watchman.wake()

    def _note(self, worker: "_Worker", owner: Owner, now: float) -> None:
        self._backlog.begin(owner)
        worker.owner, worker.began_at = owner, now
        self._latest = worker


class _Worker(Thread):
    def __init__(self, pool: SessionPool, job: Job, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._pool = pool
        self._given: Job | None = job
        self.began_at = 0.0
        self.owner: Owner = None
        self._has_been_given = Lock()

    def give(self, job: Job | None) -> None:
        """Wake the idle thread up with a job; None ends it."""
        self._given = job
        self._has_been_given.release()

    def run(self) -> None:
        roam()
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


class _Watchman(Thread):
    """Looks after jobs that stand in line, as long as there are any."""

    def __init__(self, pool: SessionPool, name: str, pause: float) -> None:
        super().__init__(name=name, daemon=True)
        self._pool = pool
        self._pause = pause
        self._is_wanted = Semaphore(0)
        self._is_ending = False

    def wake(self) -> None:
        self._is_wanted.release()

    def end(self) -> None:
        self._is_ending = True
        self.wake()

    def run(self) -> None:
        while not self._is_ending:
            self._is_wanted.acquire()
            time.sleep(self._pause)
            while self._pool.help_out():
                time.sleep(self._pause)


def make_pool() -> SessionPool:
    """The pool of a server process, as its database wants it."""
    return SessionPool(patience=PATIENCE if connection.vendor == "sqlite" else 0.0)


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
