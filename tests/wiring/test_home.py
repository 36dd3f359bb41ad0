"""The home directory: private, held by one, cleared of what an earlier run left."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from mailhost import home as home_directory
from mailhost.home import HomeError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    umask = os.umask(0o022)
    home_directory.prepare(path)
    os.umask(umask)
    return path


def test_nobody_else_may_look_in(home: Path) -> None:
    for path in (home, *(home / part for part in home_directory.PARTS)):
        assert path.stat().st_mode & 0o777 == 0o700


def test_nobody_else_may_read_the_database_in_a_home_that_was_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "MAILHOST_HOME": str(tmp_path)}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "-v0"]
    subprocess.run(command, env=environment, check=True, umask=0o022)
    database = tmp_path / "mailhost.sqlite3"
    assert database.stat().st_mode & 0o777 == 0o600
    # As an earlier version left it.
    database.chmod(0o644)
    home_directory.prepare(tmp_path)
    assert database.stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="cannot be written to"):
        home_directory.prepare(tmp_path / "file" / "home")


@pytest.mark.parametrize("name", ["", "run", "logs", "blobs", "valkey", "logs/server.log"])
def test_what_another_user_left_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (home / "logs" / "server.log").touch()
    # Root may write everywhere.
    monkeypatch.setattr(home_directory.os, "access", lambda path, mode: path != home / name)
    with pytest.raises(HomeError, match=f"{home / name} cannot be written to"):
        home_directory.prepare(home)


def test_a_lock_that_cannot_be_opened_is_one_sentence(home: Path) -> None:
    (home / "run" / "up.lock").mkdir()
    with pytest.raises(HomeError, match=r"up\.lock: Is a directory"):
        home_directory.lock(home)


def test_one_supervisor_a_home(home: Path) -> None:
    held = home_directory.lock(home)
    with pytest.raises(HomeError, match=f"process {os.getpid()}"):
        home_directory.lock(home)
    os.close(held)
    os.close(home_directory.lock(home))


def test_marks_of_an_earlier_run_go(home: Path) -> None:
    run = home / "run"
    (run / "notices").mkdir()
    left = ["server-1.ready", "worker-1.alive", "valkey.sock", "children.json", "notices/1-1.sock"]
    for name in left:
        (run / name).write_text("{}")
    (run / "beat-schedule").touch()
    home_directory.clear_run(home)
    assert [name for name in left if (run / name).exists()] == []
    assert (run / "beat-schedule").exists()


def test_what_still_runs_is_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import time; print('up', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, "manage.py"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    (home / "run" / "children.json").write_text(json.dumps({"server": child.pid}))
    monkeypatch.setattr(home_directory.time, "sleep", lambda _seconds: (child.kill(), child.wait()))
    home_directory.clear_run(home)
    child.stdout.close()
    assert child.returncode is not None


def test_a_long_path_gets_a_short_name(tmp_path: Path) -> None:
    directory = tmp_path / ("deep" * 20) / ("deeper" * 20)
    directory.mkdir(parents=True)
    path = directory / "valkey.sock"
    short = home_directory.short_path(path)
    assert len(short) <= home_directory.LONGEST_SOCKET_PATH
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(short)
        assert path.exists()
    assert home_directory.short_path(Path("/run/x.sock")) == "/run/x.sock"
