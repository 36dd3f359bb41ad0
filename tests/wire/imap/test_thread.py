"""Reading THREAD and writing its answer (RFC 5256 §3 to §5)."""

import pytest

from protocols.wire.imap.commands import Invalid
from protocols.wire.imap.parser import parse
from protocols.wire.imap.search import Everything, HeaderHas
from protocols.wire.imap.thread import Algorithm, Thread, thread, thread_lists


def test_algorithm_and_program() -> None:
    assert parse(b"a THREAD references US-ASCII ALL") == Thread(
        b"a", Algorithm.REFERENCES, Everything(), is_uid=False
    )
    assert parse(b"a UID THREAD ORDEREDSUBJECT UTF-8 SUBJECT x") == Thread(
        b"a", Algorithm.ORDEREDSUBJECT, HeaderHas("subject", "x"), is_uid=True
    )


@pytest.mark.parametrize(
    "text",
    [
        b"a THREAD",
        b"a THREAD REFS UTF-8 ALL",
        b"a THREAD REFERENCES ALL",
        b"a THREAD REFERENCES UTF-8",
        b"a THREAD (REFERENCES) UTF-8 ALL",
        b"a THREAD REFERENCES KLINGON ALL",
    ],
)
def test_what_is_no_thread_command(text: bytes) -> None:
    assert isinstance(parse(text), Invalid)


NUMBERS = [2, 3, 6, 4, 23, 44, 7, 96, 5]

# Tops and children by place in NUMBERS; 9 and above are not there.
CASES: list[tuple[list[int], dict[int, list[int]], bytes]] = [
    ([], {}, b""),
    ([0], {}, b"(2)"),
    # The examples of BASE.7.2.THREAD.
    ([0, 1], {1: [2], 2: [3, 5], 3: [4], 5: [6], 6: [7]}, b"(2)(3 6 (4 23)(44 7 96))"),
    ([9], {9: [1, 8]}, b"((3)(5))"),
    ([1], {1: [8, 0]}, b"(3 (5)(2))"),
    ([9, 0], {9: [1, 8], 8: [2, 3]}, b"((3)(5 (6)(4)))(2)"),
]


@pytest.mark.parametrize(("tops", "children", "said"), CASES)
def test_thread_lists(tops: list[int], children: dict[int, list[int]], said: bytes) -> None:
    assert thread_lists(tops, children, NUMBERS) == said


def test_the_response() -> None:
    assert thread([]) == b"* THREAD\r\n"
    assert thread([b"(2)", b"(3 6)"]) == b"* THREAD (2)(3 6)\r\n"


def test_threads_may_be_deep() -> None:
    count = 100_000
    # Two replies each, so that every level is a list of its own.
    children = {node: [node + 1, count + node + 1] for node in range(count)}
    said = thread_lists([0], children, range(1, 2 * count + 2))
    assert said.count(b"(") == said.count(b")") == 2 * count + 1
