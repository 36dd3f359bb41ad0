"""How long guessers wait, with a clock that stands in the test's hand."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from accounts.redis_counts import REST, RedisCounts
from accounts.throttle import (
    FREE,
    FREE_FOR_ADDRESS,
    FREE_FOR_NETWORK,
    FREE_WHEN_GUESSED_AT,
    LONGEST_WAIT,
    MEMORY_SECONDS,
    MemoryCounts,
    Throttle,
    network_of,
    wait_after,
)
from tests.partners.presence import Loopback
from tests.partners.redis import Redis


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


def test_who_mistypes_and_then_gets_in_holds_up_no_neighbour(throttle: Throttle) -> None:
    for number in range(FREE_FOR_NETWORK):
        throttle.failed(f"user{number}@x.test", "192.0.2.1")
        throttle.succeeded(f"user{number}@x.test", "192.0.2.1")
    assert throttle.must_wait("new@x.test", "192.0.2.1") == 0


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


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory, loopback: Loopback) -> Iterator[str]:
    server = Redis(tmp_path_factory.mktemp("redis"), loopback.address())
    yield server.url
    server.stop()


def test_counts_in_redis_are_seen_by_every_process(redis_url: str, clock: Clock) -> None:
    counts, other = RedisCounts(redis_url, clock), RedisCounts(redis_url, clock)
    for _ in range(6):
        counts.fail(("key",), 0)
    counts.hold({"key": 2.0}, 0)
    assert counts.fail(("key", "another"), 0) == [7, 1]
    assert 1.0 < other.wait(("key", "another"), 0) <= 2.0
    other.forgive("key", ("another",))
    assert counts.wait(("key",), 0) == 0
    assert counts.fail(("key",), 0) == [1]


def test_failures_are_taken_back_once_where_many_programs_log_in_together(
    redis_url: str, clock: Clock
) -> None:
    processes = [RedisCounts(redis_url, clock) for _ in range(8)]
    together = threading.Barrier(len(processes))

    def log_in(counts: RedisCounts) -> None:
        together.wait()
        counts.forgive("pair", ("network",))

    for _round in range(10):
        for _ in range(4):
            processes[0].fail(("pair", "network"), 0)
        with ThreadPoolExecutor(len(processes)) as threads:
            list(threads.map(log_in, processes))
        # What was failed elsewhere would count for less.
        assert processes[0].fail(("network",), 0) == [1]
        processes[0].forgive("network", ())


@pytest.fixture
def hangs_up() -> Iterator[tuple[str, list[object]]]:
    """The URL of a server that closes every connection at once, and those that came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, peer = listening.accept()
                    came.append(peer)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0", came


def test_a_redis_that_is_down_costs_one_question_in_a_while(
    hangs_up: tuple[str, list[object]], clock: Clock
) -> None:
    url, came = hangs_up
    counts = RedisCounts(url, clock)
    assert counts.wait(("key",), 0) == 0
    assert counts.fail(("key",), 0) == [0]
    counts.forgive("key", ("other",))
    assert len(came) == 1
    clock.now += REST
    assert counts.wait(("key",), 0) == 0
    assert len(came) == 2


def test_a_redis_that_does_not_answer_is_not_waited_for(clock: Clock) -> None:
    counts = RedisCounts("redis://127.0.0.1:1/0", clock)
    finished = threading.Event()

    def ask() -> None:
        counts.wait(("key",), 0)
        finished.set()

    threading.Thread(target=ask, daemon=True).start()
    assert finished.wait(10)
