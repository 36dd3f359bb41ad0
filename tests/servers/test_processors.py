"""Which threads of a server process keep to one processor, and which may run anywhere."""

import os
import threading
from collections.abc import Iterator

import pytest

from accounts import commit
from accounts.commit import Rows, Unit, committer
from protocols.servers import processors
from protocols.servers.processors import Roaming, own_processor
from protocols.servers.threads import SessionPool


@pytest.mark.parametrize(
    ("count", "usable", "expected"),
    [
        (2, (0, 1), [0, 1]),
        (3, (7, 2, 5), [2, 5, 7]),
        (1, (0,), [None]),
        (1, (0, 1), [None]),
        (2, (0, 1, 2, 3), [None, None]),
        (3, (0, 1), [None, None, None]),
        (2, (), [None, None]),
    ],
)
def test_processes_have_processors_of_their_own_where_they_are_as_many(
    count: int, usable: tuple[int, ...], expected: list[int | None]
) -> None:
    assert [own_processor(place, count, usable) for place in range(count)] == expected


@pytest.fixture
def kept() -> Iterator[int]:
    """This thread, as a reactor's, keeps to a processor until the test is over."""
    usable = os.sched_getaffinity(0)
    commit.reset()
    processor = max(usable)
    processors.keep_to(processor)
    yield processor
    os.sched_setaffinity(0, usable)
    processors._usable = frozenset()
    committer._processor = None
    commit.reset()


@pytest.mark.django_db(transaction=True)
def test_the_committer_keeps_to_the_reactors_processor(kept: int) -> None:
    def where(rows: Rows, blob_id: int | None) -> set[int]:
        return os.sched_getaffinity(0)

    assert os.sched_getaffinity(0) == {kept}
    found: list[set[int]] = []
    # Whoever commits first starts the thread: here one that may run anywhere.
    thread = Roaming(target=lambda: found.append(commit.run(Unit(frozenset(), where))))
    thread.start()
    thread.join(10)
    assert found == [{kept}]


def test_sessions_and_pages_run_anywhere(kept: int) -> None:
    usable = processors._usable
    found: list[frozenset[int]] = []
    is_done = threading.Event()

    def look() -> None:
        found.append(frozenset(os.sched_getaffinity(0)))
        is_done.set()

    pool = SessionPool(size=1)
    pool.submit(look)
    assert is_done.wait(10)
    pool.stop()
    page = Roaming(target=look)
    page.start()
    page.join(10)
    assert found == [usable, usable]
