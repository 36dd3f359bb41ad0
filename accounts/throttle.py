"""Count failed logins and say who has to wait, before any expensive hash is computed.

Two keys count a failure: the address, and the peer's network. Past a free allowance each further
failure doubles the wait. A success clears the address and takes its failures off the network. Where
an address logged in well lately from the same network, guesses from elsewhere do not lock it out.
Counts live in memory, or in Redis where one is configured; a Redis that does not answer costs the
shared view for a while, never a login.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Protocol, TypeVar

import redis
import structlog

FREE_FOR_ADDRESS = 5
FREE_FOR_NETWORK = 30
FIRST_WAIT = 1.0
LONGEST_WAIT = 15 * 60.0
MEMORY_SECONDS = 3600.0
CAPACITY = 100_000
REDIS_TIMEOUT = 0.1
REDIS_REST = 15.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class _Count(NamedTuple):
    failures: int
    wait_until: float
    last_at: float


class Counts(Protocol):
    """Where failures are counted, by opaque key. Times are seconds of one shared clock."""

    def wait(self, keys: tuple[str, ...], now: float) -> float: ...
    def fail(self, key: str, free: int, now: float) -> None: ...
    def forgive(self, key: str, also: str) -> None: ...


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

    def wait(self, keys: tuple[str, ...], now: float) -> float:
        with self._lock:
            found = [self._counts[key].wait_until - now for key in keys if key in self._counts]
        return max(0.0, *found) if found else 0.0

    def fail(self, key: str, free: int, now: float) -> None:
        with self._lock:
            before = self._counts.get(key)
            failures = 1
            if before is not None and now - before.last_at < MEMORY_SECONDS:
                failures += before.failures
            self._counts[key] = _Count(failures, now + wait_after(failures, free), now)
            self._counts.move_to_end(key)
            if len(self._counts) > self._capacity:
                self._counts.popitem(last=False)

    def forgive(self, key: str, also: str) -> None:
        with self._lock:
            gone = self._counts.pop(key, None)
            other = self._counts.get(also)
            if gone is not None and other is not None:
                left = max(0, other.failures - gone.failures)
                self._counts[also] = other._replace(failures=left)


class RedisCounts:
    """Counts shared by every process. After a failure Redis is left alone for `REDIS_REST`."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=REDIS_TIMEOUT,
            socket_connect_timeout=REDIS_TIMEOUT,
            decode_responses=True,
        )
        self._clock = clock
        self._rests_until = float("-inf")

    def wait(self, keys: tuple[str, ...], now: float) -> float:
        def ask() -> float:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.pttl(f"{key}:wait")
            return max(0.0, *(float(answer) / 1000 for answer in pipeline.execute()))

        return self._try(ask) or 0.0

    def fail(self, key: str, free: int, now: float) -> None:
        def count() -> None:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.incr(key)
            pipeline.expire(key, int(MEMORY_SECONDS))
            failures = int(pipeline.execute()[0])
            if wait := wait_after(failures, free):
                self._redis.set(f"{key}:wait", 1, px=int(wait * 1000))

        self._try(count)

    def forgive(self, key: str, also: str) -> None:
        def clear() -> None:
            count = int(str(self._redis.get(key) or 0))
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.delete(key, f"{key}:wait")
            if count:
                pipeline.decrby(also, count)
            pipeline.execute()

        self._try(clear)

    def _try(self, work: Callable[[], T]) -> T | None:
        if self._clock() < self._rests_until:
            return None
        try:
            return work()
        except redis.RedisError as error:
            self._rests_until = self._clock() + REDIS_REST
            log.warning("login_throttle.redis_unreachable", error=type(error).__name__)
            return None


class Throttle:
    """The two keys of a login, and what a success means for them."""

    def __init__(self, *, counts: list[Counts], clock: Callable[[], float] = time.monotonic):
        self._counts = counts
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def must_wait(self, address: str, peer: str) -> float:
        """Seconds this peer has to wait before it may try this address; 0 lets it try now."""
        keys, now = self._keys(address, peer), self._clock()
        return max(counts.wait(keys, now) for counts in self._counts)

    def failed(self, address: str, peer: str) -> None:
        now = self._clock()
        for_address, for_network = self._keys(address, peer)
        for counts in self._counts:
            counts.fail(for_address, FREE_FOR_ADDRESS, now)
            counts.fail(for_network, FREE_FOR_NETWORK, now)

    def succeeded(self, address: str, peer: str) -> None:
        for_address, for_network = self._keys(address, peer)
        for counts in self._counts:
            counts.forgive(for_address, for_network)
        with self._lock:
            self._known[address, network_of(peer)] = self._clock()
            self._known.move_to_end((address, network_of(peer)))
            if len(self._known) > CAPACITY:
                self._known.popitem(last=False)

    def _keys(self, address: str, peer: str) -> tuple[str, str]:
        network = network_of(peer)
        with self._lock:
            is_known = (address, network) in self._known
        # A network this address logs in from has a count of its own: strangers cannot fill it.
        return _key("address", address, network if is_known else ""), _key("network", network)


def network_of(peer: str) -> str:
    """What counts as one guesser: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    prefix = 32 if address.version == 4 else 64
    return str(ip_network(f"{peer}/{prefix}", strict=False))


def _key(*parts: str) -> str:
    """Hashed, so that a dump of Redis lists nobody's addresses."""
    return "mailhost:login:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
