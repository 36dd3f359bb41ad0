"""Carry notices of changes from process to process: by unix datagrams, or by Redis.

Every process that watches something binds `HOME/run/notices/<pid>-<n>.sock`; senders write to every
socket in that directory. Where processes may stand on several machines (a database server and
`MAILHOST_REDIS_URL`) a notice is a Redis publication instead. Sending never blocks the caller.
"""

import atexit
import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections

log = logging.getLogger(__name__)

POLL_SECONDS = 15.0
# An AF_UNIX address is limited to 108 octets on Linux.
_LONGEST_ADDRESS = 100
# A directory's time stamp is no finer than a clock tick of the kernel.
_STAMP_SETTLES_NS = 100_000_000

# The mailbox, the folder (0: the list of folders) and its MODSEQ.
Notice = tuple[int, int, int]
Receive = Callable[[int, int, int], None]


def send(changed: Sequence[Notice]) -> None:
    """Tell the other processes, as far as they can be reached at once."""
    if _uses_redis():
        # Late: most hosts have no Redis of their own, and its library takes a tenth of a start.
        from accounts.mailstore import redis_notices

        redis_notices.send(changed)
    else:
        _datagrams.send([b"%d %d %d" % notice for notice in changed])


class Listener(threading.Thread):
    """Receives other processes' notices, and calls `poll` every POLL_SECONDS."""

    def __init__(self, receive: Receive, poll: Callable[[], None]) -> None:
        super().__init__(name="notices", daemon=True)
        self.pid = os.getpid()
        self._receive = receive
        self._poll = poll
        self._next_poll = time.monotonic() + POLL_SECONDS
        self._has_redis = True
        # Bound before anybody waits for a notice, so that none published later is missed.
        self._socket = None if _uses_redis() else _bind()

    def run(self) -> None:
        while True:
            try:
                if self._socket is None:
                    self._listen_to_redis()
                else:
                    self._listen_to_datagrams(self._socket)
            except Exception:
                # This thread must outlive every failure.
                log.exception("the listener for notices starts again")
                time.sleep(1)

    def _listen_to_datagrams(self, listening: socket.socket) -> None:
        while True:
            listening.settimeout(max(0.001, self._seconds_to_poll()))
            with contextlib.suppress(TimeoutError):
                self._read(listening.recv(256))
            self._poll_if_due()

    def _listen_to_redis(self) -> None:
        from accounts.mailstore import redis_notices

        try:
            for notice in redis_notices.received(self._seconds_to_poll):
                if notice is redis_notices.SUBSCRIBED:
                    # What was published before we were heard of is found by looking.
                    self._has_redis = True
                    self._next_poll = time.monotonic()
                elif notice:
                    self._read(notice)
                self._poll_if_due()
        except redis_notices.Away as error:
            if self._has_redis:
                log.warning("Redis carries no notices now, so we poll: %s", error)
            self._has_redis = False
            self._poll_if_due()
            time.sleep(1)

    def _read(self, notice: bytes) -> None:
        try:
            mailbox_id, folder_id, modseq = map(int, notice.split()[:3])
        except ValueError:
            log.warning("not a notice: %r", notice)
        else:
            self._receive(mailbox_id, folder_id, modseq)

    def _seconds_to_poll(self) -> float:
        return max(0.0, self._next_poll - time.monotonic())

    def _poll_if_due(self) -> None:
        if self._seconds_to_poll() > 0:
            return
        self._next_poll = time.monotonic() + POLL_SECONDS
        close_old_connections()
        try:
            self._poll()
        except DatabaseError:
            log.warning("the poll for changes failed", exc_info=True)


def _uses_redis() -> bool:
    return bool(settings.MAILHOST.redis_url) and not settings.MAILHOST.is_embedded


def _directory() -> Path:
    return _directory_in(settings.HOME)


# To put a path together takes longer than to send a notice.
@lru_cache(maxsize=4)
def _directory_in(home: str | Path) -> Path:
    return Path(home) / "run" / "notices"


@lru_cache(maxsize=1000)
def _address(directory: Path, name: str) -> str:
    """The socket's address, short enough for the kernel."""
    plain = str(directory / name)
    if len(os.fsencode(plain)) <= _LONGEST_ADDRESS:
        return plain
    # Through an open handle of the directory the address stays short (Linux).
    if directory not in _handles:
        _handles[directory] = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{_handles[directory]}/{name}"


_handles: dict[Path, int] = {}


def _bind() -> socket.socket:
    directory = _directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.sock"
    listening.bind(_address(directory, name))
    _datagrams.own_names.add(name)
    atexit.register(_unlink, directory / name)
    return listening


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


class _Datagrams:
    """Sends to every other process's socket; reads the directory again when it has changed."""

    def __init__(self) -> None:
        self.own_names: set[str] = set()
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._stamp: tuple[Path, int] | None = None
        self._names: list[str] = []

    def send(self, changed: Sequence[bytes]) -> None:
        directory = _directory()
        with self._lock:
            try:
                self._refresh(directory)
            except FileNotFoundError:
                return
            for name in self._names:
                if name not in self.own_names:
                    for notice in changed:
                        self._send_to(directory, name, notice)

    def _refresh(self, directory: Path) -> None:
        stamp = os.stat(directory).st_mtime_ns
        if self._stamp != (directory, stamp):
            self._names = [name for name in os.listdir(directory) if name.endswith(".sock")]
            # A socket bound within the same clock tick would not change the stamp again.
            is_settled = time.time_ns() - stamp > _STAMP_SETTLES_NS
            self._stamp = (directory, stamp) if is_settled else None

    def _send_to(self, directory: Path, name: str, notice: bytes) -> None:
        try:
            self._socket.sendto(notice, _address(directory, name))
        except (ConnectionRefusedError, FileNotFoundError):
            # Its process died without cleaning up.
            _unlink(directory / name)
        except OSError:
            # A full buffer, above all: that process polls.
            log.debug("notice to %s not sent", name, exc_info=True)


_datagrams = _Datagrams()
