"""COMPRESS=DEFLATE in the conversation (RFC 4978): nothing held back, nothing blown up."""

import zlib

import pytest

from protocols.wire.conversation import READ_AHEAD, SAY_AHEAD
from protocols.wire.imap.commands import Compress, Invalid, Noop, Unauthenticate
from protocols.wire.imap.deflate import Deflate
from protocols.wire.imap.responses import InPieces, Tagged
from protocols.wire.imap.server import ServerConversation


class Peer:
    """A client that deflates, with a conversation that answers it."""

    def __init__(self) -> None:
        self.conversation = ServerConversation()
        self.conversation.receive_data(b"a COMPRESS DEFLATE\r\n")
        assert self.conversation.next_event() == Compress(b"a", "DEFLATE")
        self.conversation.send(Tagged(b"a", "OK", "Go."))
        assert self.conversation.data_to_send() == b"a OK Go.\r\n"
        self.begin()

    def begin(self) -> None:
        self._out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._in = zlib.decompressobj(-15)

    def pack(self, octets: bytes) -> bytes:
        return self._out.compress(octets) + self._out.flush(zlib.Z_SYNC_FLUSH)

    def finish(self, octets: bytes) -> bytes:
        return self._out.compress(octets) + self._out.flush()

    def say(self, octets: bytes) -> None:
        self.conversation.receive_data(self.pack(octets))

    def heard(self, limit: int = 1 << 20) -> bytes:
        heard = b""
        while packed := self.conversation.data_to_send(limit):
            heard += self._in.decompress(packed)
        return heard


def test_each_answer_can_be_read_at_once() -> None:
    peer = Peer()
    for number in range(50):
        peer.say(b"%d NOOP\r\n" % number)
        assert peer.conversation.next_event() == Noop(b"%d" % number)
        peer.conversation.send(Tagged(b"%d" % number, "OK", "Done."))
        assert peer.heard() == b"%d OK Done.\r\n" % number


def test_octets_come_one_by_one() -> None:
    peer = Peer()
    for octet in peer.pack(b"b NOOP\r\n"):
        assert peer.conversation.next_event() is None
        peer.conversation.receive_data(bytes([octet]))
        event = peer.conversation.next_event()
        if event is not None:
            assert event == Noop(b"b")
            return
    pytest.fail("the command never came")


def test_who_ends_the_stream_is_heard_to_its_end() -> None:
    peer = Peer()
    peer.conversation.receive_data(peer.finish(b"b NOOP\r\nc NOOP\r\n"))
    for tag in (b"b", b"c"):
        assert peer.conversation.next_event() == Noop(tag)
        peer.conversation.send(Tagged(tag, "OK", "Done."))
    assert peer.conversation.next_event() is None
    assert peer.heard() == b"b OK Done.\r\nc OK Done.\r\n"
    peer.conversation.receive_data(b"\x00")
    assert peer.conversation.next_event() is None
    assert peer.heard() == b"* BYE The compressed stream is broken.\r\n"


def test_large_answers_go_in_pieces() -> None:
    peer = Peer()
    said = bytes(range(256)) * 4000
    peer.conversation.push(said)
    assert peer.heard(1000) == said


def test_pipelined_commands_wait_their_turn() -> None:
    peer = Peer()
    peer.say(b"".join(b"%d NOOP\r\n" % number for number in range(30_000)))
    for number in range(30_000):
        assert peer.conversation.next_event() == Noop(b"%d" % number)
        peer.conversation.send(Tagged(b"x", "OK", ""))
        assert len(peer.conversation._incoming._buffer) <= 2 * READ_AHEAD
    assert peer.conversation.next_event() is None
    assert peer.conversation.wants_data


@pytest.mark.parametrize("bomb", [b"0" * (40 << 20), b"x LOGIN {60000000+}\r\n" + bytes(40 << 20)])
def test_a_bomb_does_not_go_off(bomb: bytes) -> None:
    peer = Peer()
    packed = peer.pack(bomb)
    assert len(packed) < 64 * 1024
    peer.conversation.receive_data(packed)
    while not peer.conversation.is_over:
        event = peer.conversation.next_event()
        if event is None:
            break
        assert isinstance(event, Invalid)
        peer.conversation.send(event.reply)
    assert peer.conversation.is_over
    assert peer.heard().rsplit(b"\r\n", 2)[-2].startswith(b"* BYE")


def test_what_is_no_deflate_ends_the_connection() -> None:
    peer = Peer()
    peer.conversation.receive_data(b"\xff" * 100)
    assert peer.conversation.next_event() is None
    assert peer.conversation.is_over
    assert peer.heard().startswith(b"* BYE")


def test_once_is_enough() -> None:
    peer = Peer()
    peer.say(b"b COMPRESS DEFLATE\r\nc STARTTLS\r\n")
    for code in (b"NO [COMPRESSIONACTIVE]", b"BAD"):
        event = peer.conversation.next_event()
        assert isinstance(event, Invalid)
        peer.conversation.send(event.reply)
        assert peer.heard()[2:].startswith(code)


def _leave(peer: Peer) -> None:
    assert peer.conversation.next_event() == Unauthenticate(b"u")
    peer.conversation.push(b"* 1 EXISTS\r\n")
    peer.conversation.send(Tagged(b"u", "OK", "Logged out."))
    assert peer.heard() == b"* 1 EXISTS\r\nu OK Logged out.\r\n"


def _says_noop_in_clear(peer: Peer) -> None:
    assert peer.conversation.next_event() == Noop(b"b")
    peer.conversation.send(Tagged(b"b", "OK", "Done."))
    assert peer.conversation.data_to_send() == b"b OK Done.\r\n"


def test_who_logs_out_leaves_compression_too() -> None:
    """RFC 8437: all state goes but TLS and ID; the OK is the last that is compressed."""
    peer = Peer()
    peer.say(b"u UNAUTHENTICATE\r\n")
    _leave(peer)
    assert peer.conversation.next_event() is None
    peer.conversation.receive_data(b"b NOOP\r\n")
    _says_noop_in_clear(peer)


@pytest.mark.parametrize("late", range(1, 6))
def test_the_end_of_the_flush_may_come_late(late: int) -> None:
    peer = Peer()
    packed = peer.pack(b"u UNAUTHENTICATE\r\n")
    peer.conversation.receive_data(packed[:-late])
    _leave(peer)
    peer.conversation.receive_data(packed[-late:])
    assert peer.conversation.next_event() is None
    peer.conversation.receive_data(b"b NOOP\r\n")
    _says_noop_in_clear(peer)


def test_who_ends_the_stream_may_go_on_in_clear() -> None:
    peer = Peer()
    peer.conversation.receive_data(peer.finish(b"u UNAUTHENTICATE\r\n") + b"b NOOP\r\n")
    _leave(peer)
    _says_noop_in_clear(peer)


def test_compression_comes_again_with_the_next_login() -> None:
    peer = Peer()
    peer.say(b"u UNAUTHENTICATE\r\n")
    _leave(peer)
    peer.conversation.receive_data(b"a COMPRESS DEFLATE\r\n")
    assert peer.conversation.next_event() == Compress(b"a", "DEFLATE")
    peer.conversation.send(Tagged(b"a", "OK", "Go."))
    assert peer.conversation.data_to_send() == b"a OK Go.\r\n"
    peer.begin()
    peer.say(b"b NOOP\r\n")
    assert peer.conversation.next_event() == Noop(b"b")


@pytest.mark.parametrize("limit", [1, 100, 257])
def test_all_that_came_is_inflated_wherever_it_is_cut(limit: int) -> None:
    packed = zlib.compress(b"a" * 1000, 9, -15)
    for cut in range(1, len(packed)):
        deflate, inflated = Deflate(), b""
        deflate.feed(packed[:cut])
        while deflate.has_more:
            inflated += deflate.inflate(limit)
        assert inflated == zlib.decompressobj(-15).decompress(packed[:cut])


@pytest.mark.parametrize("is_compressed", [False, True])
def test_much_that_waits_is_to_be_written_first(is_compressed: bool) -> None:
    conversation = Peer().conversation if is_compressed else ServerConversation()
    line = b"* " + bytes(range(97, 123)) * 2_000 + b"\r\n"
    for _ in range(SAY_AHEAD // len(line)):
        conversation.push(line)
    assert not conversation.wants_flush
    conversation.push(InPieces([line, memoryview(line)]))
    assert conversation.wants_flush
    conversation.data_to_send(3 * len(line))
    assert not conversation.wants_flush
    while conversation.data_to_send(1000):
        assert not conversation.wants_flush
    assert conversation._out.octets == 0
