"""Failed logins counted in Redis (`accounts.throttle`), for all server processes together."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import redis
import structlog

from accounts.throttle import MEMORY_SECONDS

# Seconds: how long a login waits for Redis, and how long Redis is left alone after a failure.
TIMEOUT = 0.1
REST = 15.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class RedisCounts:
    """Counts shared by every process. After a failure Redis is left alone for `REST`."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            decode_responses=True,
        )
        self._clock = clock
        self._rests_until = float("-inf")

    def wait(self, keys: Sequence[str], now: float) -> float:
        def ask() -> float:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.pttl(f"{key}:wait")
            return max(0.0, *(float(answer) / 1000 for answer in pipeline.execute()))

        return self._try(ask) or 0.0

    def fail(self, keys: Sequence[str], now: float) -> Sequence[int]:
        def count() -> list[int]:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.incr(key)
                pipeline.expire(key, int(MEMORY_SECONDS))
            return [int(answer) for answer in pipeline.execute()[::2]]

        return self._try(count) or [0] * len(keys)

    def hold(self, waits: Mapping[str, float], now: float) -> None:
        def keep() -> None:
            pipeline = self._redis.pipeline(transaction=False)
            for key, seconds in waits.items():
                pipeline.set(f"{key}:wait", 1, px=int(seconds * 1000))
            pipeline.execute()

        if waits:
            self._try(keep)

    def forgive(self, key: str, also: Sequence[str]) -> None:
        def clear() -> None:
            # In one: of several programs that log in together one alone takes the failures back.
            taking = self._redis.pipeline(transaction=True)
            taking.get(key)
            taking.delete(key, f"{key}:wait")
            count = int(taking.execute()[0] or 0)
            if count:
                pipeline = self._redis.pipeline(transaction=False)
                for each in also:
                    pipeline.decrby(each, count)
                pipeline.execute()

        self._try(clear)

    def _try(self, work: Callable[[], T]) -> T | None:
        if self._clock() < self._rests_until:
            return None
        try:
            return work()
        except redis.RedisError as error:
            self._rests_until = self._clock() + REST
            log.warning("login_throttle.redis_unreachable", error=type(error).__name__)
            return None
