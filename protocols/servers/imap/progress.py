"""Tell a client that its long command is under way, and how far it has come (RFC 9585)."""

import time
from collections.abc import Generator
from concurrent.futures import Future, wait
from typing import TypeVar

from protocols.servers.slices import SLICE_SECONDS
from protocols.wire.imap import responses

T = TypeVar("T")

# Seconds. Clients that wait give up after about a minute; more than this nobody reads.
PERIOD = 10.0


def now() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()


class Progress:
    """What is said of one command: nothing for `PERIOD`, then a line each `PERIOD` at most."""

    __slots__ = ("_said_at", "_tag")

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._said_at = now()

    def line(self, done: int, goal: int = 0) -> bytes:
        """The line that is due, else nothing; a `goal` of 0 is not known."""
        # RFC 9585 §4: the goal is above what is done; who is there has no use for a remark.
        if 0 < goal <= done:
            return b""
        at = now()
        if at - self._said_at < PERIOD:
            return b""
        self._said_at = at
        return responses.in_progress(self._tag, done, goal)

    def waiting(self, future: Future[T]) -> Generator[bytes, None, T]:
        """The lines that fall due while a future takes its time; the value is its result."""
        while not wait((future,), timeout=PERIOD).done:
            self._said_at = now()
            yield responses.in_progress(self._tag)
            # The last item of a slice is held back, for it might be the answer: let another be it.
            wait((future,), timeout=2 * SLICE_SECONDS)
            yield b""
        return future.result()
