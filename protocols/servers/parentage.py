"""Processes that never outlive their parent: the kernel kills them when it dies."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Bind this process, just forked, to its parent of that process id.

    The kernel's "parent" is the thread that forked: only a main thread may.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the kernel was told.
    if os.getppid() != parent:
        os._exit(1)
