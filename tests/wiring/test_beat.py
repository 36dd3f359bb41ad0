"""Beat goes on whatever becomes of its file and of the clock: nothing else would notice its end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery.beat import ScheduleEntry

from mailhost.beat import Scheduler
from mailhost.celery import SCHEDULE, app

OFTEN = {name for name, entry in SCHEDULE.items() if float(str(entry["schedule"])) < 10}


class Beat:
    """A scheduler with a clock of ours, and what it ran."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 11, 28, 12, tzinfo=UTC)
        self.ran: list[str] = []
        monkeypatch.setattr(app, "now", lambda: self.now)
        self._path = path
        self.start()

    def start(self) -> None:
        self.scheduler = Scheduler(app=app, schedule_filename=str(self._path))
        self.scheduler.apply_entry = self._apply

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            # One task a tick.
            for _each in SCHEDULE:
                self.scheduler.tick()

    def _apply(self, entry: ScheduleEntry, producer: object = None) -> None:
        self.ran.append(entry.name)


def test_when_tasks_ran_is_known_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(tmp_path / "schedule", monkeypatch)
    beat.go_on(2)
    assert beat.ran == ["index-mail"]
    beat.scheduler.close()
    beat.now += timedelta(hours=23)
    beat.start()
    beat.now += timedelta(hours=2)
    beat.go_on(1)
    assert set(beat.ran) == set(SCHEDULE)


def test_a_file_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk."""
    path = tmp_path / "run" / "schedule"
    beat = Beat(path, monkeypatch)
    beat.go_on(10)
    beat.scheduler.sync()
    assert set(beat.ran) == OFTEN
    path.parent.mkdir()
    beat.scheduler.sync()
    assert path.exists()
    path.unlink()
    path.parent.rmdir()
    beat.scheduler.close()


def test_a_file_that_cannot_be_read_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "schedule"
    path.mkdir()
    Beat(path, monkeypatch).scheduler.close()
    path.rmdir()
    path.write_bytes(b"\0half")
    beat = Beat(path, monkeypatch)
    beat.go_on(10)
    assert set(beat.ran) == OFTEN


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_clock_that_was_set_back_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_restarted: bool
) -> None:
    beat = Beat(tmp_path / "schedule", monkeypatch)
    beat.go_on(10)
    beat.ran.clear()
    if is_restarted:
        beat.scheduler.close()
    beat.now -= timedelta(days=2)
    if is_restarted:
        beat.start()
    beat.go_on(11)
    assert set(beat.ran) == OFTEN
