"""The POP3 conversation by itself: states, limits, large messages, and arbitrary octets."""

from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.wire.conversation import READ_AHEAD, SAY_AHEAD, ConversationError
from protocols.wire.pop3 import commands as c
from protocols.wire.pop3.replies import Err, Message, MessageEnd, Ok, Piece
from protocols.wire.pop3.server import LINE_LIMIT, MISTAKES, ServerConversation, State
from protocols.wire.sasl import Challenge


def logged_in() -> ServerConversation:
    conversation = ServerConversation()
    conversation.receive_data(b"USER a\r\nPASS b\r\n")
    for _ in range(2):
        assert conversation.next_event() is not None
        conversation.send(Ok())
    conversation.data_to_send()
    return conversation


def test_one_event_at_a_time() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"CAPA\r\nQUIT\r\n")
    assert conversation.next_event() == c.Capabilities()
    assert conversation.next_event() is None
    conversation.send(Ok())
    assert conversation.next_event() == c.Quit()
    conversation.send(Ok())
    assert conversation.is_over


def test_a_reply_to_nothing_is_our_bug() -> None:
    with pytest.raises(ConversationError):
        ServerConversation().send(Ok())


def test_the_ok_to_a_login_enters_transaction() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"USER a\r\nPASS b\r\nPASS c\r\nUSER a\r\nPASS c\r\n")
    assert conversation.next_event() == c.User("a")
    conversation.send(Ok())
    assert conversation.next_event() == c.Login("a", "b")
    conversation.send(Err("no", "AUTH"))
    assert conversation.state is State.AUTHORIZATION
    assert conversation.next_event() == c.User("a")  # the lone PASS was refused
    conversation.send(Ok())
    assert conversation.next_event() == c.Login("a", "c")
    conversation.send(Ok())
    assert conversation.state is State.TRANSACTION


def test_the_answers_to_challenges() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"AUTH X\r\nCAPA\r\n\r\n*\r\nYQ==\r\n")
    assert conversation.next_event() == c.Auth("X", None)
    conversation.send(Challenge(b"go on"))
    assert conversation.next_event() == c.AuthAnswer(b"\x08\x03\xc0")  # it is what it looks like
    conversation.send(Challenge(b""))
    assert conversation.next_event() == c.AuthAnswer(b"")
    conversation.send(Challenge(b""))
    assert conversation.next_event() is None  # "*", then a line that is no command
    said = conversation.data_to_send()
    assert said == b"+ Z28gb24=\r\n+ \r\n+ \r\n-ERR Cancelled\r\n-ERR Unknown command\r\n"
    conversation.receive_data(b"AUTH X\r\nYQ==\r\n")
    conversation.next_event()
    conversation.send(Challenge(b""))
    assert conversation.next_event() == c.AuthAnswer(b"a")
    conversation.send(Ok())
    assert conversation.state is State.TRANSACTION


def test_a_large_message_goes_out_in_pieces() -> None:
    conversation = logged_in()
    conversation.receive_data(b"RETR 1\r\n")
    assert conversation.next_event() == c.Retrieve(1)
    conversation.push(Ok("9 octets"))
    for piece in (b"a\r", b"\n", b".b", b"\r\n.", b"c"):
        conversation.push(Piece(piece))
    conversation.send(MessageEnd())
    assert conversation.data_to_send() == b"+OK 9 octets\r\na\r\n..b\r\n..c\r\n.\r\n"


def test_a_message_that_breaks_off_ends_the_connection() -> None:
    # Whatever were said now would be taken for a line of the message.
    conversation = logged_in()
    conversation.receive_data(b"RETR 1\r\n")
    conversation.next_event()
    conversation.push(Ok())
    conversation.push(Piece(b"half"))
    conversation.send(Err("disk", "SYS/TEMP"))
    assert conversation.data_to_send() == b"+OK\r\nhalf"
    assert conversation.is_over


def test_data_to_send_keeps_to_its_limit() -> None:
    conversation = logged_in()
    conversation.receive_data(b"RETR 1\r\n")
    conversation.next_event()
    octets = bytes(range(256)) * 40
    conversation.send(Message("", octets))
    parts = []
    while part := conversation.data_to_send(100):
        parts.append(part)
    assert max(map(len, parts)) <= 100
    assert octets in b"".join(parts)


@given(
    st.lists(st.integers(0, 400_000), max_size=9),
    st.lists(st.integers(1, 300_000), min_size=1, max_size=9),
)
def test_it_wants_a_flush_while_much_waits(sizes: list[int], limits: list[int]) -> None:
    conversation = logged_in()
    waiting = 0
    for size, limit in zip(sizes, cycle(limits), strict=False):
        conversation.receive_data(b"RETR 1\r\n")
        assert conversation.next_event() is not None
        conversation.send(Message("", b"x" * size))
        waiting += len(b"+OK\r\n") + size + (len(b"\r\n.\r\n") if size else len(b".\r\n"))
        waiting -= len(conversation.data_to_send(limit))
        assert conversation.wants_flush is (waiting > SAY_AHEAD)
    while taken := len(conversation.data_to_send(limits[0])):
        waiting -= taken
        assert conversation.wants_flush is (waiting > SAY_AHEAD)
    assert not waiting


def test_a_huge_line_is_dropped_not_kept() -> None:
    conversation = ServerConversation()
    for _ in range(1000):
        conversation.receive_data(b"x" * 1000)
        assert conversation.next_event() is None
        assert conversation.wants_data
    conversation.receive_data(b"\r\nCAPA\r\n")
    assert conversation.next_event() == c.Capabilities()
    assert conversation.data_to_send().count(b"\r\n") == 1


def test_reading_pauses_while_enough_is_buffered() -> None:
    conversation = logged_in()
    conversation.receive_data(b"STAT\r\n" * (READ_AHEAD // 6 + 1))
    assert not conversation.wants_data


def test_mistakes_in_a_row_are_limited() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"x\r\n" * (MISTAKES - 1) + b"CAPA\r\n")
    assert conversation.next_event() == c.Capabilities()
    conversation.send(Ok())
    conversation.receive_data(b"x\r\n" * MISTAKES)
    assert conversation.next_event() is None
    assert conversation.is_over
    assert conversation.data_to_send().endswith(b"-ERR Too many mistakes\r\n")


WORDS = [b"USER a", b"PASS b", b"AUTH PLAIN", b"AUTH LOGIN", b"AGEAYg==", b"*", b"STLS", b"CAPA",
         b"STAT", b"LIST", b"UIDL 1", b"RETR 1", b"TOP 1 1", b"DELE 1", b"RSET", b"NOOP", b"QUIT",
         b"APOP a b"]  # fmt: skip
STREAMS = st.lists(
    st.one_of(
        st.sampled_from(WORDS).map(lambda word: word + b"\r\n"),
        st.binary(max_size=20),
        st.just(b"\n"),
        st.just(b"z" * (LINE_LIMIT + 1)),
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=300)
@given(STREAMS, st.lists(st.integers(1, 30), min_size=1, max_size=6), st.randoms())
def test_any_octets_are_answered_and_bounded(stream: bytes, cuts: list[int], random) -> None:
    conversation = ServerConversation()
    said = b""
    while stream and not conversation.is_over:
        size = random.choice(cuts)
        conversation.receive_data(stream[:size])
        stream = stream[size:]
        while (event := conversation.next_event()) is not None:
            assert type(event) in _ALL
            conversation.send(random.choice([Ok("yes"), Err("no"), Message("m", b".x")]))
        said += conversation.data_to_send()
        if conversation.wants_tls:
            conversation.tls_started()
            stream = stream[size:]
        assert len(conversation._input) <= READ_AHEAD
    for line in said.split(b"\r\n")[:-1]:
        assert line.startswith((b"+", b"-ERR", b"."))
        assert len(line) <= 510


_ALL = set(c.Command.__args__)
