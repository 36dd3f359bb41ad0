"""How long guessers wait, with a clock that stands in the test's hand."""

import threading
from typing import Any

import pytest
import redis

from accounts.throttle import (
    FREE,
    FREE_FOR_ADDRESS,
    FREE_FOR_NETWORK,
    FREE_WHEN_GUESSED_AT,
    LONGEST_WAIT,
    MEMORY_SECONDS,
    REDIS_REST,
    MemoryCounts,
    RedisCounts,
    Throttle,
    network_of,
    wait_after,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(counts=[MemoryCounts()], clock=clock)


def test_the_wait_doubles_up_to_a_limit() -> None:
    waits = [wait_after(failures, 5) for failures in range(1, 9)]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8]
    assert wait_after(10_000, 5) == LONGEST_WAIT


def test_a_guesser_waits_and_may_try_again(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE):
        assert throttle.must_wait("a@x.test", "192.0.2.1") == 0
        throttle.failed("a@x.test", "192.0.2.1")
    assert throttle.must_wait("a@x.test", "192.0.2.1") == 1
    # Another address from there, and another network there, are free.
    assert throttle.must_wait("b@x.test", "192.0.2.1") == 0
    assert throttle.must_wait("a@x.test", "192.0.2.2") == 0
    clock.now += 1
    assert throttle.must_wait("a@x.test", "192.0.2.1") == 0


def test_many_networks_guessing_at_one_address_wait_sooner(throttle: Throttle) -> None:
    for number in range(FREE_FOR_ADDRESS):
        throttle.failed("a@x.test", f"192.0.2.{number}")
    for _ in range(FREE_WHEN_GUESSED_AT):
        # Whoever has not guessed, such as the owner in a new place, is let in.
        assert throttle.must_wait("a@x.test", "198.51.100.1") == 0
        throttle.failed("a@x.test", "198.51.100.1")
    assert throttle.must_wait("a@x.test", "198.51.100.1") > 1


def test_a_guessing_neighbour_locks_nobody_out_who_logged_in_well(throttle: Throttle) -> None:
    throttle.succeeded("a@x.test", "192.0.2.1")
    for number in range(FREE_FOR_NETWORK + 5):
        throttle.failed(f"user{number}@x.test", "192.0.2.1")
    assert throttle.must_wait("b@x.test", "192.0.2.1") > 0
    assert throttle.must_wait("a@x.test", "192.0.2.1") == 0


def test_one_network_guessing_many_addresses_waits(throttle: Throttle) -> None:
    for number in range(FREE_FOR_NETWORK):
        throttle.failed(f"user{number}@x.test", "2001:db8::1")
    assert throttle.must_wait("other@x.test", "2001:db8::ffff") > 0
    assert throttle.must_wait("other@x.test", "2001:db8:1::1") == 0


def test_a_success_clears_the_address_and_its_share_of_the_network(throttle: Throttle) -> None:
    for _ in range(FREE - 1):
        throttle.failed("a@x.test", "192.0.2.1")
    throttle.succeeded("a@x.test", "192.0.2.1")
    for _ in range(FREE - 1):
        throttle.failed("a@x.test", "192.0.2.1")
    assert throttle.must_wait("a@x.test", "192.0.2.1") == 0


def test_failures_are_forgotten_in_time(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE - 1):
        throttle.failed("a@x.test", "192.0.2.1")
    clock.now += MEMORY_SECONDS
    throttle.failed("a@x.test", "192.0.2.1")
    assert throttle.must_wait("a@x.test", "192.0.2.1") == 0


def test_the_memory_is_bounded(clock: Clock) -> None:
    counts = MemoryCounts(capacity=10)
    for number in range(1000):
        counts.fail([f"key{number}"], clock.now)
    assert len(counts._counts) == 10


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_what_counts_as_one_guesser(peer: str, network: str) -> None:
    assert network_of(peer) == network


class FakeRedis:
    """A dictionary with the handful of verbs that are used."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.waits: dict[str, int] = {}
        self.is_down = False
        self.asked = 0

    def pipeline(self, transaction: bool) -> "FakePipeline":
        return FakePipeline(self)

    def get(self, key: str) -> int | None:
        self.answer()
        return self.values.get(key)

    def answer(self) -> None:
        self.asked += 1
        if self.is_down:
            raise redis.ConnectionError("down")


class FakePipeline:
    def __init__(self, server: FakeRedis) -> None:
        self._server = server
        self._answers: list[Any] = []

    def pttl(self, key: str) -> None:
        self._answers.append(self._server.waits.get(key, -2))

    def set(self, key: str, value: int, px: int) -> None:
        self._server.waits[key] = px

    def incr(self, key: str) -> None:
        self._server.values[key] = self._server.values.get(key, 0) + 1
        self._answers.append(self._server.values[key])

    def expire(self, key: str, seconds: int) -> None:
        self._answers.append(True)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._server.values.pop(key, None)
            self._server.waits.pop(key, None)

    def decrby(self, key: str, count: int) -> None:
        self._server.values[key] = self._server.values.get(key, 0) - count

    def execute(self) -> list[Any]:
        self._server.answer()
        return self._answers


@pytest.fixture
def shared(clock: Clock) -> tuple[RedisCounts, FakeRedis]:
    counts, server = RedisCounts("redis://127.0.0.1:1/0", clock), FakeRedis()
    counts._redis = server
    return counts, server


def test_counts_in_redis_are_seen_by_every_process(
    shared: tuple[RedisCounts, FakeRedis], clock: Clock
) -> None:
    counts, server = shared
    other = RedisCounts("redis://127.0.0.1:1/0", clock)
    other._redis = server
    for _ in range(6):
        counts.fail(("key",), 0)
    counts.hold({"key": 2.0}, 0)
    assert counts.fail(("key", "another"), 0) == [7, 1]
    assert other.wait(("key", "another"), 0) == 2.0
    other.forgive("key", ("another",))
    assert counts.wait(("key",), 0) == 0


def test_a_redis_that_is_down_costs_one_question_in_a_while(
    shared: tuple[RedisCounts, FakeRedis], clock: Clock
) -> None:
    counts, server = shared
    server.is_down = True
    assert counts.wait(("key",), 0) == 0
    assert counts.fail(("key",), 0) == [0]
    counts.forgive("key", ("other",))
    assert server.asked == 1
    clock.now += REDIS_REST
    assert counts.wait(("key",), 0) == 0
    assert server.asked == 2


def test_a_redis_that_does_not_answer_is_not_waited_for(clock: Clock) -> None:
    counts = RedisCounts("redis://127.0.0.1:1/0", clock)
    finished = threading.Event()

    def ask() -> None:
        counts.wait(("key",), 0)
        finished.set()

    threading.Thread(target=ask, daemon=True).start()
    assert finished.wait(10)
