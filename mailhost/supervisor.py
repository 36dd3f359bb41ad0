"""Run the platform's processes: start them, relay their logs, start them again, stop them.

A child never outlives the supervisor: the kernel kills it when the supervisor dies, however that
happens. A child that dies is started again, after a pause that doubles while it keeps dying young
of its own accord; being killed from outside says nothing about it.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from protocols.servers.hang_up import answer_to_hang_up, leave_it_to_the_parent
from protocols.servers.parentage import die_with

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
# Whoever ran this long was well: its next pause is short again.
WELL_AFTER = 5.0
LOG_SIZE = 10 << 20
LOG_FILES = 4
# Log lines are relayed together, those of this many seconds at a time (or of a full read): to be
# woken up for each of them would cost a busy server a tenth of its CPU time.
RELAY_PAUSE = 0.02
RELAY_SIZE = 64 << 10
# What has no end by then is passed on as it is.
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Program:
    """What to run; `stop_seconds` is how long it may take to end after SIGTERM.

    The others lean on a foundation, so it is started first and stopped last. What a quiet program
    says goes to its log file alone.
    """

    name: str
    command: Sequence[str]
    stop_seconds: float = 20.0
    is_foundation: bool = False
    is_quiet: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One program and the process that runs it now."""

    def __init__(self, program: Program, home: Path, workdir: Path) -> None:
        self.program = program
        self._home = home
        self._workdir = workdir
        self._log = _open_log(home / "logs" / f"{program.name}.log", program)
        self._pause = FIRST_PAUSE
        self._started_at = 0.0
        self._start_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        # Only the main thread may start children: the kernel's "parent" is the thread.
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603
            self.program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._workdir,
            env={**os.environ, **self.program.environment},
            preexec_fn=partial(_mind_the_parent, os.getpid()),
        )
        assert self._process.stdout
        name = f"log-{self.program.name}"
        self._reader = threading.Thread(
            target=self._relay, args=(self._process.stdout,), name=name, daemon=True
        )
        self._reader.start()

    def look(self) -> bool:
        """Notice a death and start again when it is time; True when the process id changed."""
        if self._process is not None and self._process.poll() is not None:
            self._note_death(self._process.pid, self._process.returncode)
            self._process = None
            return True
        if self._process is None and time.monotonic() >= self._start_at:
            self.start()
            return True
        return False

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it when that takes longer than `seconds`."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.say(f"did not end within {seconds:.0f} s and is killed")
            self._process.kill()
            self._process.wait()
        self._hear_out()

    def say(self, text: str) -> None:
        self._write(f"supervisor: {self.program.name} {text}")

    def _hear_out(self) -> None:
        """Let the last words of a process that ended be relayed before anything is said of it."""
        if self._reader is not None:
            # A child of its own may hold the pipe open for longer.
            self._reader.join(10 * RELAY_PAUSE)

    def _note_death(self, pid: int, returncode: int) -> None:
        # A killed process could not take back what it said about itself.
        for mark in (self._home / "run").glob(f"{self.program.name}-{pid}.*"):
            mark.unlink(missing_ok=True)
        self._hear_out()
        now = time.monotonic()
        was_killed = returncode == -signal.SIGKILL
        if was_killed or now - self._started_at >= WELL_AFTER:
            self._pause = FIRST_PAUSE
        self._start_at = now + self._pause
        how = f"signal {-returncode}" if returncode < 0 else f"status {returncode}"
        self.say(f"ended with {how}; it starts again in {self._pause:g} s")
        if not was_killed:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _relay(self, stream: IO[bytes]) -> None:
        rest = b""
        with stream:
            while octets := os.read(stream.fileno(), RELAY_SIZE):
                lines, newline, rest = (rest + octets).rpartition(b"\n")
                if not newline and len(rest) > LONGEST_LINE:
                    lines, newline, rest = rest, b"\n", b""
                if newline:
                    self._write(lines.decode(errors="replace"))
                if len(octets) < RELAY_SIZE:
                    time.sleep(RELAY_PAUSE)
            if rest:
                self._write(rest.decode(errors="replace"))

    def _write(self, lines: str) -> None:
        self._log.info("%s", lines)


class _Prefixed(logging.Formatter):
    """Puts the program's name before each of the lines that come together."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        return self._prefix + record.getMessage().replace("\n", f"\n{self._prefix}")


class Supervisor:
    """All children of one home."""

    def __init__(self, programs: Sequence[Program], home: Path, workdir: Path) -> None:
        self._home = home
        ordered = sorted(programs, key=lambda program: not program.is_foundation)
        self._children = [Child(program, home, workdir) for program in ordered]
        self._stopping = threading.Event()

    def run(self, *, is_ready: Callable[[], bool], when_ready: Callable[[], None]) -> None:
        """Start all, stay until SIGINT, SIGTERM or the terminal's end, then stop all."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGHUP, answer_to_hang_up(self._asked_to_stop))
        try:
            for child in self._children:
                child.start()
            is_noted = self._note_children()
            has_told = False
            while not self._stopping.wait(0.1):
                changed = [child for child in self._children if child.look()]
                if changed or not is_noted:
                    is_noted = self._note_children()
                if not has_told and is_ready():
                    has_told = True
                    when_ready()
        finally:
            self._stop()

    def _asked_to_stop(self, number: int, frame: object) -> None:
        if self._stopping.is_set() and number == signal.SIGINT:
            # A second Ctrl-C: the reader does not want to wait. The kernel takes the children.
            os._exit(130)
        self._stopping.set()

    def _stop(self) -> None:
        for is_foundation in (False, True):
            group = [c for c in self._children if c.program.is_foundation is is_foundation]
            for child in group:
                child.terminate()
            begun = time.monotonic()
            for child in group:
                child.wait(child.program.stop_seconds - (time.monotonic() - begun))
        (self._home / "run" / "children.json").unlink(missing_ok=True)

    def _note_children(self) -> bool:
        """Write down who is who; whether that was possible. On a full disk all goes on without."""
        path = self._home / "run" / "children.json"
        draft = path.with_suffix(".draft")
        pids = {child.program.name: child.pid for child in self._children if child.pid}
        try:
            draft.write_text(json.dumps(pids))
            draft.replace(path)
        except OSError:
            return False
        return True


def _mind_the_parent(parent: int) -> None:
    die_with(parent)
    leave_it_to_the_parent()


def _open_log(path: Path, program: Program) -> logging.Logger:
    """Lines go to a file that is turned over, and with the program's name to standard error."""
    logger = logging.getLogger(f"mailhost.up.{program.name}")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers.clear()
    file = RotatingFileHandler(path, maxBytes=LOG_SIZE, backupCount=LOG_FILES)
    file.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(file)
    if not program.is_quiet:
        screen = logging.StreamHandler(sys.stderr)
        screen.setFormatter(_Prefixed(f"{program.name:>6} │ "))
        logger.addHandler(screen)
    return logger
