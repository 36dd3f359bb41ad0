"""A terminal of our own: the program started in it hears when it hangs up."""

import fcntl
import os
import signal
import termios


class PseudoTerminal:
    """One end is ours; `take` and `take_as_nohup` are for a child that leads a new session."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()

    def take(self) -> None:
        """In the child: belong to this terminal from here on."""
        # Who runs the suite may ignore its own.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        fcntl.ioctl(self._theirs, termios.TIOCSCTTY, 0)

    def take_as_nohup(self) -> None:
        """In the child: belong to it, and do not mind its end."""
        self.take()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def hang_up(self) -> None:
        """The kernel tells the group in front."""
        for end in (self._theirs, self._ours):
            os.close(end)
