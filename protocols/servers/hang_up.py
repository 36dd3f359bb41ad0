"""What SIGHUP means: the terminal is gone, or an operator hopes that something is read again."""

import os
import signal
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


def answer_to_hang_up(stop: Callable[[int, FrameType | None], object]) -> Handler:
    """The handler for SIGHUP, asked for before anything else sets one.

    A program in a terminal stops when that hangs up. Without a terminal SIGHUP asks a daemon to
    read its files again: there is nothing to do, as new certificates are seen without it. What was
    started to ignore it (`nohup`, or a child that its parent minds) goes on ignoring it.
    """
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return signal.SIG_IGN if is_ignored or not _has_terminal() else stop


def leave_it_to_the_parent() -> None:
    """In a child, just forked: the terminal tells the whole group, and the parent stops us in turn.

    It stays so in the program that the child becomes.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _has_terminal() -> bool:
    """Whether this process belongs to a terminal, whatever its output goes to."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
