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
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from accounts import effects

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
        _redis_outbox.put(changed)
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
            except redis.RedisError as error:
                if self._has_redis:
                    log.warning("Redis carries no notices now, so we poll: %s", error)
                self._has_redis = False
                self._poll_if_due()
                time.sleep(1)
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
        own = _redis_outbox.sender.encode()
        with _redis() as client, client.pubsub() as pubsub:
            pubsub.subscribe(_channel())
            while True:
                message = pubsub.get_message(timeout=self._seconds_to_poll())
                if message is None:
                    pass
                elif message["type"] == "subscribe":
                    # What was published before we were heard of is found by looking.
                    self._has_redis = True
                    self._next_poll = time.monotonic()
                elif not message["data"].endswith(own):
                    self._read(message["data"])
                self._poll_if_due()

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


class _RedisOutbox:
    """The newest MODSEQ of each folder that Redis has not heard; sent off the caller's thread."""

    def __init__(self) -> None:
        self._token = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._waiting: dict[tuple[int, int], int] = {}

    @property
    def sender(self) -> str:
        """Tells this process from all others; a forked child is another."""
        return f"{self._token}-{os.getpid()}"

    def put(self, changed: Sequence[Notice]) -> None:
        with self._lock:
            for mailbox_id, folder_id, modseq in changed:
                self._waiting[mailbox_id, folder_id] = modseq
        # A lane of its own: nudges pause, and may wait for a broker.
        effects.soon("notices", self._flush, lane="publications")

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        channel, sender = _channel(), self.sender
        try:
            with _redis() as client, client.pipeline(transaction=False) as pipeline:
                for (mailbox_id, folder_id), modseq in waiting.items():
                    pipeline.publish(channel, f"{mailbox_id} {folder_id} {modseq} {sender}")
                pipeline.execute()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            # Whoever waits for it polls.
            log.warning("notices: Redis does not take them: %s", error)


_redis_outbox = _RedisOutbox()


def _channel() -> str:
    """Redis has channels for the whole server: the database's number keeps two Mailhosts apart."""
    number = urlsplit(settings.MAILHOST.redis_url).path.strip("/") or "0"
    return f"mailhost:{number}:notices"


def _redis() -> "redis.Redis":
    return redis.Redis.from_url(
        settings.MAILHOST.redis_url, socket_timeout=POLL_SECONDS + 5, socket_connect_timeout=5
    )
