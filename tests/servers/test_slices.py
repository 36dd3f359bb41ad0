"""Long answers in slices: small at first, larger for who keeps up, held back for who does not."""

from collections.abc import Iterator

import pytest

from protocols.servers import slices
from protocols.servers.slices import Slices

PIECE = 64 << 10


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 3600.0)


def answer(pieces: int) -> Iterator[bytes | str]:
    for _ in range(pieces):
        yield bytes(PIECE)
    yield "reply"


def fail() -> str:
    return "failed"


def pulled(long: Slices, *, takes: bool) -> list[int]:
    """The octets of the slices that are made until nobody is to go on."""
    sizes = []
    goes_on = True
    while goes_on:
        part = long.pull()
        sizes.append(sum(map(len, part.pushes)))
        goes_on = long.pulled(part)
        if takes and long.taken():
            goes_on = True
    return sizes


def test_slices_grow_while_the_peer_takes_them() -> None:
    sizes = pulled(Slices(answer(100), fail), takes=True)
    assert sum(sizes) == 100 * PIECE
    assert sizes[:3] == [slices.SLICE_OCTETS, 2 * slices.SLICE_OCTETS, slices.MOST_SLICE_OCTETS]
    assert max(sizes) == slices.MOST_SLICE_OCTETS


def test_nothing_is_read_for_a_peer_that_takes_nothing() -> None:
    long = Slices(answer(100), fail)
    assert sum(pulled(long, takes=False)) <= 3 * slices.SLICE_OCTETS
    # The first slice of two is gone: one more is made ahead.
    assert long.taken()
    assert len(pulled(long, takes=False)) == 1


def test_the_last_slice_brings_the_reply() -> None:
    part = Slices(answer(1), fail).pull()
    assert (part.pushes, part.reply, part.is_last) == ([bytes(PIECE)], "reply", True)


def test_an_answer_that_fails_ends_with_what_tells_of_it() -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise ValueError

    part = Slices(broken(), fail).pull()
    assert (part.pushes, part.reply, part.is_last) == ([b"one"], "failed", True)
