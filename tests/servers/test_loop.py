"""The reactor of a server process: who is served next when one fails, and in what context."""

import select
import socket
from collections.abc import Iterator

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.python import context
from twisted.python.log import ILogContext

from protocols.servers import loop

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here")


class Reader(FileDescriptor):
    """Counts what it is asked to do; `fails` where its end is told."""

    def __init__(self, reactor: object, sock: socket.socket, *, fails: bool = False) -> None:
        super().__init__(reactor)
        self.sock = sock
        self.fails = fails
        self.read = b""
        self.systems: list[str] = []
        self.startReading()

    def fileno(self) -> int:
        return self.sock.fileno()

    def logPrefix(self) -> str:
        return "a reader"

    def doRead(self) -> Exception | None:
        self.systems.append((context.get(ILogContext) or {}).get("system", "-"))
        self.read += self.sock.recv(100)
        return ConnectionError("broken") if self.fails else None

    def connectionLost(self, reason: object) -> None:
        raise RuntimeError("and it cannot even end")


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(2)]
    yield made
    for pair in made:
        for each in pair:
            each.close()


def test_a_failure_takes_nobody_else_his_turn(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    reactor = loop.make()
    readers = [Reader(reactor, ours, fails=True) for ours, _ in pairs]
    for _, theirs in pairs:
        theirs.send(b"x")
    reactor.doIteration(1)
    assert [reader.read for reader in readers] == [b"x", b"x"]


def test_no_event_has_a_context_of_its_own(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    reactor = loop.make()
    reader = Reader(reactor, pairs[0][0])
    pairs[0][1].send(b"x")
    reactor.doIteration(1)
    assert reader.systems == ["-"]
    reactor.removeAll()


def test_what_waits_forever_is_a_wait_without_an_end() -> None:
    reactor = loop.make()
    reactor.callFromThread(lambda: None)
    reactor.doIteration(None)
