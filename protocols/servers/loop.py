"""The reactor of a server process: Twisted's own, without a context for each event.

Twisted names the owner of whatever is logged while a socket is served. Nothing of ours logs through
it, and to make that context takes a tenth of a POP3 session's CPU.
"""

import contextlib
import select
from typing import Any

import structlog
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.internet.main import installReactor

log = structlog.get_logger(__name__)


def install() -> None:
    """Make this the process's reactor, where there is epoll and no reactor yet."""
    if hasattr(select, "epoll"):
        with contextlib.suppress(ReactorAlreadyInstalledError):
            # Twisted says nothing of types here.
            put: Any = installReactor
            put(make())


def make() -> Any:
    """Such a reactor; only where there is epoll."""
    from twisted.internet.epollreactor import EPollReactor

    class Reactor(EPollReactor):
        def doPoll(self, timeout: float | None) -> None:
            selectables = self._selectables
            serve: Any = self._doReadOrWrite
            for fd, event in self._poller.poll(timeout, len(selectables)):
                # One served before it may have closed it.
                if (selectable := selectables.get(fd)) is not None:
                    try:
                        serve(selectable, fd, event)
                    except Exception:
                        log.exception("socket_failed")

        # What the main loop calls.
        doIteration = doPoll

    made: Any = Reactor
    return made()
