"""Count failed logins and say who has to wait, before any expensive hash is computed.

Three counts: of one network guessing at one address, of a network, of an address. Past a free
allowance each further failure doubles the wait. Nobody can lock somebody else out: what all others
failed at an address slows only those down who have failed there themselves more than once, and a
network's count spares the addresses that logged in well from it before. A success clears what its
own network failed.

Counts live in memory, or in Redis where one is configured; a Redis that does not answer costs the
shared view for a while, never a login.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Protocol

FREE = 5
FREE_FOR_NETWORK = 30
FREE_FOR_ADDRESS = 20
# What one network may still fail at an address that many others have guessed at.
FREE_WHEN_GUESSED_AT = 2
FIRST_WAIT = 1.0
LONGEST_WAIT = 15 * 60.0
MEMORY_SECONDS = 3600.0
CAPACITY = 100_000
# Every login asks for the same few names several times, and to make them costs more than counting.
REMEMBERED = 4096


class _Count(NamedTuple):
    failures: int
    wait_until: float
    last_at: float


class Counts(Protocol):
    """Where failures are counted, by opaque key. Times are seconds of one shared clock."""

    def wait(self, keys: Sequence[str], now: float) -> float: ...
    def fail(self, keys: Sequence[str], now: float) -> Sequence[int]: ...
    def hold(self, waits: Mapping[str, float], now: float) -> None: ...
    def forgive(self, key: str, also: Sequence[str]) -> None: ...


def wait_after(failures: int, free: int) -> float:
    """Seconds to wait after that many failures: none within the allowance, then doubling."""
    if failures < free:
        return 0.0
    return float(min(FIRST_WAIT * 2 ** min(failures - free, 30), LONGEST_WAIT))


class MemoryCounts:
    """Counts of this process."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, keys: Sequence[str], now: float) -> float:
        with self._lock:
            found = [self._counts[key].wait_until - now for key in keys if key in self._counts]
        return max(0.0, *found) if found else 0.0

    def fail(self, keys: Sequence[str], now: float) -> Sequence[int]:
        with self._lock:
            return [self._fail(key, now) for key in keys]

    def _fail(self, key: str, now: float) -> int:
        before = self._counts.get(key)
        if before is None or now - before.last_at >= MEMORY_SECONDS:
            before = _Count(0, now, now)
        failures = before.failures + 1
        self._counts[key] = _Count(failures, before.wait_until, now)
        self._counts.move_to_end(key)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return failures

    def hold(self, waits: Mapping[str, float], now: float) -> None:
        with self._lock:
            for key, seconds in waits.items():
                count = self._counts.get(key)
                if count is not None:
                    self._counts[key] = count._replace(wait_until=now + seconds)

    def forgive(self, key: str, also: Sequence[str]) -> None:
        with self._lock:
            gone = self._counts.pop(key, None)
            for each in also:
                other = self._counts.get(each)
                if gone is not None and other is not None:
                    left = max(0, other.failures - gone.failures)
                    self._counts[each] = other._replace(failures=left)


class _Keys(NamedTuple):
    pair: str
    network: str
    address: str
    is_known: bool


class Throttle:
    """The three keys of a login, and what failure and success mean for them."""

    def __init__(self, *, counts: list[Counts], clock: Callable[[], float] = time.monotonic):
        self._counts = counts
        self._clock = clock
        # Where each address logged in well, used longest ago first.
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def must_wait(self, address: str, peer: str) -> float:
        """Seconds this peer has to wait before it may try this address; 0 lets it try now."""
        keys, now = self._keys(address, peer), self._clock()
        held = (keys.pair,) if keys.is_known else (keys.pair, keys.network)
        return max(counts.wait(held, now) for counts in self._counts)

    def failed(self, address: str, peer: str) -> None:
        keys, now = self._keys(address, peer), self._clock()
        for counts in self._counts:
            here, network, anywhere = counts.fail((keys.pair, keys.network, keys.address), now)
            wait = wait_after(here, FREE)
            if here >= FREE_WHEN_GUESSED_AT and not keys.is_known:
                wait = max(wait, wait_after(anywhere, FREE_FOR_ADDRESS))
            waits = {keys.pair: wait, keys.network: wait_after(network, FREE_FOR_NETWORK)}
            counts.hold({key: seconds for key, seconds in waits.items() if seconds}, now)

    def succeeded(self, address: str, peer: str) -> None:
        keys = self._keys(address, peer)
        for counts in self._counts:
            counts.forgive(keys.pair, (keys.network, keys.address))
        with self._lock:
            self._known[address, network_of(peer)] = None
            self._known.move_to_end((address, network_of(peer)))
            if len(self._known) > CAPACITY:
                self._known.popitem(last=False)

    def _keys(self, address: str, peer: str) -> _Keys:
        network = network_of(peer)
        with self._lock:
            is_known = (address, network) in self._known
        return _Keys(*_hashed(address, network), is_known)


@lru_cache(maxsize=REMEMBERED)
def _hashed(address: str, network: str) -> tuple[str, str, str]:
    return _key("pair", address, network), _key("network", network), _key("address", address)


@lru_cache(maxsize=REMEMBERED)
def network_of(peer: str) -> str:
    """What counts as one peer: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    address = getattr(address, "ipv4_mapped", None) or address
    prefix = 32 if address.version == 4 else 64
    return str(ip_network(f"{address}/{prefix}", strict=False))


def _key(*parts: str) -> str:
    """Hashed, so that a dump of Redis lists nobody's addresses."""
    return "mailhost:login:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
