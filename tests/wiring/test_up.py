"""`manage.py up` as a whole: the first start, the next, and the mistakes it tells in one line."""

import ast
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http.request import validate_host

from mailhost.config import Config
from mailhost.management.commands.up import trial_settings
from mailhost.welcome import welcome
from tests.partners.daemon import wait_until
from tests.partners.instance import Instance
from tests.partners.platform import scaled_settings

ROOT = Path(__file__).resolve().parents[2]
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
ADDRESS = f"127.{200 + WORKER}.{os.getpid() % 250}.7"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    database = scaled_settings(f"up_{os.getpid()}_{tmp_path.name[-12:]}")
    found = Instance(tmp_path / "home", ADDRESS, {**database, "MAILHOST_DEMO": "1"})
    yield found
    found.stop()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_first_start_and_what_comes_after(instance: Instance) -> None:
    instance.start()
    wait_until(lambda: "Mailhost is running" in instance.log, "the welcome")
    credentials = instance.home / "demo-credentials.json"
    passwords = json.loads(credentials.read_text())
    assert list(passwords) == ["admin", "alice@example.test", "bob@example.test"]
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert all(password in instance.log for password in passwords.values())
    alice = passwords["alice@example.test"]
    instance.imap("alice@example.test", alice).logout()

    # A worker that dies comes back, and the server with its connections stays.
    before = instance.children()
    os.kill(before["worker"], signal.SIGKILL)
    wait_until(lambda: instance.children().get("worker") not in (None, before["worker"]), "worker")
    assert instance.children()["server"] == before["server"]

    # Everything dies at once; the next start finds a stale run directory and tells no password.
    children = instance.children()
    instance.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in children.values()), "the end")
    (instance.home.parent / "home.up.log").unlink()
    instance.start()
    wait_until(lambda: "Mailhost is running" in instance.log, "the welcome")
    assert alice not in instance.log
    assert str(credentials) in instance.log
    instance.imap("alice@example.test", alice).logout()

    # A second one with the same home is refused.
    second = up(instance)
    assert second.returncode == 1
    assert "runs with the home" in second.stderr

    instance.daemon.process.terminate()
    assert instance.daemon.process.wait(90) == 0
    assert "Mailhost has stopped." in instance.log
    assert not (instance.home / "run" / "children.json").exists()


@pytest.mark.parametrize(
    ("bind", "said", "allowed"),
    [
        ("127.0.0.9", {}, {"ALLOW_PLAINTEXT_LOOPBACK": "1", "OUTBOUND_ALLOW_NETS": "127.0.0.0/8"}),
        ("::1", {"outbound_allow_nets": []}, {"ALLOW_PLAINTEXT_LOOPBACK": "1"}),
        ("127.0.0.9", {"allow_plaintext_loopback": False, "outbound_allow_nets": []}, {}),
        ("192.0.2.1", {}, {}),
        ("0.0.0.0", {}, {}),
    ],
)
def test_what_is_allowed_for_trying_out_ends_where_others_reach_us(
    bind: str,
    said: dict[str, Any],
    allowed: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MAILHOST_ALLOW_PLAINTEXT_LOOPBACK", "MAILHOST_OUTBOUND_ALLOW_NETS"):
        monkeypatch.delenv(name, raising=False)
    url = "postgres://mailhost@127.0.0.1/mailhost"
    config = Config(home=tmp_path, bind=bind, database_url=url, **said)
    assert trial_settings(config) == {f"MAILHOST_{name}": text for name, text in allowed.items()}


@pytest.mark.parametrize(
    ("bind", "host", "address"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "[2001:db8::1]", "2001:db8::1"),
        ("::", "[::1]", "::1"),
    ],
)
def test_what_up_tells_can_be_copied(bind: str, host: str, address: str, tmp_path: Path) -> None:
    told = welcome(Config(home=tmp_path, bind=bind), {}, "credentials")
    assert f" http://{host}:8080/admin/\n" in told
    assert f" {host}:2525\n" in told
    assert f"imap://{host}:2143/" in told
    assert f" nc -C {address} 2525\n" in told


def test_the_web_answers_to_an_ipv6_address() -> None:
    asked = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"
    found = subprocess.run(
        [sys.executable, "-c", asked],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "mailhost.settings",
            "MAILHOST_BIND": "2001:db8::1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert validate_host("[2001:db8::1]", ast.literal_eval(found.stdout))


def up(instance: Instance, cwd: Path = ROOT, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run `up` where it is expected to give up at once."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "up", "--home", str(instance.home)],
        env={**instance.env, **settings},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def idle(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "home", ADDRESS)


def one_line(found: "subprocess.CompletedProcess[str]") -> str:
    assert found.returncode != 0
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1, found.stderr
    assert "Traceback" not in found.stderr
    return found.stderr


def test_a_busy_port_is_one_line_that_names_port_and_setting(idle: Instance) -> None:
    with socket.create_server((ADDRESS, 2993)):
        said = one_line(up(idle))
    assert said == f"Port 2993 on {ADDRESS} is in use; MAILHOST_IMAPS_PORT names another.\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"MAILHOST_SMTP_PORT": "many"}, "MAILHOST_SMTP_PORT is “many”"),
        ({"MAILHOST_SMTP_POTR": "25"}, "MAILHOST_SMTP_PORT is one"),
        ({"MAILHOST_BIND": "203.0.113.1"}, "cannot be had"),
        ({"MAILHOST_BIND": "203.0.113.1"}, "; MAILHOST_BIND names another."),
        ({"MAILHOST_BLOBS_URL": "s3://bucket"}, "mailhost.E003"),
        # And the way out.
        ({"MAILHOST_BLOBS_URL": "s3://bucket"}, "Set MAILHOST_BLOBS_URL to a directory."),
        ({"MAILHOST_DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"}, "database cannot be used"),
        ({"MAILHOST_DATABASE_URL": "sqlite:///nonexistent/x"}, "database cannot be used"),
        ({"MAILHOST_TLS_CERT": "/nonexistent"}, "mailhost.E007"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_setting_that_cannot_work_is_one_line(
    idle: Instance, settings: dict[str, str], said: str
) -> None:
    assert said in one_line(up(idle, **settings))


def test_a_home_that_cannot_be_made_is_one_line(idle: Instance) -> None:
    (idle.home / "file").touch()
    idle.home /= "file/home"
    said = one_line(up(idle))
    assert f"The home {idle.home} cannot be used: " in said
    assert "Not a directory. MAILHOST_HOME names another." in said


def test_a_home_without_a_name_is_one_line(idle: Instance) -> None:
    found = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "up", "--home"],
        env=idle.env,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert one_line(found).startswith("manage.py up: argument --home: expected one argument")


def test_nothing_is_written_outside_the_home(idle: Instance, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with socket.create_server((ADDRESS, 2525)):
        up(idle, cwd=elsewhere)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "elsewhere"}
    assert list(elsewhere.iterdir()) == []
