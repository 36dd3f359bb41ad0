"""A tiny protocol to test the shell with, and real connections to it.

Its conversation reads lines and hands them out as they are; its session does what they say.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from django.db import OperationalError

from protocols.servers.listeners import Door, Listener, listen, open_socket
from protocols.servers.runtime import Caps, Runtime
from protocols.servers.session import After, Home, Later, Shell, Soon
from protocols.servers.threads import SessionPool
from protocols.wire.conversation import READ_AHEAD, SAY_AHEAD, Pieces
from protocols.wire.receive_buffer import ReceiveBuffer
from tests.transcripts.real import on_reactor, reactor, tls_server


class Lines:
    """A conversation whose events are lines and whose replies are octets."""

    def __init__(self) -> None:
        self.input = ReceiveBuffer()
        self.output = bytearray()
        self.asked: bytes | None = None
        self.is_over = False
        self.wants_tls = False

    @property
    def wants_data(self) -> bool:
        return len(self.input) < READ_AHEAD

    def receive_data(self, data: bytes) -> None:
        if b"break the grammar" in data:
            raise RuntimeError("a bug in the grammar")
        self.input.feed(data)

    @property
    def wants_flush(self) -> bool:
        return len(self.output) > SAY_AHEAD

    def next_event(self) -> bytes | None:
        if self.asked is None and not self.is_over and not self.wants_tls:
            self.asked = self.input.take_line(READ_AHEAD)
            event = self.asked
            if event is not None and event.startswith(b"silent"):
                self.asked = None
            return event
        return None

    def send(self, reply: bytes) -> None:
        assert self.asked is not None
        if reply.endswith(b"unspeakable"):
            raise RuntimeError("a bug in saying it")
        self.is_over = self.asked == b"quit"
        self.wants_tls = self.asked == b"starttls"
        self.asked = None
        self.output += reply + b"\r\n"

    def push(self, response: bytes) -> None:
        self.output += response + b"\r\n"

    def data_to_send(self, limit: int = 1 << 20) -> bytes:
        data = bytes(self.output[:limit])
        del self.output[:limit]
        return data

    def pieces_to_send(self, limit: int = 1 << 20) -> Pieces:
        data = self.data_to_send(limit)
        return [data] if data else []

    def tls_started(self) -> None:
        self.input.clear()
        self.wants_tls = False


class Obedient:
    """A session that does what a line says; it notes in which thread, and when two overlap."""

    idle_timeout = 30.0
    must_log_in = False
    identity = None

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.threads: list[str] = []
        self.heard: set[bytes] = set()
        self.is_closed = threading.Event()
        self.future: Future[bytes] = Future()
        self.go = threading.Event()
        self.reached = threading.Event()
        self.pulled = 0
        self.is_away = False
        self.has_overlapped = False
        self._inside = threading.Lock()

    def greeting(self) -> bytes:
        return b"hello"

    def timed_out(self) -> bytes:
        return b"goodbye"

    def failed(self, event: bytes) -> bytes:
        return b"failed " + event

    @property
    def holds_nothing(self) -> bool:
        return b"quick nothing" in self.heard

    def closed(self) -> None:
        self.is_closed.set()

    def is_quick(self, event: bytes) -> bool:
        return event.startswith((b"quick", b"quit", b"starttls", b"silent", b"bug quick"))

    def handle(self, event: bytes) -> Any:
        self.threads.append(threading.current_thread().name)
        if not self._inside.acquire(blocking=False):
            self.has_overlapped = True
            return b"overlap"
        try:
            return self._obey(event)
        finally:
            self._inside.release()

    def _obey(self, event: bytes) -> Any:
        self.heard.add(event)
        word, _space, rest = event.partition(b" ")
        match word:
            case b"silent":
                return None
            case b"bug":
                raise RuntimeError("a bug in the session")
            case b"future":
                return self.future
            case b"after":
                return After(self.future, lambda got: b"after " + got)
            case b"soon":
                return Soon(self.future, lambda done: b"soon " + done.result())
            case b"home":
                return Home(self.future, self._dressed)
            case b"later":
                return Later(b"late", 0.05)
            case b"wait":
                self.reached.set()
                assert self.go.wait(10)
                return b"waited"
            case b"wake":
                self.shell.wake(self._woken)
                self.shell.wake(self._woken)
                return b"asleep"
            case b"close":
                self.shell.close()
                return b"closing"
            case b"tls":
                return self.shell.tls_description.encode()
            case b"quick" if rest.startswith(b"much "):
                return b"x" * int(rest[5:])
            case b"quick" if rest == b"slow":
                time.sleep(0.02)
            case b"quick" if rest == b"enough":
                time.sleep(0.001)
            case b"pieces":
                count, size = map(int, rest.split())
                return self._pieces(count, size)
            case b"torn":
                return self._torn()
            case b"held":
                return self._held_back()
        return b"ok " + event

    def _dressed(self, done: "Future[bytes]") -> bytes:
        self.threads.append(threading.current_thread().name)
        return b"home " + done.result()

    def _woken(self) -> list[bytes]:
        self.threads.append(threading.current_thread().name)
        if self.is_away:
            raise OperationalError("the database is away")
        return [b"woken"]

    def _pieces(self, count: int, size: int) -> Iterator[bytes]:
        try:
            for _ in range(count):
                self.pulled += 1
                yield b"x" * size
            yield b"end"
        finally:
            self.go.set()

    def _held_back(self) -> Iterator[bytes]:
        self.reached.set()
        assert self.go.wait(10)
        yield b"end"

    def _torn(self) -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("a bug in an iterator")


class Stage:
    """A listener for `Obedient` sessions on a free port, and clients of it."""

    def __init__(self, caps: Caps | None = None, *, implicit_tls: bool = False) -> None:
        self.sessions: list[Obedient] = []
        self.runtime = Runtime(
            reactor, tls_server(), caps=caps or Caps(), pool=SessionPool(4, "kit")
        )
        self._sockets: list[socket.socket] = []
        listener = Listener("pop3", "pop3", "", "", b"full\r\n", implicit_tls=implicit_tls)
        door = Door(self.runtime, listener, self._make)
        sock = open_socket("127.0.0.1", 0)
        self.address = sock.getsockname()
        self._port = on_reactor(listen, reactor, sock, door)

    def _make(self, shell: Shell) -> tuple[Lines, Obedient]:
        session = Obedient(shell)
        self.sessions.append(session)
        return Lines(), session

    def connect(self) -> "Client":
        sock = socket.create_connection(self.address, 10)
        self._sockets.append(sock)
        return Client(sock)

    def look(self, seconds_from_now: float) -> None:
        """Let the watch look as if so much time had passed."""

        def look() -> None:
            for connection in list(self.runtime.connections):
                connection.look(reactor.seconds() + seconds_from_now)

        on_reactor(look)

    def outwait(self) -> None:
        """Let the stall timeout pass until nobody is left."""
        step = self.runtime.caps.stall_timeout + 5
        for times in range(1, 6):
            self.look(times * step)
        until(lambda: not self.runtime.connections)

    def close(self) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.close()
        on_reactor(self._port.stopListening)
        on_reactor(self.runtime.stop)


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._read = b""

    def say(self, *lines: bytes) -> None:
        self.sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def reset(self) -> None:
        """Go without a goodbye, as a crash does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hear(self) -> bytes:
        """The next line, or b"" at the end."""
        while b"\r\n" not in self._read:
            data = self.sock.recv(1 << 16)
            if not data:
                return b""
            self._read += data
        line, _end, self._read = self._read.partition(b"\r\n")
        return line

    def rest(self) -> bytes:
        """All there is up to the end."""
        parts = [self._read]
        while data := self.sock.recv(1 << 16):
            parts.append(data)
        self._read = b""
        return b"".join(parts)

    def ask(self, line: bytes) -> bytes:
        self.say(line)
        return self.hear()


def until(claim: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll until the claim holds."""
    event = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if claim():
            return
        event.wait(0.005)
    raise AssertionError("it has not come true")
