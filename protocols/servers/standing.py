"""End open sessions whose login no longer holds: revoked, suspended, removed, a new password.

The directory's version says whether anything has changed; only then are the logins of this
process's sessions asked about.
"""

from functools import partial

import structlog
from twisted.internet.task import LoopingCall

from accounts import login
from accounts.directory import version
from accounts.login import Identity
from protocols.servers.runtime import Runtime

log = structlog.get_logger(__name__)

# Seconds. A session ends so long after its login at most, and what the version is trusted for.
INTERVAL = 5.0
# Looks after a change: who was logging in meanwhile may have been let in by what held before.
LOOKS = 2


class Standing:
    """One a process. Everything but `_ask` is called on the reactor thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._watch = LoopingCall(self.look)
        self._watch.clock = runtime.reactor
        self._is_asking = False
        self._version: int | None = None
        self._looks_left = 0

    def start(self) -> None:
        self._watch.start(INTERVAL, now=False)

    def stop(self) -> None:
        if self._watch.running:
            self._watch.stop()

    def look(self) -> None:
        """Ask, unless the last question is still open."""
        if not self._is_asking:
            self._is_asking = True
            seen = (each.identity for each in self._runtime.connections)
            identities = {identity for identity in seen if identity is not None}
            self._runtime.pool.submit(partial(self._ask, identities))

    def _ask(self, identities: set[Identity]) -> None:
        fallen: set[Identity] = set()
        try:
            known = version.current()
            if known != self._version:
                self._version, self._looks_left = known, LOOKS
            if self._looks_left:
                fallen = login.fallen(identities)
                self._looks_left -= 1
        finally:
            self._runtime.way_back.post(partial(self._end, fallen))

    def _end(self, fallen: set[Identity]) -> None:
        self._is_asking = False
        for connection in list(self._runtime.connections):
            if connection.identity in fallen:
                log.info("session_ended", peer=connection.peer.address)
                connection.stop()
