"""Who is killed next: a living process of the instance under test, or the database beneath it.

Only a process that is a child of this instance's supervisor (or a partner this test started) is
ever killed; its parent is asked first, for process ids are used again.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.partners.daemon import StartFailed, accepts, wait_until
from tests.partners.instance import Instance
from tests.partners.postgres import Postgres
from tests.partners.redis import Redis
from tests.proof.ledger import Ledger

# Of a hundred kills, how many hit what: `up` is the supervisor alone, `all` its process group.
SHARES = {"up": 1, "all": 1}
PARTNER_SHARES = {"postgres": 4, "postgres backend": 6, "redis-server": 8}
# Some children die while they start, within so many seconds.
DIES_STARTING = 0.2
START = 3.0
# How often one of the processes that serve dies where the server's turn has come.
ONE_PROCESS = 0.5
# The others work first: up to so many seconds, and the server up to so many messages as well, so
# that a slow machine proves as much as a fast one.
LIFE = {"server": 10.0, "worker": 3.0, "redis": 5.0}
MESSAGES = 40


class Killer:
    def __init__(
        self,
        host: Instance,
        ledger: Ledger,
        postgres: Postgres | None = None,
        redis: Redis | None = None,
    ) -> None:
        self._host = host
        self._ledger = ledger
        self._postgres = postgres
        self._redis = redis
        self.killed: Counter[str] = Counter()
        self.longest_start = 0.0
        self._dies_at: dict[int, float] = {}
        self._dies_starting: dict[int, bool] = {}
        self._dies_after: dict[int, int] = {}
        self._shares = {**SHARES, **(PARTNER_SHARES if postgres else {})}

    def kill_one(self) -> None:
        """Kill something; whatever is not started again by the supervisor is started here."""
        deaths: dict[str, Callable[[], bool]] = {
            "up": lambda: self._start_again(self._kill_supervisor),
            "all": lambda: self._start_again(self._host.kill),
            "postgres": self._kill_postgres,
            "postgres backend": self._kill_backend,
            "redis-server": self._kill_redis,
        }
        fate = random.uniform(0, 100)
        for victim, share in self._shares.items():
            fate -= share
            if fate < 0:
                if deaths[victim]():
                    self.killed[victim] += 1
                    return
                break
        deadline = time.monotonic() + 120
        while not self._kill_whose_time_has_come():
            assert time.monotonic() < deadline, "nobody is left to kill: who starts them again?"
            time.sleep(0.02)

    def _kill_whose_time_has_come(self) -> bool:
        try:
            children = list(self._host.children().items())
        except OSError:
            return False
        random.shuffle(children)
        for name, pid in children:
            if not self._is_due(name, pid):
                continue
            if name == "server" and random.random() < ONE_PROCESS and self._kill_one_of(pid):
                self.killed["server process"] += 1
                return True
            if _kill_child_of(self._host.daemon.process.pid, pid):
                self.killed[name] += 1
                return True
        return False

    def _kill_one_of(self, server: int) -> bool:
        """One of several processes behind the same ports dies, and the server has a new fate."""
        processes = children_of(server)
        if not processes or not _kill_child_of(server, random.choice(processes)):
            return False
        for fates in (self._dies_at, self._dies_starting, self._dies_after):
            fates.pop(server, None)
        return True

    def _is_due(self, name: str, pid: int) -> bool:
        """Each process has a fate of its own: to die while it starts, or after some work."""
        dies_starting = self._dies_starting.setdefault(pid, random.random() < DIES_STARTING)
        if not dies_starting and not self._works(name, pid):
            return False
        span = START if dies_starting else LIFE[name]
        now, sent = time.monotonic(), len(self._ledger.sent)
        is_served = name == "server" and not dies_starting
        dies_after = self._dies_after.setdefault(pid, sent + random.randint(0, MESSAGES))
        dies_at = self._dies_at.setdefault(
            pid, now + (span if is_served else random.uniform(0, span))
        )
        return now >= dies_at or (is_served and sent >= dies_after)

    def _works(self, name: str, pid: int) -> bool:
        """Whether it does its work already, and does not only start."""
        match name:
            case "server":
                return accepts(self._host.address, self._host.SMTP)
            case "worker":
                return (self._host.home / "run" / f"worker-{pid}.alive").exists()
            case _:
                return True

    def _kill_supervisor(self) -> None:
        self._host.daemon.kill()

    def _start_again(self, kill: Callable[[], None]) -> bool:
        kill()
        begun = time.monotonic()
        self._host.start(60)
        self.longest_start = max(self.longest_start, time.monotonic() - begun)
        return True

    def _kill_postgres(self) -> bool:
        assert self._postgres
        self._postgres.kill()
        time.sleep(random.uniform(0, 2))
        for _ in range(20):
            try:
                self._postgres.start()
            except StartFailed:
                # Backends of the one before still hold its shared memory.
                time.sleep(0.25)
            else:
                return True
        raise AssertionError("PostgreSQL does not come back")

    def _kill_backend(self) -> bool:
        """One backend dies of SIGKILL: PostgreSQL ends all others and recovers by itself."""
        assert self._postgres
        postmaster = self._postgres.daemon.process.pid
        backends = [
            pid
            for pid in children_of(postmaster)
            if b" mailhost " in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        return bool(backends) and _kill_child_of(postmaster, random.choice(backends))

    def _kill_redis(self) -> bool:
        assert self._redis
        self._redis.kill()
        time.sleep(random.uniform(0, 2))
        self._redis.start()
        return True


def _stat(pid: int) -> tuple[str, int]:
    """A process's state and its parent; "Z" for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "Z", 0
    return fields[0], int(fields[1])


def _kill_child_of(parent: int, pid: int) -> bool:
    state, its_parent = _stat(pid)
    if state == "Z" or its_parent != parent:
        return False
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _stat(pid)[0] == "Z" or _stat(pid)[1] != parent, "a death", 20, 0.01)
    return True


def children_of(parent: int) -> list[int]:
    return [pid for pid in _pids() if _stat(pid)[1] == parent]


def of_home(home: Path) -> dict[int, str]:
    """Processes that were started for this home and still run, with what they are."""
    wanted = f"MAILHOST_HOME={home}\0".encode()
    found = {}
    for pid in _pids():
        try:
            if wanted in Path(f"/proc/{pid}/environ").read_bytes() and _stat(pid)[0] != "Z":
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                found[pid] = command.replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def _pids() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
