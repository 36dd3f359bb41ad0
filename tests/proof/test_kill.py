"""`kill -9` at random under load: what got its 250 is in its folder or queue exactly once.

`MAILHOST_PROOF_KILLS` (500) sets how many.
"""

import imaplib
import json
import os
import random
import re
import signal
import smtplib
import threading
import time
from collections import Counter

from tests.journeys.conftest import MakeInstance
from tests.partners.daemon import wait_until
from tests.partners.dns import NameServer
from tests.partners.instance import PASSWORD, Instance
from tests.partners.presence import Loopback, need

KILLS = int(os.environ.get("MAILHOST_PROOF_KILLS", "500"))
USERS = [f"u{n}@here.test" for n in range(4)]
FAR = "far@there.test"


class Load:
    """Clients that send and remember: `sure` got a 250, `unsure` lost the connection after DATA."""

    def __init__(self, host: Instance) -> None:
        self.host = host
        self.sure: set[str] = set()
        self.unsure: set[str] = set()
        self.over = threading.Event()
        self._numbers = iter(range(1, 1 << 31))
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(submits,), daemon=True)
            for submits in (False, False, False, True)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def _work(self, submits: bool) -> None:
        while not self.over.is_set():
            try:
                port = self.host.SUBMISSION if submits else self.host.SMTP
                with smtplib.SMTP(self.host.address, port, timeout=30) as client:
                    client.ehlo("load.test")
                    if submits:
                        client.starttls()
                        client.login(USERS[0], PASSWORD)
                    for _ in range(random.randint(1, 20)):
                        self._send(client, submits)
                        if self.over.is_set():
                            break
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    def _send(self, client: smtplib.SMTP, submits: bool) -> None:
        with self._lock:
            name = f"{'out' if submits else 'in'}-{next(self._numbers)}"
        # Some go to one mailbox, some to two, some into a segment of their own.
        size = random.choice([200, 4000, 4000, 60_000, 1_200_000 if random.random() < 0.05 else 10])
        octets = f"Subject: {name}\r\nFrom: {USERS[0]}\r\n\r\n".encode() + b"x" * 70 + b"\r\n"
        octets += (b"y" * 70 + b"\r\n") * (size // 72)
        to = [FAR] if submits else [USERS[hash(name) % 4]]
        client.mail(USERS[0] if submits else "s@load.test")
        client.rcpt(to[0])
        try:
            code, _ = client.data(octets)
        except (OSError, smtplib.SMTPServerDisconnected):
            self.unsure.add(name)
            raise
        if code == 250:
            self.sure.add(name)
        else:
            client.rset()


def subjects(host: Instance, users: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    imaplib._MAXLINE = 100 << 20
    for user in users:
        client = host.imap(user)
        _, counted = client.select("INBOX", readonly=True)
        if int(counted[0]):
            _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            for part in data:
                if isinstance(part, tuple):
                    match = re.search(rb"Subject: ((?:in|out)-\d+)", part[1])
                    if match:
                        found[match[1].decode()] += 1
        client.logout()
    return found


def test_no_accepted_message_is_lost_or_doubled(
    make_instance: MakeInstance, loopback: Loopback, tmp_path_factory: object
) -> None:
    need("knotd")
    here, there = loopback.address(), loopback.address()
    from pathlib import Path
    from tempfile import mkdtemp

    names = NameServer(
        Path(mkdtemp()), loopback.address(), {"there.test": f"@ MX 1 mx\nmx A {there}"}
    )
    far = make_instance("there", there, HOSTNAME="mx.there.test")
    far.add_mailbox(FAR)
    host = make_instance(
        "here",
        here,
        HOSTNAME="mx.here.test",
        DNS_SERVERS=names.server,
        RETRY_SCHEDULE=",".join(["1s"] * 300),
    )
    for user in USERS:
        host.add_mailbox(user)
    load = Load(host)
    load.start()
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        time.sleep(random.uniform(0.1, 2.0))
        victim = random.choice(list(host.children()) + (["all"] if number % 25 == 0 else []))
        if victim == "all":
            host.kill()
            host.start()
        else:
            try:
                os.kill(host.children()[victim], signal.SIGKILL)
            except ProcessLookupError:
                continue  # Died of the last kill and is not back yet.
        killed[victim] += 1
    load.stop()
    wait_until(host.is_ready, "the host is back", 60, 0.2)
    wait_until(lambda: host.queue() == [], "an empty queue", 300, 1)

    arrived = subjects(host, USERS) + subjects(far, [FAR])
    ambiguous = {
        row["subject"] if "subject" in row else row["queue_id"]
        for row in json.loads(host.manage("queue", "list", "--settled", "--json").stdout)
        if row["is_ambiguous"]
    }
    lost = sorted(name for name in load.sure if not arrived[name])
    doubled = sorted(name for name, times in arrived.items() if times > 1)
    foreign = sorted(name for name in arrived if name not in load.sure | load.unsure)
    print(
        f"\nkills {dict(killed)}; accepted {len(load.sure)}, unknown to the client "
        f"{len(load.unsure)} (of which arrived {sum(bool(arrived[n]) for n in load.unsure)}); "
        f"lost {len(lost)}, doubled {len(doubled)}, ambiguous attempts {len(ambiguous)}"
    )
    assert not lost
    assert not foreign
    # Only a message that left with an unknown outcome may arrive twice (RFC 5321 §6.1).
    assert all(name.startswith("out-") for name in doubled), doubled
    assert len(doubled) <= len(ambiguous), (doubled, ambiguous)
    checked = host.manage("fsck", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    names.stop()
