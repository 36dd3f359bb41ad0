"""Processes take turns at writing to the embedded database."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from accounts.turns import Turns

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL needs no turns")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "a.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", str(path))
    return path


@contextmanager
def turn() -> Iterator[None]:
    """One turn to write."""
    turns = Turns()
    turns.take()
    try:
        yield
    finally:
        turns.give_back()
        turns.close()


def test_one_at_a_time_in_the_order_of_asking(database: Path) -> None:
    order: list[int] = []
    waiting = []
    with turn():
        for number in range(3):
            thread = threading.Thread(target=take, args=(order, number))
            thread.start()
            waiting.append(thread)
            await_waiters(database, number + 1)
        assert order == []
    for thread in waiting:
        thread.join(10)
    assert order == [0, 1, 2]


def take(order: list[int], number: int) -> None:
    with turn():
        order.append(number)


def await_waiters(database: Path, count: int) -> None:
    """Until so many wait for the file's lock (`/proc/locks` marks them with an arrow)."""
    inode = os.stat(f"{database}.turn").st_ino
    until = time.monotonic() + 10
    while time.monotonic() < until:
        lines = Path("/proc/locks").read_text().splitlines()
        if sum("->" in line and f":{inode} " in line for line in lines) >= count:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_process_that_dies_gives_its_turn_back(database: Path) -> None:
    pid = os.fork()
    if not pid:
        with turn():
            os._exit(0)
    os.waitpid(pid, 0)
    with turn():
        pass


def test_without_its_file_nobody_waits(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    database.with_name("a.sqlite3.turn").mkdir()
    with turn(), turn():
        pass
    assert "a.sqlite3.turn" in caplog.text


def test_a_disk_that_knows_no_locks_stops_nobody(
    database: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("accounts.turns.fcntl.flock", refuse)
    with turn():
        pass
    assert "No locks available" in caplog.text


def test_a_turn_is_taken_at_once_or_not_at_all(database: Path) -> None:
    first, second = Turns(), Turns()
    assert first.take_at_once()
    assert not second.take_at_once()
    first.give_back()
    assert second.take_at_once()
    second.give_back()
    first.close()
    second.close()
