"""What THREAD asks for and how it is answered (RFC 5256 §3 to §5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .cursor import Cursor, Fault
from .search import SearchKey
from .search_grammar import search_program_in


class Algorithm(Enum):
    """How messages are put into threads."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD or UID THREAD."""

    tag: bytes
    algorithm: Algorithm
    program: SearchKey
    is_uid: bool


_ALGORITHMS = {each.value.encode("ascii"): each for each in Algorithm}


def read_thread(tag: bytes, cursor: Cursor, *, is_uid: bool) -> Thread:
    """`algorithm charset keys` up to the end of the command."""
    cursor.space()
    algorithm = _ALGORITHMS.get(cursor.word())
    if algorithm is None:
        raise Fault("No such threading algorithm.")
    cursor.space()
    return Thread(tag, algorithm, search_program_in(cursor), is_uid)


def thread_lists(
    tops: Iterable[int], children: Mapping[int, Sequence[int]], numbers: Sequence[int]
) -> bytes:
    """Threads as the THREAD response has them, e.g. `(2)(3 6 (4 23)(44 7 96))`.

    `numbers` is what the client calls each node, `children` has their replies in order; a node
    without a number stands for a message that is not there, and has at least two children. Threads
    may be as deep as they like: nothing recurses.
    """
    said: list[bytes] = []
    # None closes the list that was opened before it.
    waiting: list[int | None] = [*tops]
    waiting.reverse()
    while waiting:
        node = waiting.pop()
        if node is None:
            said.append(b")")
            continue
        members: list[bytes] = []
        replies: Sequence[int] = (node,)
        while len(replies) == 1:
            node = replies[0]
            if node < len(numbers):
                members.append(b"%d" % numbers[node])
            replies = children.get(node, ())
        if members and replies:
            members.append(b"")
        said += (b"(", b" ".join(members))
        waiting.append(None)
        waiting += reversed(replies)
    return b"".join(said)


def thread(lists: Sequence[bytes]) -> bytes:
    """The THREAD response, of pieces that `thread_lists` made."""
    return b"* THREAD %b\r\n" % b"".join(lists) if any(lists) else b"* THREAD\r\n"
