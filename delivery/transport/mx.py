"""Find the hosts that take mail for a destination, in the order to try them (RFC 5321 §5).

The rules: MX by preference, equals shuffled; A/AAAA where there is no MX; null MX refuses (RFC
7505); a host that is ourselves cuts off itself and all behind it; private addresses are refused
unless allowed; a relay host replaces all of it.
"""

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from random import Random

from delivery.dns import Answer, Finding, Mx, Resolver
from delivery.transport.outcome import Outcome, failed

SMTP_PORT = 25
# A zone with more hosts than this gains nothing from our trying all of them.
HOSTS_LIMIT = 20
HOPS_LIMIT = 6

_RELAY = re.compile(r"(?:\[(?P<fixed>[^][]+)\]|(?P<name>[^][:]+))(?::(?P<port>[0-9]{1,5}))?")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Hop:
    """One address to connect to. `name` is what DNS calls it, the literal where it has no name."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}[{self.address}]:{self.port}"


@dataclass(frozen=True, slots=True)
class Routing:
    """What of the configuration decides routes.

    Our own MX listens on `own_port` of `own_address`; an unspecified address (0.0.0.0) means every
    one this machine has. `relay` is `host`, `host:port`, `[host]` or `[host]:port`; in brackets
    it is not looked up as MX.
    """

    hostname: str
    port: int = SMTP_PORT
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    own_address: str = ""
    own_port: int = 0
    relay: str = ""
    source_address: str = ""

    @property
    def uses_v4(self) -> bool:
        return ":" not in self.source_address

    @property
    def uses_v6(self) -> bool:
        return not self.source_address or ":" in self.source_address

    def is_ourselves(self, hop: Hop) -> bool:
        """Whether our own MX would answer there."""
        if hop.port != self.own_port or not self.own_address:
            return False
        if ip_address(self.own_address).is_unspecified:
            return _is_of_this_machine(hop.address)
        return hop.address == self.own_address

    def may_connect(self, address: Address) -> bool:
        """Whether mail may go there: public addresses, and the networks that are named."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self.allowed_networks):
            return True
        return address.is_global and not address.is_multicast


async def find_hops(
    destination: str, resolver: Resolver, routing: Routing, random: Random
) -> tuple[Hop, ...] | Outcome:
    """The addresses to try for `destination` (A-labels or an address literal), best first."""
    if routing.relay:
        return await _relay_hops(resolver, routing, random)
    if destination.startswith("["):
        return _literal_hops(destination, routing)
    answer, records = await resolver.mx(destination)
    match answer.finding:
        case Finding.NO_NAME:
            return failed("5.1.2", f"The domain {destination} does not exist in DNS")
        case Finding.FAILED:
            return _try_later(destination, answer)
        case Finding.NO_RECORDS:
            # RFC 5321 §5.1: the domain itself is then its only MX.
            return await _host_hops(destination, [[destination]], resolver, routing, random)
    if all(mx.host == "." for mx in records):
        return failed("5.1.10", f"The domain {destination} does not accept mail (null MX)")
    groups = order(records, random)
    return await _host_hops(destination, groups, resolver, routing, random)


def order(records: Iterable[Mx], random: Random) -> list[list[str]]:
    """Host names by preference, those of equal preference together and shuffled."""
    groups: dict[int, list[str]] = {}
    for mx in sorted(records, key=lambda mx: (mx.preference, mx.host)):
        if mx.host != ".":
            groups.setdefault(mx.preference, []).append(mx.host)
    for group in groups.values():
        random.shuffle(group)
    return list(groups.values())


async def _host_hops(
    destination: str,
    groups: Sequence[Sequence[str]],
    resolver: Resolver,
    routing: Routing,
    random: Random,
) -> tuple[Hop, ...] | Outcome:
    hosts = [host for group in groups for host in group][:HOSTS_LIMIT]
    found = await asyncio.gather(
        *(resolver.addresses(host, v4=routing.uses_v4, v6=routing.uses_v6) for host in hosts)
    )
    answers = dict(zip(hosts, found, strict=True))
    usable: list[Hop] = []
    is_best = True
    refused = ""
    for group in groups:
        hops = [
            Hop(host, address, routing.port)
            for host in group
            if host in answers
            for address in _spread(answers[host].records, random)
        ]
        # RFC 5321 §5.1: ourselves and everything of the same or a lower preference is left out.
        if any(routing.is_ourselves(hop) for hop in hops) or routing.hostname.lower() in group:
            if is_best:
                return failed("5.4.6", f"Mail for {destination} loops back to this host")
            break
        for hop in hops:
            if routing.may_connect(ip_address(hop.address)):
                usable.append(hop)
            else:
                refused = hop.address
        is_best = False
    if usable:
        return tuple(usable[:HOPS_LIMIT])
    for answer in answers.values():
        if answer.finding is Finding.FAILED:
            return _try_later(destination, answer)
    if refused:
        return failed("5.4.4", f"The domain {destination} leads to a private address ({refused})")
    return failed("5.4.4", f"The domain {destination} has no host that accepts mail")


def _literal_hops(literal: str, routing: Routing) -> tuple[Hop, ...] | Outcome:
    """RFC 5321 §4.1.3: `[1.2.3.4]` or `[IPv6:…]`."""
    inner = literal.strip("[]")
    is_v6 = inner[:5].lower() == "ipv6:"
    try:
        address = IPv6Address(inner[5:]) if is_v6 else IPv4Address(inner)
    except ValueError:
        return failed("5.1.2", f"{literal} is no address that mail can be sent to")
    hop = Hop(literal, str(address), routing.port)
    if routing.is_ourselves(hop):
        return failed("5.4.6", f"Mail for {literal} loops back to this host")
    if not routing.may_connect(address):
        return failed("5.4.4", f"{literal} is a private address")
    return (hop,)


async def _relay_hops(
    resolver: Resolver, routing: Routing, random: Random
) -> tuple[Hop, ...] | Outcome:
    """The operator's relay. He named it, so its addresses may be private."""
    host, port, is_fixed = parse_relay(routing.relay)
    try:
        return (Hop(host, str(ip_address(host)), port),)
    except ValueError:
        pass
    hosts = [host]
    if not is_fixed:
        answer, records = await resolver.mx(host)
        if answer.finding is Finding.FAILED:
            return _try_later(host, answer)
        hosts = [name for group in order(records, random) for name in group] or hosts
    hops = []
    for name in hosts[:HOSTS_LIMIT]:
        answer = await resolver.addresses(name, v4=routing.uses_v4, v6=routing.uses_v6)
        hops += [Hop(name, address, port) for address in _spread(answer.records, random)]
    # The operator's mistake must not bounce the mail of his users.
    return tuple(hops[:HOPS_LIMIT]) or failed("4.4.3", f"The relay host {host} was not found")


def parse_relay(text: str) -> tuple[str, int, bool]:
    """Host, port, and whether MX look-ups are off; ValueError when the text names no host."""
    found = _RELAY.fullmatch(text)
    port = int(found["port"] or SMTP_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{text!r} is no relay host; write host, host:port or [host]:port")
    return (found["fixed"] or found["name"]).lower(), port, found["fixed"] is not None


def _spread(addresses: Sequence[str], random: Random) -> list[str]:
    """Addresses of one host in random order, IPv4 and IPv6 by turns."""
    v4 = [address for address in addresses if ":" not in address]
    v6 = [address for address in addresses if ":" in address]
    random.shuffle(v4)
    random.shuffle(v6)
    mixed = []
    for turn in range(max(len(v4), len(v6))):
        mixed += v4[turn : turn + 1] + v6[turn : turn + 1]
    return mixed


def _is_of_this_machine(address: str) -> bool:
    """Only an address of this machine can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _try_later(name: str, answer: Answer) -> Outcome:
    return failed("4.4.3", f"DNS gave no answer for {name}: {answer.reason or 'try again later'}")
