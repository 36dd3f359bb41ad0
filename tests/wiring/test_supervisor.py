"""The supervisor: children are started again, stopped in order, and never left behind."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.partners.daemon import Daemon, wait_until
from tests.partners.pseudo_terminal import PseudoTerminal

ROOT = Path(__file__).resolve().parents[2]


class Running:
    def __init__(
        self, home: Path, *options: str, prepare: Callable[[], None] = lambda: None
    ) -> None:
        self.home = home
        for part in ("run", "logs"):
            (home / part).mkdir()
        self.daemon = Daemon(
            [sys.executable, "-m", "tests.wiring.small_house", str(home), *options],
            home / "up.log",
            cwd=ROOT,
            prepare=prepare,
        )
        ups = 1 if "broken" in options else 2
        wait_until(lambda: self.ups() >= ups, "children", 30)
        # What a quiet one says is in its file alone.
        wait_until(lambda: (home / "logs" / "redis.log").read_text() == "up\n", "redis", 30)
        wait_until((home / "run" / "children.json").exists, "their names", 30)

    def said(self) -> str:
        return (self.home / "up.log").read_text()

    def ups(self) -> int:
        """How often a child has said that it is up."""
        return self.said().count("│ up\n")

    def children(self) -> dict[str, int]:
        return dict(json.loads((self.home / "run" / "children.json").read_text()))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    yield found
    found.daemon.stop()


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_it_goes_on_where_it_cannot_write(running: Running) -> None:
    """As on a full disk; who is who is written down when there is room again."""
    draft = running.home / "run" / "children.draft"
    draft.mkdir()
    before, ups = running.children()["server"], running.ups()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: running.ups() > ups, "the next server", 30)
    time.sleep(0.3)
    assert running.children()["server"] == before
    draft.rmdir()
    wait_until(lambda: running.children()["server"] != before, "its name", 10)
    assert lives(running.children()["server"])


def test_it_says_so_when_all_is_ready_and_names_its_children(running: Running) -> None:
    wait_until(lambda: "all is well" in running.said(), "readiness")
    assert list(running.children()) == ["redis", "server", "worker"]


def test_logs_are_kept_and_relayed(running: Running) -> None:
    assert (running.home / "logs" / "redis.log").read_text() == "up\n"
    assert (running.home / "logs" / "server.log").read_text() == "up\n"
    assert "server │ up" in running.said()
    # A quiet program's words are in its file alone.
    assert "redis │ up" not in running.said()


def test_a_child_that_dies_is_started_again(running: Running) -> None:
    before = running.children()
    os.kill(before["worker"], signal.SIGKILL)
    wait_until(lambda: running.children().get("worker", before["worker"]) != before["worker"], "it")
    assert running.children()["server"] == before["server"]
    assert "worker ended with signal 9" in running.said()


def test_the_marks_of_a_killed_child_go_with_it(running: Running) -> None:
    pid = running.children()["worker"]
    mark, other = (running.home / "run" / f"{name}-{pid}.alive" for name in ("worker", "stranger"))
    mark.touch()
    other.touch()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not mark.exists(), "it")
    assert other.exists()


def test_kills_from_outside_do_not_lengthen_the_pause(running: Running) -> None:
    for times in range(1, 5):
        pid = running.children()["worker"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: running.children().get("worker", pid) != pid, "it")
        assert running.said().count("starts again in 0.25 s") == times


def test_whoever_keeps_failing_waits_longer_each_time(tmp_path: Path) -> None:
    running = Running(tmp_path, "broken")
    wait_until(lambda: "it starts again in 1 s" in running.said(), "a longer pause", 30)
    running.daemon.stop()
    pauses = re.findall(
        r"worker ended with status 3; it starts again in ([\d.]+) s", running.said()
    )
    assert pauses[:3] == ["0.25", "0.5", "1"]


def test_sigterm_stops_all_and_the_foundation_last(running: Running) -> None:
    children = running.children()
    running.daemon.process.terminate()
    assert running.daemon.process.wait(20) == 0
    assert "the end" in running.said()
    order = (running.home / "order").read_text().split()
    assert set(order) == {"server", "worker", "redis"}
    assert order[-1] == "redis"
    assert not any(lives(pid) for pid in children.values())
    assert not (running.home / "run" / "children.json").exists()


def test_a_terminal_that_hangs_up_stops_all_and_the_foundation_last(tmp_path: Path) -> None:
    terminal = PseudoTerminal()
    running = Running(tmp_path, prepare=terminal.take)
    wait_until(lambda: "worker │ up" in running.said(), "children")
    terminal.hang_up()
    assert running.daemon.process.wait(20) == 0
    order = (tmp_path / "order").read_text().split()
    assert set(order) == {"server", "worker", "redis"}
    assert order[-1] == "redis"


def test_nohup_is_heeded(tmp_path: Path) -> None:
    terminal = PseudoTerminal()
    running = Running(tmp_path, prepare=terminal.take_as_nohup)
    children = running.children()
    terminal.hang_up()
    time.sleep(1)
    assert running.children() == children
    running.daemon.stop()


def test_without_a_terminal_a_hang_up_stops_nothing(running: Running) -> None:
    children = running.children()
    os.killpg(running.daemon.process.pid, signal.SIGHUP)
    time.sleep(1)
    assert running.children() == children
    assert all(lives(pid) for pid in children.values())


def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    running = Running(tmp_path, "slow")
    wait_until(lambda: "worker │ up" in running.said(), "worker")
    worker = running.children()["worker"]
    running.daemon.process.send_signal(signal.SIGINT)
    assert running.daemon.process.wait(20) == 0
    assert not lives(worker)
    assert "is killed" in running.said()


def test_no_child_outlives_a_supervisor_that_is_killed(running: Running) -> None:
    children = running.children()
    running.daemon.process.kill()
    running.daemon.process.wait()
    wait_until(lambda: not any(lives(pid) for pid in children.values()), "orphans to die")
