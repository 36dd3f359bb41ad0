"""A long answer, read from its session a slice at a time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

# A slice ends at the first of these, so that no peer holds a pool thread or much memory.
SLICE_ITEMS = 1000
SLICE_OCTETS = 1 << 20
SLICE_SECONDS = 0.03

_END = object()


@dataclass(slots=True)
class Slice:
    """Some items to push and, when it is the last slice, the reply."""

    pushes: list[Any]
    reply: Any
    is_last: bool


class Slices:
    """An iterator whose last item is the reply. Used in the session pool only."""

    __slots__ = ("_fail", "_held", "_items")

    def __init__(self, items: Iterator[Any], fail: Callable[[], Any]) -> None:
        """`fail` logs the exception being handled and gives the reply that tells of it."""
        self._items = items
        self._fail = fail
        self._held = _END

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
                if octets >= SLICE_OCTETS or len(pushes) >= SLICE_ITEMS or time.monotonic() > until:
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
