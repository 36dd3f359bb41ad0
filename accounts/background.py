"""Work that nobody waits for, in a thread of its own that lets all others have a processor first.

On Linux each thread has a priority of its own (setpriority(2)), and one that has lowered it may not
raise it again. So the work is not given to a thread of a pool, which would have to do other things
with the low priority afterwards.
"""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TypeVar

from django.db import close_old_connections

from accounts import commit

T = TypeVar("T")

# Beside a thread that wants all of a processor it gets a tenth of it, so it never stands still.
NICENESS = 10


def run(work: Callable[[], T]) -> T:
    """Do this there, and wait for it; one at a time."""
    # A thread begins with the priority of who starts it, and nobody is to wait for a slow commit.
    commit.start()
    return _thread().submit(_on_good_connections, work).result()


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="background", initializer=_step_back)


def _step_back() -> None:
    # Elsewhere a priority is the whole process's.
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            now = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, now + NICENESS)


def _on_good_connections(work: Callable[[], T]) -> T:
    # What Django does around a request: nobody else looks after this thread's connections.
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=_thread.cache_clear)
