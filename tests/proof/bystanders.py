"""Other people's sessions, each noting how long it waited: for a 250, for a tagged response.

Rules of the file: a wait begins when the last octet of what is asked is on its way and ends with
the answer; nothing here looks into an answer more than it must, for that would count as waiting.
One thread asks no server: it notes how long the machine makes it wait for its disk and its turn.
"""

import os
import random
import smtplib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.partners.instance import PASSWORD, Instance
from tests.proof.plain_imap import PlainImap

# A person and the next host ask now and then; this is no race.
PAUSE = 0.02
# A session comes anew after so many turns, so that each process behind the port is met.
TURNS = 40
MACHINE = "the machine alone"
OCTETS = b"From: s@load.test\r\nSubject: news\r\n\r\n" + b"hello again\r\n" * 100


class Wait(NamedTuple):
    seconds: float
    what: str


@dataclass
class Waits:
    """The waits of one stretch of time, by kind."""

    by_kind: dict[str, list[Wait]] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        """The longest anybody waited for the server."""
        return max(_longest(waits) for kind, waits in self.by_kind.items() if kind != MACHINE)

    @property
    def of_machine(self) -> float:
        """The longest that one small write took to be on the disk."""
        return _longest(self.by_kind[MACHINE])

    def told(self) -> Iterator[str]:
        """One kind each: how many, the median and the longest, with what was asked."""
        for kind, waits in sorted(self.by_kind.items()):
            ordered = sorted(waits)
            middle, last = ordered[len(ordered) // 2], ordered[-1]
            yield (
                f"{kind} {len(ordered)}: median {middle.seconds * 1000:.0f} ms,"
                f" longest {last.seconds * 1000:.0f} ms ({last.what})"
            )


def _longest(waits: Iterable[Wait]) -> float:
    return max(wait.seconds for wait in waits)


class Bystanders:
    """Threads that deliver to `users` and read their mail, until they are told to stop."""

    def __init__(self, host: Instance, users: Iterable[str], busy: str, folder: str) -> None:
        """`busy` is the mailbox of the bulk work, `folder` where most of it is done."""
        self._host = host
        self._users = tuple(users)
        self._over = threading.Event()
        self._guard = threading.Lock()
        self._waits = Waits()
        self.troubles: list[str] = []
        jobs: list[Callable[[], None]] = [
            *[self._deliver] * 2,
            *[lambda user=user: self._read("IMAP", user, "INBOX") for user in self._users],
            lambda: self._read("IMAP in the same mailbox", busy, "Drafts"),
            lambda: self._read("IMAP in the same folder", busy, folder),
            self._write,
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(job,), daemon=True) for job in jobs
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a bystander hangs"
        assert not self.troubles, self.troubles[:3]

    def take(self) -> Waits:
        """What was noted since it was taken last."""
        with self._guard:
            waits, self._waits = self._waits, Waits()
        return waits

    def _work(self, job: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                job()
            except Exception as error:
                self.troubles.append(repr(error))
                return

    def _turns(self) -> Iterator[None]:
        for _ in range(TURNS):
            if self._over.is_set():
                return
            yield
            time.sleep(random.uniform(0, 2 * PAUSE))

    @contextmanager
    def _noted(self, kind: str, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        wait = Wait(time.monotonic() - begun, what)
        with self._guard:
            self._waits.by_kind.setdefault(kind, []).append(wait)

    def _deliver(self) -> None:
        with smtplib.SMTP(self._host.address, self._host.SMTP, timeout=120) as client:
            client.ehlo("load.test")
            for _ in self._turns():
                client.mail("s@load.test")
                with self._noted("RCPT", "RCPT"):
                    client.rcpt(random.choice(self._users))
                assert client.docmd("DATA")[0] == 354
                client.send(OCTETS + b".\r\n")
                with self._noted("delivery", "250"):
                    code, reply = client.getreply()
                assert code == 250, reply

    def _read(self, kind: str, user: str, folder: str) -> None:
        client = PlainImap(self._host.address, self._host.IMAP)
        asked = [
            "NOOP",
            f"STATUS {folder} (MESSAGES UIDNEXT UNSEEN)",
            "STATUS Trash (MESSAGES)",
            "UID FETCH 1:20 (FLAGS ENVELOPE)",
            "UID FETCH * (BODY.PEEK[])",
        ]
        try:
            client.ask(f'LOGIN {user} "{PASSWORD}"')
            with self._noted(kind, "SELECT"):
                client.ask(f"SELECT {folder}")
            for _ in self._turns():
                line = random.choice(asked)
                with self._noted(kind, line):
                    client.ask(line)
            client.ask("LOGOUT")
        finally:
            client.close()

    def _write(self) -> None:
        """What a server does at the least before it says 250: some octets, on the disk."""
        with (self._host.home.parent / "octets").open("ab", buffering=0) as file:
            for _ in self._turns():
                with self._noted(MACHINE, "fsync"):
                    file.write(OCTETS)
                    os.fsync(file.fileno())
