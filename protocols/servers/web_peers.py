"""Who may hold how many connections to the web, and for how long without getting on.

twisted.web's own timeout begins anew with every octet: said slowly enough, a request never ends.
Here each minute must complete the request or bring 64 KiB more of it; the minute begins anew with
whatever we write.
"""

from collections import Counter
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from accounts.throttle import network_of

MAX_CONNECTIONS = 1000
# Those of one IPv4 address or one IPv6 /64, unless it is near.
MAX_OF_ONE = 100
# Seconds and octets.
TRICKLE_TIMEOUT = 60.0
TRICKLE_SIZE = 64 * 1024


class WebPeer(ProtocolWrapper):
    """One connection."""

    transport: Any
    wrappedProtocol: Any
    _timer: Any = None
    _begun = 0

    def dataReceived(self, data: bytes) -> None:
        self._begun += len(data)
        if self._timer is None:
            self._timer = self.factory.reactor.callLater(TRICKLE_TIMEOUT, self._give_up)
        elif self._begun >= TRICKLE_SIZE:
            self._timer.reset(TRICKLE_TIMEOUT)
            self._begun = 0
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        self._get_on()
        super().write(data)

    def writeSequence(self, data: Any) -> None:
        self._get_on()
        super().writeSequence(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._get_on()
        super().connectionLost(reason)

    def _get_on(self) -> None:
        timer, self._timer = self._timer, None
        self._begun = 0
        if timer is not None:
            timer.cancel()

    def _give_up(self) -> None:
        self._timer = None
        self.transport.abortConnection()


class WebPeers(WrappingFactory):
    """Lets peers in while there is room; the others are hung up on."""

    noisy = False
    protocol = WebPeer

    def __init__(self, reactor: Any, factory: Any) -> None:
        super().__init__(factory)
        self.reactor = reactor
        self._by_network: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = getattr(addr, "host", "")
        is_crowded = self._by_network[network_of(host)] >= MAX_OF_ONE and not is_near(host)
        if is_crowded or len(self.protocols) >= MAX_CONNECTIONS:
            return None
        return super().buildProtocol(addr)

    def registerProtocol(self, p: Any) -> None:
        super().registerProtocol(p)
        self._by_network[network_of(p.transport.getPeer().host)] += 1

    def unregisterProtocol(self, p: Any) -> None:
        super().unregisterProtocol(p)
        network = network_of(p.transport.getPeer().host)
        self._by_network[network] -= 1
        if self._by_network[network] <= 0:
            del self._by_network[network]


def is_near(host: str) -> bool:
    """Whether the address is loopback's or a named proxy's."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or any(mapped in net for net in settings.MAILHOST.proxy_networks)
