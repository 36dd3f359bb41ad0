"""What all connections of one process share: threads, the way back, caps and the watch."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from twisted.internet.task import LoopingCall

from accounts.throttle import network_of
from protocols.servers.session import Peer
from protocols.servers.threads import SessionPool, WayBack, make_pool
from protocols.servers.tls import TlsServer

if TYPE_CHECKING:
    from protocols.servers.connection import Connection

log = structlog.get_logger(__name__)

WATCH_INTERVAL = 1.0
# How long all who flood us are served before everybody else is looked after, in seconds.
ROUND_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Caps:
    """What peers may hold: connections at once, and seconds without reading what they asked for."""

    total: int = 10_000
    per_network: int = 250  # one IPv4 address, or one IPv6 /64: what one customer is given
    per_loopback: int = 10_000
    stall_timeout: float = 60.0

    def of(self, peer: Peer) -> int:
        return self.per_loopback if peer.is_loopback else self.per_network


@dataclass(eq=False)
class Runtime:
    """One a process. Everything here is called on the reactor thread."""

    reactor: Any
    tls: TlsServer
    caps: Caps = field(default_factory=Caps)
    pool: SessionPool = field(default_factory=make_pool)
    connections: "set[Connection]" = field(default_factory=set)
    turns_due: int = 0  # of connections that have said more than one turn answers

    def __post_init__(self) -> None:
        self.way_back = WayBack(self.reactor)
        self._by_network: Counter[str] = Counter()
        self._watch = LoopingCall(self._look)
        self._watch.clock = self.reactor
        self._is_stopping = False

    def start(self) -> None:
        self._watch.start(WATCH_INTERVAL, now=False)

    def may_enter(self, peer: Peer) -> bool:
        """False when the peer's network, or all peers together, hold enough connections."""
        return (
            not self._is_stopping
            and len(self.connections) < self.caps.total
            and self._by_network[network_of(peer.address)] < self.caps.of(peer)
        )

    def enter(self, connection: "Connection") -> None:
        self.connections.add(connection)
        self._by_network[network_of(connection.peer.address)] += 1

    def leave(self, connection: "Connection") -> None:
        if connection in self.connections:
            self.connections.discard(connection)
            network = network_of(connection.peer.address)
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def turn_seconds(self) -> float:
        """How long one connection's events are answered without a break."""
        return ROUND_SECONDS / (1 + self.turns_due)

    def say_goodbye(self) -> None:
        """Close what is idle now and the rest after the event in hand; let nobody in."""
        self._is_stopping = True
        for connection in list(self.connections):
            connection.stop()

    def stop(self) -> None:
        """Drop what is left and end the threads."""
        if self._watch.running:
            self._watch.stop()
        for connection in list(self.connections):
            connection.abort()
        self.pool.stop()

    def _look(self) -> None:
        now = self.reactor.seconds()
        for connection in list(self.connections):
            try:
                connection.look(now)
            except Exception:
                log.exception("watch_failed")
                connection.abort()
