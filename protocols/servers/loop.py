"""The reactor of a server process: Twisted's own, with less around each event.

Twisted names the owner of whatever is logged while a socket is served. Nothing of ours logs through
it, and to make that context takes a tenth of a POP3 session's CPU.

And it does not always sleep until the next event (`Vigil`).
"""

import contextlib
import select
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import structlog
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.internet.main import installReactor

log = structlog.get_logger(__name__)

Events: TypeAlias = list[tuple[int, int]]

# Seconds: a wait so short may foretell another, for which it looks so long before it sleeps.
SHORT = 150e-6
LOOK = 60e-6
# Short waits in a row that do foretell it. An APPEND has two, and then its commit has the word: a
# thread that looks about would only disturb it.
SHORT_WAITS = 3


def install() -> None:
    """Make this the process's reactor, where there is epoll and no reactor yet."""
    if hasattr(select, "epoll"):
        with contextlib.suppress(ReactorAlreadyInstalledError):
            # Twisted says nothing of types here.
            put: Any = installReactor
            put(make())


class Vigil:
    """Waits for events, and for a moment with open eyes where they follow each other closely.

    Who was answered often asks again at once. A processor of a virtual machine that sleeps
    meanwhile takes some twenty microseconds to wake, and as much work as to look in between.
    """

    def __init__(
        self,
        poll: Callable[[float | None, int], Events],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._poll = poll
        self._clock = clock
        self._short_waits = 0

    def wait(self, timeout: float | None, at_most: int) -> Events:
        """The next events, none when `timeout` seconds are over."""
        if timeout == 0:
            return self._poll(timeout, at_most)
        begun = self._clock()
        if self._short_waits >= SHORT_WAITS:
            while self._clock() - begun < LOOK:
                if events := self._poll(0, at_most):
                    return events
            self._short_waits = 0
        events = self._poll(timeout, at_most)
        if self._clock() - begun < SHORT:
            self._short_waits += 1
        else:
            self._short_waits = 0
        return events


def make() -> Any:
    """Such a reactor; only where there is epoll."""
    from twisted.internet.epollreactor import EPollReactor

    class Reactor(EPollReactor):
        wait_for_events: Callable[[float | None, int], Events]

        def doPoll(self, timeout: float | None) -> None:
            selectables = self._selectables
            serve: Any = self._doReadOrWrite
            for fd, event in self.wait_for_events(timeout, len(selectables)):
                # One served before it may have closed it.
                if (selectable := selectables.get(fd)) is not None:
                    try:
                        serve(selectable, fd, event)
                    except Exception:
                        log.exception("socket_failed")

        # What the main loop calls.
        doIteration = doPoll

    made: Any = Reactor
    reactor = made()
    reactor.wait_for_events = Vigil(reactor._poller.poll).wait
    return reactor
