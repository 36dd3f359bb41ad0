"""`kill -9` at random under load: what got its 250 is in its folder or queue exactly once.

`MAILHOST_PROOF_KILLS` (500) sets how many. With `MAILHOST_TEST_PLATFORM=scaled` PostgreSQL, one of
its backends and Redis are killed too.
"""

import imaplib
import json
import os
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import MakeInstance
from tests.partners import platform
from tests.partners.daemon import wait_until
from tests.partners.dns import NameServer
from tests.partners.instance import Instance
from tests.partners.postgres import Postgres
from tests.partners.presence import Loopback, need
from tests.partners.redis import Redis
from tests.proof.ledger import End, Found, Ledger, Verdict, read_copy
from tests.proof.load import BOTH, FAR, FOLDERS, POP_USER, USERS, Load
from tests.proof.victims import Killer, of_home

KILLS = int(os.environ.get("MAILHOST_PROOF_KILLS", "500"))
THREE_DAYS = 3 * 86400
# What may be missed, for it was killed: the broker anywhere, the database where it is a partner.
_AWAY = re.compile(
    r"redis\.exceptions\.(?:ConnectionError|TimeoutError): "
    r"|Couldn't apply scheduled task [\w-]+: (?:Error \d+|Timeout|Connection)"
)
_DATABASE_AWAY = re.compile(r"(?:OperationalError|InterfaceError): ")
_TRACEBACK = "Traceback (most recent call last)"


@pytest.fixture
def partners(
    tmp_path_factory: pytest.TempPathFactory, loopback: Loopback
) -> Iterator[tuple[Postgres, Redis] | None]:
    """A database and a broker that may be killed, where the platform wants them."""
    if platform.PLATFORM != "scaled":
        yield None
        return
    directory = tmp_path_factory.mktemp("partners")
    postgres = Postgres(directory / "postgres", loopback.address())
    redis = Redis(directory / "redis", loopback.address())
    yield postgres, redis
    redis.stop()
    postgres.stop()


@pytest.fixture
def names(tmp_path: Path, loopback: Loopback) -> Iterator[tuple[NameServer, str]]:
    """A name server that leads mail for there.test to the address given with it."""
    need("knotd")
    there = loopback.address()
    server = NameServer(
        tmp_path / "dns", loopback.address(), {"there.test": f"@ MX 1 mx\nmx A {there}"}
    )
    yield server, there
    server.stop()


def test_no_accepted_message_is_lost_or_doubled(
    make_instance: MakeInstance,
    names: tuple[NameServer, str],
    partners: tuple[Postgres, Redis] | None,
    figures: list[str],
) -> None:
    server, there = names
    far = make_instance("there", there, HOSTNAME="mx.there.test")
    far.add_mailbox(FAR)
    settings = {
        "HOSTNAME": "mx.here.test",
        "DNS_SERVERS": server.server,
        "RETRY_SCHEDULE": ",".join(["1s"] * 1000),
    }
    if partners:
        settings |= {"DATABASE_URL": partners[0].url, "REDIS_URL": partners[1].url}
    host = make_instance("here", **settings)
    for user in (*USERS, POP_USER):
        host.add_mailbox(user)
    host.manage("alias", "add", BOTH, USERS[0], FAR)

    ledger = Ledger()
    load = Load(host, ledger)
    killer = Killer(host, ledger, *(partners or ()))
    begun = time.monotonic()
    load.start()
    for number in range(1, KILLS + 1):
        killer.kill_one()
        if number % 25 == 0:
            print(f"{number} kills, {len(ledger.sent)} messages", flush=True)
    wait_until(host.is_ready, "the host is back", 60, 0.2)
    load.stop()
    lasted = time.monotonic() - begun
    wait_until(lambda: host.queue() == [], "an empty queue", 400, 1)

    rows = json.loads(
        host.manage("queue", "list", "--settled", "--json", "--limit", "10000000").stdout
    )
    ambiguous = {row["queue_id"] for row in rows if row["is_ambiguous"]}
    found = [
        *(copy for user in (*USERS, POP_USER) for copy in copies(host, user, user)),
        *copies(far, FAR, FAR),
    ]
    verdict = ledger.judge(found, ambiguous, FAR)
    far.stop()
    host.stop()
    figures += tell(ledger, load, killer, verdict, rows, found, lasted)

    assert verdict.lost == []
    assert verdict.doubled == []
    assert verdict.broken == []
    assert ledger.complaints == []
    unsent = [row for row in rows if row["state"] != "delivered"]
    assert unsent == []
    promised = {s.queue_id for s in ledger.sent.values() if FAR in s.places and s.queue_id}
    assert promised <= {row["queue_id"] for row in rows}
    assert of_home(host.home) == {}, "processes are left"
    figures += check_store(host, is_sqlite=partners is None)
    assert tracebacks(host, may_miss_database=partners is not None) == Counter()


def copies(host: Instance, user: str, place: str) -> list[Found]:
    """Every message of a mailbox, in whatever folder."""
    imaplib._MAXLINE = 100 << 20
    found = []
    client = host.imap(user)
    for folder in FOLDERS:
        _, counted = client.select(folder, readonly=True)
        if int(counted[0] or b"0"):
            _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT RECEIVED)])")
            found += [read_copy(part[1], place) for part in data if isinstance(part, tuple)]
    client.logout()
    return found


def tell(
    ledger: Ledger,
    load: Load,
    killer: Killer,
    verdict: Verdict,
    rows: list[dict[str, Any]],
    found: list[Found],
    lasted: float,
) -> Iterator[str]:
    """The figures, and every try that nobody knows the end of."""
    by_queue_id = {sent.queue_id: sent.name for sent in ledger.sent.values() if sent.queue_id}
    times = Counter(queue_id for copy in found if copy.place == FAR for queue_id in copy.queue_ids)
    ambiguous = [row for row in rows if row["is_ambiguous"]]
    yield "ambiguous tries (queue id, message, tries, copies there):"
    for row in ambiguous:
        queue_id = row["queue_id"]
        name = by_queue_id.get(queue_id, "unsure")
        yield f"  {queue_id} {name} {row['attempts']} {times[queue_id]}"
    arrived = {copy.name for copy in found}
    unsure = [sent for sent in ledger.sent.values() if sent.end is End.UNSURE]
    yield f"{killer.killed.total()} kills in {lasted:.0f} s: {dict(killer.killed)}"
    yield f"longest start after a kill of everything: {killer.longest_start:.1f} s"
    yield (
        f"accepted {ledger.count(End.SURE)}, refused {ledger.count(End.REFUSED)}, "
        f"unknown to the client {len(unsure)} (of which "
        f"{sum(sent.name in arrived for sent in unsure)} are there), "
        f"taken by POP3 {len(ledger.taken)} (perhaps {len(ledger.perhaps_taken)}), "
        f"{load.sessions} client sessions"
    )
    yield (
        f"lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, broken {len(verdict.broken)}, "
        f"ambiguous {len(ambiguous)}, of which arrived twice {len(verdict.excused)}"
    )


def check_store(host: Instance, *, is_sqlite: bool) -> Iterator[str]:
    """Database and octets are sound, and what crashes left behind is collected."""
    if is_sqlite:
        with sqlite3.connect(host.home / "mailhost.sqlite3") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    checked = host.manage("fsck", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    yield "fsck: " + "; ".join(checked.stdout.split("\n")).strip("; ")
    blobs = host.home / "blobs"
    left = len([*blobs.rglob("*.spool")])
    long_ago = time.time() - THREE_DAYS
    for path in blobs.rglob("*.*"):
        os.utime(path, (long_ago, long_ago))
    report = json.loads(host.manage("fsck", "--collect", "--json").stdout)
    assert report["clean"]
    assert [each["text"] for each in report["findings"] if each["kind"] != "leftover"] == []
    assert [*blobs.rglob("*.spool")] == []
    yield f"{left} spools were left behind and collected, with {report['collected']}"


def tracebacks(host: Instance, *, may_miss_database: bool) -> Counter[str]:
    """What was logged as a bug, with how often."""
    excuses = [_AWAY, _DATABASE_AWAY] if may_miss_database else [_AWAY]
    found: Counter[str] = Counter()
    for path in (host.home / "logs").glob("*.log*"):
        for line in path.read_text(errors="replace").splitlines():
            if _TRACEBACK in line and not any(excuse.search(line) for excuse in excuses):
                found[f"{path.name.split('.')[0]}: {_last_line(line)}"] += 1
    return found


def _last_line(line: str) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return line[:300]
    text = str(record.get("exception") or record)
    return f"{record.get('event', '')}: {text.strip().splitlines()[-1]}"[:300]
