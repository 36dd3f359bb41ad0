"""kill -9 of a worker while it sends: nothing is lost, and what may arrive twice is marked."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from delivery import outbound, queue
from delivery.models import Attempt, QueuedRecipient
from delivery.transport.loop import Setting
from delivery.transport.mx import Routing
from tests.delivery.peer import Peer, Script
from tests.delivery.queued import enqueue, results, row

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = """
import django
django.setup()
from delivery import outbound
outbound.drain()
"""


@pytest.fixture(autouse=True)
def _no_nudges(monkeypatch):
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: None)


def database_url() -> str:
    """The database under test, as a setting for another process."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{values['NAME']}"
    login = quote(values["USER"])
    return f"postgres://{login}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


@contextmanager
def worker(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that drains the queue; killed with -9 at the end."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mailhost.settings",
        "MAILHOST_HOME": str(settings.HOME),
        "MAILHOST_DATABASE_URL": database_url(),
        "MAILHOST_OUTBOUND_PORT": str(port),
        "MAILHOST_OUTBOUND_ALLOW_NETS": "127.0.0.0/8",
    }
    process = subprocess.Popen([sys.executable, "-c", WORKER], env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(20)


def drain_after_the_claims_ran_out(port: int) -> None:
    networks = (ip_network("127.0.0.0/8"),)
    drain = outbound.Drain(
        Setting(Routing("us.test", port=port, allowed_networks=networks)),
        clock=lambda: datetime.now(UTC) + queue.CLAIM_SPAN + timedelta(seconds=1),
    )
    drain.run()
    drain.stop(0.0)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def test_a_worker_killed_after_the_final_dot_leaves_an_ambiguous_attempt():
    gate = threading.Event()
    enqueue("bob@[127.0.0.1]")
    with Peer(Script(gate=gate)) as peer:
        with worker(peer.port):
            wait_for(lambda: peer.at_gate)
        assert results("bob@[127.0.0.1]") == ["open"]
        gate.set()
        drain_after_the_claims_ran_out(peer.port)
    assert results("bob@[127.0.0.1]") == ["ambiguous", "delivered"]
    assert row("bob@[127.0.0.1]").is_ambiguous


def test_a_worker_killed_at_full_speed_loses_nothing():
    addresses = [f"r{n}@[127.0.0.{1 + n % 3}]" for n in range(300)]
    for address in addresses:
        enqueue(address)
    with Peer(address="0.0.0.0") as peer:
        with worker(peer.port):
            wait_for(lambda: len(peer.mail) > 40)
        drain_after_the_claims_ran_out(peer.port)
    assert set(QueuedRecipient.objects.values_list("state", flat=True)) == {"delivered"}
    assert not Attempt.objects.filter(result="open").exists()
    arrived = Counter(mail.recipients[0] for mail in peer.mail)
    assert set(arrived) == set(addresses)
    marked = set(
        QueuedRecipient.objects.filter(is_ambiguous=True).values_list("address", flat=True)
    )
    assert {address for address, count in arrived.items() if count > 1} <= marked
