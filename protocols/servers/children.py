"""Several server processes behind the same ports: the parent forks them and keeps them running.

The kernel spreads new connections over the children (SO_REUSEPORT). The parent holds the ports
bound, without listening, so that they stay ours while a child is started again. A child never
outlives its parent, however that dies: the ports would stay with a server that nobody minds.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from protocols.servers.hang_up import answer_to_hang_up, leave_it_to_the_parent
from protocols.servers.parentage import die_with

log = structlog.get_logger(__name__)

# A child gets this long to end before it is killed; a dead one is started again after the pause.
STOP_SECONDS = 12.0
PAUSE = 1.0


class Children:
    """`count` copies of this process, each running `serve(place, when_ready)`, places from 0."""

    def __init__(self, count: int, serve: Callable[[int, Callable[[], None]], None]) -> None:
        self._count = count
        self._serve = serve
        self._pids: dict[int, int] = {}  # process id → place
        self._is_stopping = False

    def run(self, when_ready: Callable[[], None]) -> int:
        """Stay until SIGTERM, SIGINT or the terminal's end; returns the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGHUP, answer_to_hang_up(self._asked_to_stop))
        ready = [self._start(place) for place in range(self._count)]
        if not all(_is_told(pipe) for pipe in ready) and not self._is_stopping:
            log.error("a_server_process_did_not_start")
            self._stop_all()
            self._reap_all()
            return 1
        if not self._is_stopping:
            when_ready()
        while not self._is_stopping:
            self._mind()
        self._reap_all()
        return 0

    def _start(self, place: int) -> int:
        """Fork one; returns the pipe on which it tells that it is ready."""
        reading, writing = os.pipe()
        # A child that is told to stop before it can listen to that must die of it, and not do as
        # its parent does.
        asked = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, {*asked, signal.SIGHUP})
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            die_with(parent)
            for number in asked:
                signal.signal(number, signal.SIG_DFL)
            leave_it_to_the_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*asked, signal.SIGHUP})
        if pid:
            os.close(writing)
            self._pids[pid] = place
            return reading
        os.close(reading)
        status = 1
        try:
            self._serve(place, lambda: _tell(writing))
            status = 0
        except BaseException:
            log.exception("server_process_failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _mind(self) -> None:
        """Wait for a child to die, and start it again."""
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pid, status = 0, 0
        if not pid:
            time.sleep(0.1)
            return
        place = self._pids.pop(pid, None)
        if place is None or self._is_stopping:
            return
        log.error("server_process_ended", pid=pid, status=os.waitstatus_to_exitcode(status))
        time.sleep(PAUSE)
        if not self._is_stopping:
            os.close(self._start(place))

    def _asked_to_stop(self, number: int, frame: object) -> None:
        self._stop_all()

    def _stop_all(self) -> None:
        self._is_stopping = True
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _reap_all(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        while self._pids and time.monotonic() < until:
            with suppress(ChildProcessError):
                pid, _status = os.waitpid(-1, os.WNOHANG)
                self._pids.pop(pid, None)
                if pid:
                    continue
            time.sleep(0.05)
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _tell(pipe: int) -> None:
    with suppress(OSError):
        os.write(pipe, b"1")
    os.close(pipe)


def _is_told(pipe: int) -> bool:
    """Wait for a child's word; False when it ended without one."""
    try:
        while not select.select([pipe], [], [], 0.5)[0]:
            pass
        return os.read(pipe, 1) == b"1"
    finally:
        os.close(pipe)
