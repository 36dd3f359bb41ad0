"""A conversation and its session in memory, driven in one thread: no sockets, no pool.

It also holds sessions to what they promise: a quick event must not ask the database.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import nullcontext
from typing import Any

from django.db import connection

from protocols.servers.listeners import make_of
from protocols.servers.session import After, Again, Home, Later, Peer, Soon
from tests.transcripts.clock import Clock
from tests.transcripts.dialogue import Silence
from tests.transcripts.given import Scene

PATIENCE = 5.0
# For a commit: a disk that others write to may take many seconds, and only a hang is a failure.
PATIENCE_FOR_DISK = 60.0

Wake = Callable[[], Iterable[Any] | None]


class DirectVenue:
    """Connections in memory; `cuts` are the sizes of the pieces octets arrive in, in turn."""

    def __init__(self, scene: Scene, cuts: Iterator[int] | None = None) -> None:
        self.scene = scene
        self._cuts = cuts
        self._wires: list[DirectWire] = []
        self.woken = threading.Condition()
        self.clock = Clock()

    def connect(self) -> "DirectWire":
        wire = DirectWire(self, len(self._wires))
        self._wires.append(wire)
        return wire

    def wait(self, seconds: float) -> None:
        self.deliver_all()
        self.clock.advance(seconds)
        for wire in self._wires:
            wire.look(seconds)

    def deliver_all(self) -> None:
        for wire in self._wires:
            wire.deliver(self._cuts)

    def run_wakes(self) -> None:
        for wire in self._wires:
            wire.run_wakes()

    def end(self) -> list[bytes]:
        """Hang up everywhere; returns what the server said that nobody read."""
        self.deliver_all()
        unread = [wire.unread() for wire in self._wires]
        for wire in self._wires:
            wire.close()
        self.clock.stop()
        return unread


class DirectShell:
    """What a session may ask of its connection."""

    def __init__(self, venue: DirectVenue, number: int) -> None:
        self.peer = Peer.at(venue.scene.peer, 40000 + number)
        self.is_tls = False
        self.tls_description = ""
        self.is_ending = False
        self.wakes: dict[Wake, None] = {}
        self._woken = venue.woken
        if venue.scene.is_tls:
            self.tls_is_on()

    def tls_is_on(self) -> None:
        self.is_tls = True
        self.tls_description = "TLSv1.3 TLS_AES_256_GCM_SHA384"

    def channel_bindings(self) -> dict[str, bytes]:
        return {"tls-server-end-point": b"\x05" * 32} if self.is_tls else {}

    def wake(self, work: Wake) -> None:
        with self._woken:
            self.wakes[work] = None
            self._woken.notify_all()

    def close(self) -> None:
        self.is_ending = True


class DirectWire:
    """A connection as its client sees it."""

    def __init__(self, venue: DirectVenue, number: int) -> None:
        self._venue = venue
        self._shell = DirectShell(venue, number)
        self._incoming = b""
        self._output = b""
        self._is_closed = False
        self._conversation, self._session = make_of(venue.scene.service)(self._shell)
        greeting = self._session.greeting()
        if greeting is not None:
            self._conversation.push(greeting)
        self._pump()

    # The transcript's side.

    def send(self, octets: bytes) -> None:
        self._incoming += octets

    def read_line(self) -> bytes | None:
        self._venue.deliver_all()
        while b"\r\n" not in self._output:
            if self._is_closed:
                rest, self._output = self._output, b""
                return rest or None
            with self._venue.woken:
                if not self._shell.wakes and not self._venue.woken.wait(PATIENCE):
                    raise Silence
            self._venue.run_wakes()
        line, end, self._output = self._output.partition(b"\r\n")
        return line + end

    def start_tls(self) -> None:
        self._venue.deliver_all()
        assert self._conversation.wants_tls, "the server has not agreed to start TLS"
        self._conversation.tls_started()
        self._shell.tls_is_on()
        self._pump()

    def close(self) -> None:
        self._venue.deliver_all()
        if not self._is_closed:
            self._conversation.receive_data(b"")
            self._pump()
            self._hang_up()

    def unread(self) -> bytes:
        return self._output

    # What a shell does.

    def deliver(self, cuts: Iterator[int] | None) -> None:
        """Give the conversation what was sent, in pieces."""
        while self._incoming and not self._is_closed:
            size = len(self._incoming) if cuts is None else next(cuts)
            piece, self._incoming = self._incoming[:size], self._incoming[size:]
            self._conversation.receive_data(piece)
            self._pump()
        self._incoming = b""

    def look(self, waited: float) -> None:
        """Treat the connection as one that was silent for that many seconds."""
        if not self._is_closed and waited > self._session.idle_timeout:
            farewell = self._session.timed_out()
            if farewell is not None:
                self._conversation.push(farewell)
            self._shell.is_ending = True
            self._pump()

    def run_wakes(self) -> None:
        while self._shell.wakes and not self._is_closed:
            work = next(iter(self._shell.wakes))
            del self._shell.wakes[work]
            for response in work() or ():
                self._conversation.push(response)
            self._pump()

    def _pump(self) -> None:
        while not self._shell.is_ending and not self._is_closed:
            event = self._conversation.next_event()
            if event is None:
                break
            self._serve(event)
        while data := self._conversation.data_to_send():
            self._output += data
        if self._conversation.is_over or self._shell.is_ending:
            self._hang_up()

    def _serve(self, event: Any) -> None:
        is_quick = self._session.is_quick(event)
        with connection.execute_wrapper(_refuse) if is_quick else nullcontext():
            answer = self._session.handle(event)
        while isinstance(answer, Future | After | Soon | Home | Later | Again):
            match answer:
                case After(future, then):
                    answer = then(future.result(timeout=PATIENCE_FOR_DISK))
                case Soon(future, then):
                    wait((future,), timeout=PATIENCE_FOR_DISK)
                    answer = then(future)
                case Home(future, then):
                    wait((future,), timeout=PATIENCE_FOR_DISK)
                    with connection.execute_wrapper(_refuse):
                        answer = then(future)
                case Later(reply):
                    answer = reply
                case Again(work):
                    answer = work()
                case Future():
                    answer = answer.result(timeout=PATIENCE_FOR_DISK)
        if isinstance(answer, Iterator):
            *pushes, answer = answer
            for response in pushes:
                self._conversation.push(response)
        if answer is not None:
            self._conversation.send(answer)

    def _hang_up(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._session.closed()


def _refuse(*arguments: object) -> None:
    raise AssertionError("an event that calls itself quick asks the database")
