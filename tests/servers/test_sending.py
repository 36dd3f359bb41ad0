"""Writing in pieces: all of them in their order, whatever the system takes at once."""

import socket
from collections.abc import Iterator

import pytest

from protocols.servers import sending


class Transport:
    """As much of Twisted's as is used; what goes the usual way is kept."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []
        self.later = b""

    def writeSomeData(self, data: bytes) -> int:
        return self.socket.send(data)

    def write(self, data: bytes) -> None:
        self.later += data


@pytest.fixture
def pair() -> Iterator[tuple[Transport, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield Transport(ours), theirs


def _heard(peer: socket.socket) -> bytes:
    heard = b""
    while True:
        try:
            heard += peer.recv(1 << 20)
        except BlockingIOError:
            return heard


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_are_written_at_once(pair: tuple[Transport, socket.socket], size: int) -> None:
    transport, peer = pair
    whole = bytes(range(256)) * 8
    view = memoryview(whole)
    pieces = [view[at : at + size] for at in range(0, len(whole), size)]
    sending.write(transport, [*pieces], is_secured=False)
    # One call takes so many pieces; what is behind them is not forgotten.
    assert _heard(peer) + transport.later == whole
    assert len(transport.later) == max(0, len(whole) - size * sending.MOST_PIECES)


def test_what_does_not_fit_goes_the_usual_way(pair: tuple[Transport, socket.socket]) -> None:
    transport, peer = pair
    pieces = [bytes([at]) * 100_000 for at in range(100)]
    sending.write(transport, [*pieces], is_secured=False)
    assert 0 < len(transport.later) < 10_000_000
    assert _heard(peer) + transport.later == b"".join(pieces)


def test_after_what_waits_nothing_is_sent_directly(pair: tuple[Transport, socket.socket]) -> None:
    transport, peer = pair
    transport.dataBuffer = b"first"
    sending.write(transport, [b"a", memoryview(b"b")], is_secured=False)
    assert transport.later == b"ab"
    transport.dataBuffer = b""
    sending.write(transport, [b"c"], is_secured=True)
    assert (transport.later, _heard(peer)) == (b"abc", b"")


def test_a_connection_that_broke_is_twisted_s_to_notice(
    pair: tuple[Transport, socket.socket],
) -> None:
    transport, peer = pair
    peer.close()
    sending.write(transport, [b"a", b"b"], is_secured=False)
    assert transport.later == b"ab"
