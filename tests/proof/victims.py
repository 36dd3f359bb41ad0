"""Who is killed next: a living process of the instance under test, or the database beneath it.

Only a process that is a child of this instance's supervisor (or a partner this test started) is
ever killed; its parent is asked first, for process ids are used again.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.partners.daemon import StartFailed, accepts, wait_until
from tests.partners.instance import Instance
from tests.partners.postgres import Postgres
from tests.partners.redis import Redis

# How often each is chosen; who is spared while it starts dies less often than that. `up` is the
# supervisor alone, `all` its whole process group.
WEIGHTS = {"server": 100, "worker": 100, "redis": 30, "up": 1, "all": 1}
PARTNER_WEIGHTS = {"postgres": 5, "postgres backend": 5, "redis-server": 10}
# How often a server or worker that is only starting is spared: it should die at work, mostly, after
# up to so many seconds of it.
RIPE = 0.7
LIFE = 2.0


class Killer:
    def __init__(
        self, host: Instance, postgres: Postgres | None = None, redis: Redis | None = None
    ) -> None:
        self._host = host
        self._postgres = postgres
        self._redis = redis
        self.killed: Counter[str] = Counter()
        self.longest_start = 0.0
        self._spared_until: dict[int, float] = {}
        self._weights: Mapping[str, int] = WEIGHTS
        if postgres:
            self._weights = {
                **{k: v for k, v in WEIGHTS.items() if k != "redis"},
                **PARTNER_WEIGHTS,
            }

    def kill_one(self) -> None:
        """Kill something; whatever is not started again by the supervisor is started here."""
        deaths: dict[str, Callable[[], bool]] = {
            "up": lambda: self._start_again(self._kill_supervisor),
            "all": lambda: self._start_again(self._host.kill),
            "postgres": self._kill_postgres,
            "postgres backend": self._kill_backend,
            "redis-server": self._kill_redis,
        }
        deadline = time.monotonic() + 60
        while True:
            victim = random.choices(list(self._weights), list(self._weights.values()))[0]
            if (
                victim in ("server", "worker")
                and random.random() < RIPE
                and not self._works(victim)
            ):
                time.sleep(0.2)
                continue
            kill = deaths.get(victim)
            if kill() if kill else self._kill_child(victim):
                self.killed[victim] += 1
                return
            assert time.monotonic() < deadline, "nothing is left to kill: who restarts them?"
            time.sleep(0.05)

    def _works(self, name: str) -> bool:
        """Whether it has done its work for a while, and does not only start."""
        try:
            pid = self._host.children()[name]
        except (KeyError, OSError):
            return False
        if name == "server":
            works = accepts(self._host.address, self._host.SMTP)
        else:
            works = (self._host.home / "run" / f"worker-{pid}.alive").exists()
        if not works:
            return False
        until = self._spared_until.setdefault(pid, time.monotonic() + random.uniform(0, LIFE))
        return time.monotonic() >= until

    def _kill_child(self, name: str) -> bool:
        try:
            pid = self._host.children()[name]
        except (KeyError, OSError):
            return False
        return _kill_child_of(self._host.daemon.process.pid, pid)

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
