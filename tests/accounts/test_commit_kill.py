"""kill -9 of a process that commits: all it was promised is there, once, and the store is clean.

Invariants 1 to 3 of `accounts.commit` and of `accounts.blobs.segments`, on a real process.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from accounts import blobs, fsck
from accounts.models import Mailbox
from tests.accounts.mail import content, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3
WRITER = """
import sys, django, threading
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from accounts import commit
from accounts.blobs import Spool
from tests.accounts.mail import delivery
box, number = int(sys.argv[2]), int(sys.argv[3])
slots = threading.Semaphore(30)
say = threading.Lock()

def acknowledged(name):
    def done(future):
        slots.release()
        if future.exception() is None:
            with say:
                sys.stdout.write(name + "\\n"); sys.stdout.flush()
    return done

while True:
    slots.acquire()
    number += 1
    name = "m%d" % number
    large = number % 40 == 0
    octets = b"Subject: " + name.encode() + b"\\r\\n\\r\\n" + b"x" * (1_200_000 if large else 2000)
    unit = delivery(box, octets)
    if large:
        unit.octets = Spool()
        unit.octets.write(octets)
    commit.submit(unit).add_done_callback(acknowledged(name))
"""


def test_what_was_acknowledged_is_there_exactly_once() -> None:
    mailbox_id = make_mailbox()
    chance = random.Random(7)
    promised: list[str] = []
    for round_ in range(ROUNDS):
        promised += _run_and_kill(mailbox_id, round_ * 1_000_000, chance.randint(45, 250))
        blobs.seal_abandoned()
        faults = [finding for finding in fsck.check(lambda text: None) if finding.is_fault]
        assert faults == []
    found = [
        octets.split(b"\r\n", 1)[0].removeprefix(b"Subject: ").decode()
        for octets in content(inbox(mailbox_id)).values()
    ]
    assert len(found) == len(set(found)) >= len(promised)
    assert set(promised) <= set(found)
    # At most what was in flight at each kill is there without having been acknowledged.
    assert len(found) - len(promised) <= ROUNDS * 31
    assert Mailbox.objects.get().used_bytes > 0


def _run_and_kill(mailbox_id: int, first: int, enough: int) -> list[str]:
    writer = subprocess.Popen(
        [
            *(sys.executable, "-c", WRITER, str(connection.settings_dict["NAME"])),
            *(str(mailbox_id), str(first)),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, writer.kill)
    watchdog.start()
    heard: list[str] = []
    assert writer.stdout is not None
    for line in writer.stdout:
        heard.append(line)
        if len(heard) == enough:
            writer.send_signal(signal.SIGKILL)
    watchdog.cancel()
    writer.wait()
    assert len(heard) >= enough, settings.DATABASES["default"]["ENGINE"]
    # A kill may cut the last line short.
    return [line.strip() for line in heard if line.endswith("\n")]
