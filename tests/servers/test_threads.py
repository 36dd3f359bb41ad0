"""The session pool: who does a job, who waits for whom and for how long, and that none is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from threading import Barrier, Event, Thread, current_thread
from typing import Any

import pytest
from django.db import connection

from protocols.servers import threads
from protocols.servers.threads import SessionPool
from tests.partners.platform import PLATFORM
from tests.servers.shell_kit import until

# Seconds that never pass in a test.
FOREVER = 60.0


@pytest.fixture
def release() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def pool_of(patience: float, size: int = 4) -> SessionPool:
    return SessionPool(size, "test", patience)


def test_jobs_stand_in_line_for_a_thread_that_has_just_begun(release: Event) -> None:
    pool = pool_of(FOREVER)
    done: list[str] = []
    pool.submit(lambda: release.wait())
    for _ in range(20):
        pool.submit(lambda: done.append(current_thread().name))
    assert done == []
    release.set()
    until(lambda: len(done) == 20)
    assert set(done) == {"test-0"}
    pool.stop()


def test_a_slow_job_holds_nobody_for_long(release: Event) -> None:
    pool = pool_of(0.01)
    done = Event()
    pool.submit(release.wait)
    pool.submit(done.set)
    assert done.wait(FOREVER)
    assert not release.is_set()
    release.set()
    pool.stop()


def test_nobody_stands_in_line_behind_a_job_that_is_known_to_be_slow(release: Event) -> None:
    pool = pool_of(0.05)
    begun = Event()

    def slow() -> None:
        begun.set()
        release.wait()

    pool.submit(slow)
    assert begun.wait(FOREVER)
    time.sleep(0.06)
    pool.submit(release.wait)
    assert not pool._backlog
    release.set()
    pool.stop()


def test_all_that_wait_get_a_thread_in_time(release: Event) -> None:
    pool = pool_of(0.01)
    together = Barrier(5)
    for _ in range(4):
        pool.submit(lambda: together.wait())
    # None of them would come here if one waited for another.
    together.wait(FOREVER)
    pool.stop()


def test_without_patience_each_job_has_a_thread_at_once() -> None:
    pool = pool_of(0.0)
    together = Barrier(5)
    for _ in range(4):
        pool.submit(lambda: together.wait())
    assert not pool._backlog
    together.wait(FOREVER)
    pool.stop()


def test_an_owner_with_nothing_at_work_is_forgotten() -> None:
    pool = pool_of(0.0)
    done = Event()
    pool.submit(done.set, "an address")
    assert done.wait(FOREVER)
    until(lambda: not pool._backlog._at_work)
    pool.stop()


@pytest.mark.parametrize("patience", [0.0, 0.01])
def test_one_owner_leaves_threads_to_others(release: Event, patience: float) -> None:
    pool = pool_of(patience)
    begun: list[int] = []

    def slow(number: int) -> None:
        begun.append(number)
        release.wait()

    for number in range(20):
        pool.submit(partial(slow, number), "alice")
    done = Event()
    pool.submit(done.set, "bob")
    assert done.wait(FOREVER)
    until(lambda: begun == [0, 1])
    release.set()
    until(lambda: len(begun) == 20)
    pool.stop()


def test_owners_take_turns(release: Event) -> None:
    pool = pool_of(0.0, size=1)
    done: list[str] = []
    pool.submit(release.wait, "carol")
    for owner in ("alice", "alice", "alice", "bob", "bob"):
        pool.submit(partial(done.append, owner), owner)
    release.set()
    until(lambda: len(done) == 5)
    assert done == ["alice", "bob", "alice", "bob", "alice"]
    pool.stop()


@pytest.mark.parametrize("owners", [1, 3, 500])
@pytest.mark.parametrize("patience", [0.0, 0.001, FOREVER])
def test_every_job_is_done_once(patience: float, owners: int) -> None:
    pool = pool_of(patience)
    done: list[int] = []

    def submit(first: int) -> None:
        for number in range(first, first + 500):
            pool.submit(partial(done.append, number), number % owners or None)

    submitters = [Thread(target=submit, args=(first,)) for first in range(0, 2000, 500)]
    for each in submitters:
        each.start()
    for each in submitters:
        each.join()
    pool.stop(FOREVER)
    assert sorted(done) == list(range(2000))


def test_a_pool_that_stops_does_what_stands_in_line(release: Event) -> None:
    pool = pool_of(FOREVER)
    done: list[int] = []
    pool.submit(lambda: release.wait())
    for number in range(3):
        pool.submit(partial(done.append, number))
    stopping = Thread(target=pool.stop)
    stopping.start()
    release.set()
    stopping.join()
    assert done == [0, 1, 2]


def test_the_watchman_ends_with_the_pool(release: Event) -> None:
    pool = SessionPool(4, "watched", 1.0)
    pool.submit(lambda: release.wait())
    pool.submit(lambda: None)
    assert any(each.name == "watched-watchman" for each in threading.enumerate())
    release.set()
    pool.stop()
    until(lambda: not any(each.name.startswith("watched") for each in threading.enumerate()))


@pytest.mark.parametrize(("vendor", "patience"), [("sqlite", threads.PATIENCE), ("postgresql", 0)])
def test_jobs_that_wait_for_a_server_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, vendor: str, patience: float
) -> None:
    monkeypatch.setattr("protocols.servers.threads.connection.vendor", vendor, raising=False)
    assert threads.make_pool()._patience == patience


@pytest.mark.skipif(PLATFORM != "scaled", reason="the embedded database does not hang up")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "end",
    [
        # As at a restart of the server: it says so, and nobody has read it yet.
        lambda other: _terminate(other.connection.info.backend_pid),
        lambda other: other.connection.close(),
        lambda other: setattr(other, "errors_occurred", True),
    ],
    ids=["by the server", "by us", "an error"],
)
def test_a_connection_that_is_lost_is_known_to_be(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[Any], object]
) -> None:
    with closing(connection.copy()) as other:
        monkeypatch.setattr(threads, "connection", other)
        assert not threads._has_lost_database()
        other.ensure_connection()
        assert not threads._has_lost_database()
        end(other)
        assert threads._has_lost_database()


def _terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
