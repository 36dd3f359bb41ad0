"""Keep the reactor's and the committer's thread of a process on one processor.

The two have one interpreter between them and never compute at once, but pass everything to and
fro. On two processors each finds nothing where it left it: all that the other has touched must come
across, which takes as long again as the work itself (decision 0024). What waits for the database or
hashes a password lets go of the interpreter, and stays free to run anywhere.
"""

import os
from collections.abc import Collection
from contextlib import suppress
from threading import Thread

import structlog

from accounts import commit

log = structlog.get_logger(__name__)

# What this process may use at all; empty as long as no thread of it is kept anywhere.
_usable: frozenset[int] = frozenset()


def own_processor(place: int, count: int, usable: Collection[int] | None = None) -> int | None:
    """Which processor the process at that place, of so many, may keep to.

    None where they do not have one each or are fewer than the processors: then the kernel, which
    knows what else runs here, chooses better.
    """
    if usable is None:
        usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    if len(usable) < 2 or count != len(usable):
        return None
    return sorted(usable)[place]


def keep_to(processor: int) -> None:
    """Keep the calling thread, the reactor's, and the committer's to a processor."""
    global _usable
    usable = frozenset(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, {processor})
    except OSError as error:
        # Only slower: some containers do not let a thread choose.
        log.info("processor_not_kept", processor=processor, error=str(error))
        return
    _usable = usable
    commit.keep_to(processor)


def roam() -> None:
    """Let the calling thread run anywhere: it began where the thread stood that started it."""
    if _usable:
        with suppress(OSError):
            os.sched_setaffinity(0, _usable)


class Roaming(Thread):
    """A thread that may run anywhere."""

    def run(self) -> None:
        roam()
        super().run()
