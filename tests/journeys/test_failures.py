"""Parts that die under a running platform: it says "later", and all is well once they are back.

What was answered 250 is there afterwards, once; what was refused is not.
"""

import base64
import json
import os
import poplib
import resource
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes
from itertools import count
from pathlib import Path
from typing import LiteralString, NamedTuple

import imapclient
import psycopg
import pytest
from imapclient.exceptions import IMAPClientError

from accounts.mailstore.notices import POLL_SECONDS
from tests.delivery.peer import Peer
from tests.journeys.conftest import MakeInstance
from tests.journeys.wire import Line, send_message
from tests.partners.daemon import wait_until
from tests.partners.instance import PASSWORD, Instance
from tests.partners.platform import PLATFORM, scaled_settings
from tests.partners.postgres import Postgres
from tests.partners.presence import Loopback, need
from tests.partners.redis import Redis

ANA = "ana@fragil.test"
IDLERS = 10
# Octets: more than is kept in memory, and more than the limit set below.
BIG = b"Subject: big\r\n\r\n" + (b"x" * 70 + b"\r\n") * 80_000
scaled = pytest.mark.skipif(
    PLATFORM != "scaled", reason="SQLite and the bundled server go down with us"
)
embedded = pytest.mark.skipif(PLATFORM == "scaled", reason="the same on every platform")

_numbers = count(1)


class Parts(NamedTuple):
    postgres: Postgres
    redis: Redis

    @property
    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, loopback: Loopback) -> Iterator[Parts]:
    """A database and a broker that nobody else would miss."""
    directory = tmp_path_factory.mktemp("parts")
    postgres = Postgres(directory / "postgres", loopback.address())
    redis = Redis(directory / "redis", loopback.address())
    yield Parts(postgres, redis)
    redis.stop()
    postgres.stop()


@pytest.fixture(scope="module")
def far() -> Iterator[Peer]:
    """Another mail server."""
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def host(parts: Parts, make_instance: MakeInstance, far: Peer) -> Instance:
    """A platform that leans on them."""
    host = make_instance("fragil", **parts.settings, **reaching(far))
    host.add_mailbox(ANA)
    return host


def reaching(far: Peer) -> dict[str, str]:
    return {
        "OUTBOUND_PORT": str(far.port),
        "OUTBOUND_ALLOW_NETS": "127.0.0.0/8",
        "ALLOW_PLAINTEXT_LOOPBACK": "1",
        "RETRY_SCHEDULE": ",".join(["1s"] * 90),
    }


class Told:
    """Mail sent in one test: what was accepted, and what was refused."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.refused: list[str] = []

    def send(self, line: Line, sender: str = "x@far.test", to: str = ANA) -> str:
        subject = f"number {next(_numbers)}"
        octets = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHola.\r\n"
        reply = send_message(line, sender, to, octets.encode())
        (self.accepted if reply.startswith("250") else self.refused).append(subject)
        line.say("RSET")
        return reply

    def check(self, found: list[bytes]) -> None:
        """Each of the accepted is found once, and none of the refused."""
        subjects = [str(message_from_bytes(octets)["Subject"]) for octets in found]
        assert [s for s in self.accepted if subjects.count(s) != 1] == []
        assert [s for s in self.refused if s in subjects] == []


def greet(host: Instance, port: int = Instance.SMTP, login: bool = False) -> Line:
    line = Line(host.address, port)
    line.read()
    line.say("EHLO far.test")
    if login:
        token = base64.b64encode(f"\0{ANA}\0{PASSWORD}".encode()).decode()
        assert line.say(f"AUTH PLAIN {token}").startswith("235")
    return line


def imap(host: Instance) -> imapclient.IMAPClient:
    client = imapclient.IMAPClient(host.address, host.IMAP, ssl=False, timeout=60)
    client.login(ANA, PASSWORD)
    client.select_folder("INBOX")
    return client


def pop_login(host: Instance) -> poplib.POP3:
    client = poplib.POP3(host.address, host.POP3, timeout=60)
    client.user(ANA)
    client.pass_(PASSWORD)
    return client


def missing(host: Instance) -> list[str]:
    """What /readyz says is missing; [] when it says that the platform is ready."""
    url = f"http://{host.address}:{host.WEB}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    names: list[str] = json.loads(text)["missing"]
    assert status == (503 if names else 200)
    return names


@scaled
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_database_that_goes_away_and_comes_back(
    how: str, parts: Parts, host: Instance, far: Peer
) -> None:
    told, out = Told(), len(far.mail)
    old, submission = greet(host), greet(host, host.SUBMISSION, login=True)
    reader, waiting = imap(host), greet(host)
    assert told.send(old).startswith("250")
    for command in ("MAIL FROM:<x@far.test>", f"RCPT TO:<{ANA}>", "DATA"):
        waiting.say(command)

    getattr(parts.postgres, how)()
    assert waiting.say("Subject: in the midst of it\r\n\r\nHola.\r\n.").startswith("451 4.3.0")
    for line in (old, greet(host)):
        assert told.send(line).startswith("451 4.3.0")
    assert submission.say(f"MAIL FROM:<{ANA}>").startswith("451 4.3.0")
    for command in (
        lambda: reader.noop(),
        lambda: reader.fetch([1], ["BODY.PEEK[]"]),
        lambda: reader.add_flags([1], [b"\\Flagged"]),
        lambda: reader.list_folders(),
        lambda: reader.append("INBOX", b"A: b\r\n\r\n"),
        lambda: imap(host),
    ):
        with pytest.raises(IMAPClientError, match="UNAVAILABLE"):
            command()
    with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
        pop_login(host)
    wait_until(lambda: missing(host) == ["database"], "/readyz misses the database")

    parts.postgres.start()
    wait_until(lambda: not missing(host), "/readyz is content again", 60)
    # More than there are threads, so that each has to find a new connection.
    for line in [old, *(greet(host) for _ in range(20))]:
        assert told.send(line).startswith("250")
    for client in [reader, *(imap(host) for _ in range(20))]:
        client.noop()
        client.list_folders()
        client.add_flags(client.search(), [b"\\Flagged"])
    assert told.send(submission, ANA, f"z@[{far.address}]").startswith("250")
    wait_until(lambda: len(far.mail) == out + 1, "the worker sends again", 60)
    told.refused += ["in the midst of it", told.accepted.pop()]
    told.check(host.inbox(ANA))
    with closing(pop_login(host)) as pop:
        assert pop.stat()[0] == len(host.inbox(ANA))


@scaled
def test_a_database_that_takes_no_writes_for_a_while(parts: Parts, host: Instance) -> None:
    told, line, reader = Told(), greet(host), imap(host)
    assert told.send(line).startswith("250")
    with read_only(parts):
        for each in (line, greet(host)):
            assert told.send(each).startswith("451 4.3.0")
        reader.noop()
        assert reader.fetch([1], ["BODY.PEEK[]"])
        for command in (
            lambda: reader.add_flags([1], [b"\\Flagged"]),
            lambda: reader.append("INBOX", b"A: b\r\n\r\n"),
        ):
            with pytest.raises(IMAPClientError, match="UNAVAILABLE"):
                command()
        with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
            pop_login(host)
    assert told.send(line).startswith("250")
    reader.add_flags([1], [b"\\Flagged"])
    told.check(host.inbox(ANA))


@contextmanager
def read_only(parts: Parts) -> Iterator[None]:
    """What a standby is, and where a host of databases has run out of disk."""
    url = parts.postgres.url + "?options=-cdefault_transaction_read_only%3Doff"
    with psycopg.connect(url, autocommit=True) as database:
        try:
            _turn(database, parts, "SET default_transaction_read_only = on", "on")
            yield
        finally:
            _turn(database, parts, "RESET ALL", "off")


def _turn(database: psycopg.Connection, parts: Parts, change: LiteralString, wanted: str) -> None:
    database.execute("ALTER SYSTEM " + change)
    database.execute("SELECT pg_reload_conf()")
    with psycopg.connect(parts.postgres.url, autocommit=True) as other:
        shown = lambda: other.execute("SHOW default_transaction_read_only").fetchone()  # noqa: E731
        wait_until(lambda: shown() == (wanted,), f"read-only is {wanted}")


@scaled
def test_mail_flows_without_redis(parts: Parts, host: Instance, far: Peer) -> None:
    told, out = Told(), len(far.mail)
    for change in (parts.redis.kill, parts.redis.start):
        change()
        out += 1
        assert told.send(greet(host)).startswith("250")
        line = greet(host, host.SUBMISSION, login=True)
        assert told.send(line, ANA, f"z@[{far.address}]").startswith("250")
        told.accepted.pop()
        wait_until(lambda wanted=out: len(far.mail) == wanted, "the worker sends", 60)
        assert not missing(host)
    told.check(host.inbox(ANA))


@contextmanager
def two_processes(directory: Path, address: str, settings: dict[str, str]) -> Iterator[Instance]:
    """`serve` as two processes, without a worker."""
    host = Instance(directory / "home", address, settings)
    try:
        host.manage("migrate", "--verbosity", "0")
        host.start_servers("mx", "imap")
        host.add_mailbox(ANA)
        yield host
    finally:
        host.stop()


@pytest.fixture
def pair(tmp_path: Path, loopback: Loopback, request: pytest.FixtureRequest) -> Iterator[Instance]:
    settings = {}
    if PLATFORM == "scaled":
        settings = scaled_settings(f"pair-{os.getpid()}-{next(_numbers)}")
        settings["MAILHOST_ALLOW_PLAINTEXT_LOOPBACK"] = "1"
        settings["MAILHOST_REDIS_URL"] = request.getfixturevalue("parts").redis.url
    with two_processes(tmp_path, loopback.address(), settings) as host:
        yield host


class Idlers:
    """Clients that idle in the same folder; the kernel spreads them over both processes."""

    def __init__(self, host: Instance) -> None:
        self._host = host
        self._clients = [imap(host) for _ in range(IDLERS)]
        for client in self._clients:
            client.idle()

    def hear(self, seconds: float) -> list[float]:
        """Seconds after its 250 at which each of them heard of a message; fewer when too late."""
        assert Told().send(greet(self._host)).startswith("250")
        begun, heard = time.monotonic(), []
        for client in self._clients:
            left = max(0.001, begun + seconds - time.monotonic())
            if any(b"EXISTS" in response for response in client.idle_check(timeout=left)):
                heard.append(time.monotonic() - begun)
        return heard

    def drain(self) -> None:
        """Hear out what is still on its way."""
        for client in self._clients:
            client.idle_check(timeout=0.2)


def test_processes_hear_of_each_others_mail(pair: Instance) -> None:
    idlers = Idlers(pair)
    soon = POLL_SECONDS / 3
    # Through Redis a process that begins to listen is heard of a little later.
    wait_until(lambda: len(idlers.hear(soon)) == IDLERS, "all hear at once", 60)
    for _ in range(5):
        idlers.drain()
        heard = idlers.hear(soon)
        assert len(heard) == IDLERS
    print(f"heard after {statistics.median(heard) * 1000:.1f} ms")


@scaled
def test_processes_hear_of_each_other_again_when_redis_is_back(
    pair: Instance, parts: Parts
) -> None:
    idlers = Idlers(pair)
    wait_until(lambda: len(idlers.hear(5)) == IDLERS, "all hear at once", 60)
    parts.redis.kill()
    assert Told().send(greet(pair)).startswith("250")
    parts.redis.start()
    wait_until(lambda: len(idlers.hear(3)) == IDLERS, "all hear at once again", 60)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    need(root=True)
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        why = "this machine lets nobody mount a disk"
        (pytest.fail if os.environ.get("MAILHOST_REQUIRE_PARTNERS") == "1" else pytest.skip)(why)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@embedded
def test_a_full_disk(disk: Path, loopback: Loopback) -> None:
    host = Instance(disk, loopback.address()).start()
    try:
        host.add_mailbox(ANA)
        told, line, reader = Told(), greet(host), imap(host)
        assert told.send(line).startswith("250")
        with fill(disk):
            replies = {told.send(each) for each in (line, greet(host), line, line)}
            assert {reply[:9] for reply in replies} == {"452 4.3.1"}
            assert send_message(greet(host), "x@far.test", ANA, BIG).startswith("452 4.3.1")
            assert len(reader.search()) == 1
            assert reader.fetch([1], ["BODY.PEEK[]"])
            with pytest.raises(IMAPClientError, match="UNAVAILABLE"):
                reader.append("INBOX", b"A: b\r\n\r\n")
            assert len(imap(host).search()) == 1
        for each in (line, greet(host)):
            assert told.send(each).startswith("250")
        assert send_message(greet(host), "x@far.test", ANA, BIG).startswith("250")
        told.check(host.inbox(ANA))
        # A broker that cannot write ends the worker, and `up` starts it again.
        wait_until(lambda: not missing(host), "/readyz is content again", 60)
    finally:
        host.stop()


@contextmanager
def fill(disk: Path) -> Iterator[None]:
    """Leave nothing free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    yield
    filler.unlink()


@embedded
def test_a_limit_on_the_size_of_files(make_instance: MakeInstance) -> None:
    host = make_instance("cuota")
    host.add_mailbox(ANA)
    told, line = Told(), greet(host)
    servers = host.servers()
    limits = (4 << 20, resource.RLIM_INFINITY)
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE, limits) for pid in servers]
    assert send_message(line, "x@far.test", ANA, BIG).startswith("452 4.3.1")
    assert told.send(line).startswith("250")
    for pid, limit in zip(servers, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    assert send_message(line, "x@far.test", ANA, BIG).startswith("250")
    told.check(host.inbox(ANA))
