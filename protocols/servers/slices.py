"""A long answer, read from its session a slice at a time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

# A slice ends at the first of these, so that no peer holds a pool thread or much memory. Whoever
# takes what it is told gets more at a time: each slice costs two changes of the thread at work.
SLICE_ITEMS = 1000
SLICE_OCTETS = 1 << 18
MOST_SLICE_OCTETS = 1 << 20
SLICE_SECONDS = 0.03
# Slices read before the peer has taken them, and at most so many in one go.
AHEAD = 1
IN_ONE_GO = 8

_END = object()


@dataclass(slots=True)
class Slice:
    """Some items to push and, when it is the last slice, the reply."""

    pushes: list[Any]
    reply: Any
    is_last: bool


class Slices:
    """An iterator whose last item is the reply.

    Whoever makes one pulls at once. It is pulled and closed in the session pool, by one thread at a
    time, which goes on while the peer takes what it is told: to be sent for each slice would cost
    a hop and often another thread, whose database connection is cold.
    """

    __slots__ = (
        "_fail",
        "_guard",
        "_held",
        "_is_over",
        "_is_pulled",
        "_items",
        "_octets",
        "_pulls",
        "_untaken",
        "waiting",
    )

    def __init__(self, items: Iterator[Any], fail: Callable[[], Any]) -> None:
        """`fail` logs the exception being handled and gives the reply that tells of it."""
        self._items = items
        self._fail = fail
        self._held = _END
        self._guard = Lock()
        self._is_pulled = True
        self._is_over = False
        self._octets = SLICE_OCTETS
        self._untaken = 0
        self._pulls = 0
        # Read, while the peer does not read; touched on the reactor thread only.
        self.waiting: list[Slice] = []

    def pulled(self, part: Slice) -> bool:
        """Count a slice before it is handed over; whether whoever pulls is to go on."""
        with self._guard:
            if not self._untaken:
                self._octets = min(2 * self._octets, MOST_SLICE_OCTETS)
            self._untaken += 1
            self._pulls += 1
            self._is_over |= part.is_last
            self._is_pulled = not (
                self._is_over or self._untaken > AHEAD or self._pulls % IN_ONE_GO == 0
            )
            return self._is_pulled

    def taken(self) -> bool:
        """A slice is on its way to the peer; whether somebody must be sent to pull again."""
        with self._guard:
            self._untaken -= 1
            if self._is_pulled or self._is_over or self._untaken > AHEAD:
                return False
            self._is_pulled = True
            return True

    def stop(self) -> bool:
        """The peer is gone; whether nobody pulls any more, so that it can be closed."""
        with self._guard:
            self._is_over = True
            return not self._is_pulled

    def pull(self) -> Slice:
        """The next slice. An item counts its `len` in octets where it has one."""
        pushes: list[Any] = []
        octets = 0
        until = time.monotonic() + SLICE_SECONDS
        try:
            for item in self._items:
                # One item is held back: only the end tells that it was the reply.
                if self._held is not _END:
                    pushes.append(self._held)
                    octets += len(self._held) if hasattr(self._held, "__len__") else 0
                self._held = item
                if octets >= self._octets or len(pushes) >= SLICE_ITEMS or time.monotonic() > until:
                    return Slice(pushes, None, is_last=False)
        except Exception:  # noqa: BLE001 (`fail` logs it and turns it into a reply)
            if self._held is not _END:
                pushes.append(self._held)
            return Slice(pushes, self._fail(), is_last=True)
        return Slice(pushes, None if self._held is _END else self._held, is_last=True)

    def close(self) -> None:
        """The peer is gone: let the generator free what it holds."""
        close = getattr(self._items, "close", None)
        if close is not None:
            close()
