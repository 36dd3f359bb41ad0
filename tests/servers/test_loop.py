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


class World:
    """A clock, and events that come after so many seconds each from when they are waited for."""

    def __init__(self, *waits: float) -> None:
        self.now = 0.0
        self.waits = list(waits)
        self.comes_at = self.waits.pop(0)
        self.slept: list[bool] = []  # of each event: whether it was slept for

    def clock(self) -> float:
        self.now += 1e-6
        return self.now

    def poll(self, timeout: float | None, at_most: int) -> list[tuple[int, int]]:
        if timeout != 0:
            assert timeout is None
            self.now = max(self.now, self.comes_at)
        if self.now < self.comes_at:
            return []
        self.slept.append(timeout != 0)
        self.comes_at = self.now + self.waits.pop(0) if self.waits else float("inf")
        return [(1, at_most)]


@pytest.mark.parametrize(
    ("waits", "slept"),
    [
        # Microseconds. What comes closely is not slept for, once some have.
        ([20, 20, 20, 20, 20], [True, True, True, False, False]),
        # One that does not is slept for, and the next ones too.
        ([20, 20, 20, 1000, 20], [True, True, True, True, True]),
        ([20, 20, 20, 20, 1000, 20, 20, 20, 20], [True] * 3 + [False] + [True] * 4 + [False]),
        # An APPEND's command and literal, and its commit.
        ([40, 30, 700] * 3, [True] * 9),
        ([1000] * 4, [True] * 4),
    ],
)
def test_it_looks_about_for_what_comes_at_once(waits: list[int], slept: list[bool]) -> None:
    world = World(*(wait * 1e-6 for wait in waits))
    vigil = loop.Vigil(world.poll, world.clock)
    for _ in waits:
        assert vigil.wait(None, 7) == [(1, 7)]
    assert world.slept == slept


def test_it_does_not_look_about_for_long() -> None:
    world = World(*[20e-6] * 4, 1.0)
    vigil = loop.Vigil(world.poll, world.clock)
    for _ in range(4):
        vigil.wait(None, 7)
    looks = 0

    def looked() -> float:
        nonlocal looks
        looks += 1
        return world.clock()

    vigil._clock = looked
    vigil.wait(None, 7)
    assert 20 < looks < 100
    assert world.slept[-1]


def test_who_shall_not_wait_does_not() -> None:
    world = World(20e-6)
    assert loop.Vigil(world.poll, world.clock).wait(0, 7) == []
