"""Start a program, wait until it answers, stop it by its own process id."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class StartFailed(AssertionError):
    """The program did not come up; the text holds the end of its log."""


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = 20, pause: float = 0.05
) -> None:
    """Poll until `condition` holds; fail naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)


def accepts(address: str, port: int) -> bool:
    """Whether something listens there now."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


class Daemon:
    """A child process with a log file, in a process group of its own.

    `clean` gives it `env` alone instead of adding that to ours; `prepare` is called in the child
    before it becomes the program. It does not outlive the thread that
    started it, however that ends.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        clean: bool = False,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**({} if clean else os.environ), **(env or {})},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=partial(_begin, prepare),
            )

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Wait until it is ready; raises StartFailed with its log when it is not."""
        deadline = time.monotonic() + seconds
        while not condition():
            code = self.process.poll()
            if code is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-4000:]
                self.stop()
                why = f"ended with {code}" if code is not None else f"not within {seconds:g} s"
                raise StartFailed(f"{what}: {why}\n{tail}")
            time.sleep(0.05)

    def stop(self, seconds: float = 20) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _begin(prepare: Callable[[], None]) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    prepare()


def let_others_enter(directory: Path) -> None:
    """Let daemons that give root up reach a directory below pytest's private one."""
    for path in [directory, *directory.parents]:
        mode = path.stat().st_mode
        if path.owner() == "root" and not mode & 0o001:
            path.chmod(mode | 0o011)
