"""Clients that send, store, move, read and delete for as long as they are let, and remember.

Rules of the file: a client that loses its connection comes again at once, as a new one; what it was
promised goes into the ledger before anything else can fail.
"""

import contextlib
import imaplib
import poplib
import random
import re
import smtplib
import threading
import time
from collections.abc import Callable, Iterator

from tests.partners.instance import PASSWORD, Instance, queued_as
from tests.proof.ledger import End, Ledger, Sent, compose, is_whole, name_in

USERS = tuple(f"u{n}@here.test" for n in range(4))
POP_USER = "pop@here.test"
# An alias for u0 and for somebody far away: rows of both kinds from one commit.
BOTH = "both@here.test"
FAR = "far@there.test"
FOLDERS = ("INBOX", "Archive", "Trash")

_BROKEN = (OSError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto, EOFError)
# What one server must bear, not how fast it is.
PAUSE = 0.02


class Load:
    def __init__(self, host: Instance, ledger: Ledger) -> None:
        self._host = host
        self._ledger = ledger
        self._over = threading.Event()
        self.sessions = 0
        self.crashes: list[str] = []
        jobs: list[Callable[[], None]] = [
            *[self._send_inbound] * 3,
            self._submit,
            self._append,
            self._move,
            self._read,
            self._pop,
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(job,), name=job.__name__, daemon=True)
            for job in jobs
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        deadline = time.monotonic() + 90
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"a client hangs: {thread.name}"
        assert not self.crashes, self.crashes[:3]

    def _work(self, job: Callable[[], None]) -> None:
        while not self._over.is_set():
            self.sessions += 1
            try:
                job()
            except _BROKEN:
                time.sleep(0.2)
            except Exception as error:  # Shown when the load stops.
                self.crashes.append(f"{job.__name__}: {error!r}")
                return

    def _turns(self, most: int) -> Iterator[None]:
        for _ in range(random.randint(1, most)):
            if self._over.is_set():
                return
            yield
            time.sleep(random.uniform(0, 2 * PAUSE))

    # Sending

    def _send_inbound(self) -> None:
        with smtplib.SMTP(self._host.address, self._host.SMTP, timeout=30) as client:
            client.ehlo("load.test")
            for _ in self._turns(20):
                kind = random.random()
                if kind < 0.1:
                    to, places = [BOTH], (USERS[0], FAR)
                elif kind < 0.3:
                    to, places = [POP_USER], (POP_USER,)
                elif kind < 0.5:
                    to = random.sample(USERS, 2)
                    places = tuple(to)
                else:
                    to = [random.choice(USERS)]
                    places = tuple(to)
                self._transmit(client, self._ledger.open("in", places), "s@load.test", to)

    def _submit(self) -> None:
        with smtplib.SMTP(self._host.address, self._host.SUBMISSION, timeout=30) as client:
            client.ehlo("load.test")
            client.starttls()
            client.login(USERS[0], PASSWORD)
            for _ in self._turns(20):
                self._transmit(client, self._ledger.open("out", (FAR,)), USERS[0], [FAR])

    def _transmit(self, client: smtplib.SMTP, sent: Sent, sender: str, to: list[str]) -> None:
        replies = [client.mail(sender), *(client.rcpt(address) for address in to)]
        if any(code != 250 for code, _ in replies):
            client.rset()
            return
        code, _ = client.docmd("DATA")
        if code != 354:
            return
        octets = compose(sent.name, sender, _size())
        self._ledger.begin(sent)
        client.send(octets + b".\r\n")
        code, reply = client.getreply()
        if code == 250:
            sent.queue_id = queued_as(reply.decode())
            sent.end = End.SURE
        else:
            sent.end = End.REFUSED

    # IMAP

    @contextlib.contextmanager
    def _imap(self, user: str) -> Iterator[imaplib.IMAP4]:
        client = imaplib.IMAP4(self._host.address, self._host.IMAP, timeout=30)
        try:
            client.login(user, PASSWORD)
            yield client
        finally:
            client.shutdown()

    def _append(self) -> None:
        user = random.choice(USERS)
        with self._imap(user) as client:
            for _ in self._turns(10):
                sent = self._ledger.open("app", (user,))
                octets = compose(sent.name, user, _size())
                self._ledger.begin(sent)
                answer, data = client.append("Archive", "", "", octets)
                if answer != "OK":
                    sent.end = End.REFUSED
                    continue
                sent.end = End.SURE
                found = re.search(rb"APPENDUID (\d+) (\d+)", data[0])
                if found is None:
                    self._ledger.complain(f"no APPENDUID for {sent.name}: {data!r}")
                else:
                    place = int(found[1]), int(found[2])
                    self._ledger.see(user, "Archive", *place, sent.name)

    def _move(self) -> None:
        """What is moved is never in two folders nor in none, whatever became of the answer."""
        with self._imap(random.choice(USERS)) as client:
            client.select("Archive")
            _, data = client.uid("SEARCH", "ALL")
            uids = data[0].split()
            for _ in self._turns(5):
                if uids:
                    some = b",".join(random.sample(uids, min(len(uids), 3))).decode()
                    client.uid("MOVE", some, random.choice(("Trash", "Archive")))

    def _read(self) -> None:
        user, folder = random.choice(USERS), random.choice(FOLDERS)
        with self._imap(user) as client:
            status, said = client.select(folder)
            if status == "NO" and b"[UNAVAILABLE]" in said[0]:
                # The database is away, and the server said so.
                return
            validity = int(client.response("UIDVALIDITY")[1][0])
            _, data = client.uid("SEARCH", "ALL")
            uids = data[0].split()
            for _ in self._turns(10):
                if not uids:
                    return
                uid = random.choice([*uids[-20:], random.choice(uids)]).decode()
                client.uid("STORE", uid, "+FLAGS", r"(\Seen)")
                _, data = client.uid("FETCH", uid, "(BODY.PEEK[])")
                for part in data:
                    if isinstance(part, tuple):
                        self._check(part[1], f"{user} {folder} {uid}")
                        self._ledger.see(user, folder, validity, int(uid), name_in(part[1]))

    def _pop(self) -> None:
        client = poplib.POP3(self._host.address, self._host.POP3, timeout=30)
        try:
            client.user(POP_USER)
            client.pass_(PASSWORD)
            count, _ = client.stat()
            names = []
            for number in range(1, min(count, random.randint(1, 10)) + 1):
                _, lines, _ = client.retr(number)
                octets = b"".join(line + b"\r\n" for line in lines)
                self._check(octets, f"{POP_USER} {number}")
                names.append(name_in(octets))
                client.dele(number)
            try:
                client.quit()
            except _BROKEN:
                self._ledger.take(POP_USER, names, is_sure=False)
                raise
            self._ledger.take(POP_USER, names, is_sure=True)
        finally:
            client.close()
        time.sleep(random.uniform(0, 0.5))

    def _check(self, octets: bytes, where: str) -> None:
        if not is_whole(octets):
            self._ledger.complain(f"{where} is not what was sent: {octets[:500]!r}")


def _size() -> int:
    """Most are small; a few are made a segment of their own."""
    if random.random() < 0.02:
        return 1_200_000
    return random.choice((10, 200, 4000, 4000, 60_000))
