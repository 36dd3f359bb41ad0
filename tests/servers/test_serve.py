"""`manage.py serve` from outside: readiness, a clean stop, several processes, a busy port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.partners.presence import Loopback
from tests.partners.pseudo_terminal import PseudoTerminal

ROOT = Path(__file__).resolve().parents[2]

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def address(loopback: Loopback) -> str:
    """Where nobody else takes a port before we do."""
    return loopback.address()


@pytest.fixture
def environment(tmp_path: Path, address: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILHOST_")}
    ours = {"HOME": str(tmp_path), "BIND": address, "HOSTNAME": "mx.a.test"}
    return {**kept, **{f"MAILHOST_{name}": value for name, value in ours.items()}}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(*words: str, prepare: Callable[[], None] = lambda: None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *words],
            cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=prepare,
        )  # fmt: skip
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str], home: Path) -> dict[str, int]:
    path = home / "run" / f"server-{process.pid}.ready"
    until = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    ports: dict[str, int] = json.loads(path.read_text())["ports"]
    return ports


def hear(address: str, port: int) -> tuple[socket.socket, bytes]:
    sock = socket.create_connection((address, port), 10)
    return sock, sock.recv(1000)


def test_it_serves_and_stops_cleanly(start: Start, address: str, tmp_path: Path) -> None:
    process = start("mx", "pop3")
    ports = ready(process, tmp_path)
    assert sorted(ports) == ["mx", "pop3", "pop3s"]
    smtp, greeting = hear(address, ports["mx"])
    assert greeting.startswith(b"220 ")
    _pop3, greeting = hear(address, ports["pop3"])
    assert greeting.startswith(b"+OK ")
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert smtp.recv(1000).startswith(b"421 ")
    assert smtp.recv(1000) == b""
    smtp.close()
    assert process.wait(15) == 0
    assert time.monotonic() - begun < 10
    assert not list((tmp_path / "run").glob("*.ready"))
    with pytest.raises(ConnectionRefusedError):
        hear(address, ports["mx"])


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_terminal_that_hangs_up_stops_it_cleanly(
    start: Start, address: str, tmp_path: Path, processes: str
) -> None:
    terminal = PseudoTerminal()
    process = start("pop3", "--processes", processes, prepare=terminal.take)
    pop3, _greeting = hear(address, ready(process, tmp_path)["pop3"])
    terminal.hang_up()
    assert pop3.recv(1000) == b""
    pop3.close()
    assert process.wait(15) == 0
    assert not list((tmp_path / "run").glob("*.ready"))


@pytest.mark.parametrize("processes", ["1", "2"])
def test_without_a_terminal_a_hang_up_stops_nothing(
    start: Start, address: str, tmp_path: Path, processes: str
) -> None:
    process = start("pop3", "--processes", processes)
    pop3, _greeting = hear(address, ready(process, tmp_path)["pop3"])
    children = _children(process.pid)
    os.killpg(process.pid, signal.SIGHUP)
    time.sleep(0.5)
    pop3.sendall(b"CAPA\r\n")
    assert pop3.recv(1000).startswith(b"+OK")
    pop3.close()
    assert process.poll() is None
    assert _children(process.pid) == children


def test_a_busy_port_is_told_in_one_line(
    start: Start, address: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server((address, 0)) as other:
        port = other.getsockname()[1]
        environment["MAILHOST_POP3_PORT"] = str(port)
        process = start("pop3")
        _output, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert errors.strip() == f"CommandError: Cannot listen on {address}:{port}: the port is in use."
    assert not list((tmp_path / "run").glob("*.ready"))


def test_several_processes_share_the_ports(start: Start, address: str, tmp_path: Path) -> None:
    process = start("pop3", "--processes", "2")
    ports = ready(process, tmp_path)
    sockets = [hear(address, ports["pop3"]) for _ in range(10)]
    assert all(greeting.startswith(b"+OK") for _sock, greeting in sockets)
    children = _children(process.pid)
    assert len(children) == 2
    os.kill(children[0], signal.SIGKILL)
    until = time.monotonic() + 30
    while len(set(_children(process.pid)) - {children[0]}) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    for sock, _greeting in sockets:
        sock.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert not _children(process.pid)


def test_no_process_outlives_a_killed_parent(start: Start, address: str, tmp_path: Path) -> None:
    process = start("pop3", "--processes", "2")
    ports = ready(process, tmp_path)
    hear(address, ports["pop3"])[0].close()
    process.kill()
    until = time.monotonic() + 10
    while True:
        with socket.socket() as sock:
            if sock.connect_ex((address, ports["pop3"])):
                break
        assert time.monotonic() < until, "somebody still listens"
        time.sleep(0.02)


def test_the_embedded_database_takes_two_processes(start: Start) -> None:
    process = start("pop3", "--processes", "3")
    _output, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "at most 2" in errors


def _children(pid: int) -> list[int]:
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(word) for word in words]
