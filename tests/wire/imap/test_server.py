"""The server's conversation: order, literals, IDLE, SASL, STARTTLS, limits."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.wire.conversation import READ_AHEAD, ConversationError
from protocols.wire.imap.commands import (
    Append,
    AppendAborted,
    AppendChunk,
    AppendEnd,
    AppendMore,
    Authenticate,
    Capability,
    Done,
    Event,
    Idle,
    Invalid,
    Login,
    NewMessage,
    Noop,
    SaslResponse,
    Search,
    StartTls,
    Url,
)
from protocols.wire.imap.responses import Bye, Continuation, InPieces, Reply, Tagged
from protocols.wire.imap.server import MAX_BADS, ServerConversation
from protocols.wire.imap.unfinished import MAX_LINE, MAX_LITERAL, MAX_OF_STRANGER

LOGIN = b"z LOGIN alice secret\r\n"


def _ok(event: Event) -> Reply:
    """Answer everything as a session that lets all happen would."""
    match event:
        case Invalid() | AppendAborted():
            return event.reply
        case Append() | AppendMore() | Idle():
            return Continuation()
        case Authenticate():
            return Continuation(b"?")
        case AppendChunk():
            raise AssertionError
        case _:
            return Tagged(event.tag, "OK", "Done.")


def _talk(
    pieces: list[bytes], answer: Callable[[Event], Reply] = _ok
) -> tuple[list[Event], bytes, ServerConversation]:
    conversation = ServerConversation()
    events: list[Event] = []
    said = b""
    for piece in pieces:
        conversation.receive_data(piece)
        while (event := conversation.next_event()) is not None:
            if not isinstance(event, AppendChunk):
                conversation.send(answer(event))
            elif events and isinstance(events[-1], AppendChunk):
                event = AppendChunk(events.pop().data + event.data)
            events.append(event)
        said += conversation.data_to_send()
        if conversation.wants_tls:
            conversation.tls_started()
    return events, said, conversation


def _no(event: Event) -> Reply:
    assert not isinstance(event, AppendChunk)
    return Tagged(event.tag, "NO", "No.", b"TRYCREATE")


def test_pipelined_commands_wait_for_their_turn() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"a NOOP\r\nb CAPABILITY\n")
    assert conversation.next_event() == Noop(b"a")
    assert conversation.next_event() is None
    conversation.send(Tagged(b"a", "OK", "x"))
    assert conversation.next_event() == Capability(b"b")
    assert conversation.data_to_send() == b"a OK x\r\n"


def test_answers_out_of_order_are_our_bug() -> None:
    conversation = ServerConversation()
    with pytest.raises(ConversationError):
        conversation.send(Continuation())
    conversation.receive_data(b"a NOOP\r\n")
    conversation.next_event()
    with pytest.raises(ConversationError):
        conversation.send(Continuation())


def test_a_literal_is_asked_for_unless_it_comes_anyway() -> None:
    events, said, _ = _talk([b"a LOGIN {5}\r\n", b"alice {6+}\r\nsecret\r\n"])
    assert events == [Login(b"a", "alice", "secret")]
    assert said == b"+ Go on.\r\na OK Done.\r\n"


def test_append_streams_its_message() -> None:
    events, said, _ = _talk([b"a APPEND {5+}\r\ninbox (\\Seen) {6}\r\n", b"abc", b"\r\nd\r\n"])
    assert events == [
        Append(b"a", "INBOX", 1, (), None, 0, 6),
        AppendChunk(b"abc\r\nd"),
        AppendEnd(b"a"),
    ]
    assert said == b"+ Ready for the message.\r\na OK Done.\r\n"


def test_append_of_a_literal_that_comes_anyway() -> None:
    events, said, _ = _talk([b"a APPEND x {3+}\r\nabc\r\nb APPEND x {0+}\r\n\r\nc NOOP\r\n"])
    assert events == [
        Append(b"a", "x", 0, (), None, 0, 3),
        AppendChunk(b"abc"),
        AppendEnd(b"a"),
        Append(b"b", "x", 0, (), None, 0, 0),
        AppendEnd(b"b"),
        Noop(b"c"),
    ]
    assert said == b"a OK Done.\r\nb OK Done.\r\nc OK Done.\r\n"


SECOND = NewMessage(1, (), None, 0)


def test_append_of_several_messages() -> None:
    events, said, _ = _talk(
        [b"a APPEND x {3+}\r\nabc (\\Seen) {2}\r\n", b"de (\\Seen) {1+}\r\nf\r\nb NOOP\r\n"]
    )
    assert events == [
        Append(b"a", "x", 0, (), None, 0, 3),
        AppendChunk(b"abc"),
        AppendMore(b"a", (SECOND,), 2),
        AppendChunk(b"de"),
        AppendMore(b"a", (SECOND,), 1),
        AppendChunk(b"f"),
        AppendEnd(b"a"),
        Noop(b"b"),
    ]
    assert said == b"+ Ready for the message.\r\na OK Done.\r\nb OK Done.\r\n"


def test_append_of_parts() -> None:
    url = Url(b"/x/;UID=1")
    events, said, _ = _talk(
        [
            b"a APPEND x CATENATE (URL {9+}\r\n/x/;UID=1 TEXT {3+}\r\nabc URL {9}\r\n",
            b"/x/;UID=1 TEXT {2}\r\n",
            b"de)\r\nb APPEND x CATENATE (URL /x/;UID=1)\r\nc NOOP\r\n",
        ]
    )
    assert events == [
        Append(b"a", "x", 0, (), None, 0, 3, is_catenated=True, steps=(url,)),
        AppendChunk(b"abc"),
        AppendMore(b"a", (url,), 2, is_catenated=True),
        AppendChunk(b"de"),
        AppendEnd(b"a"),
        Append(*(b"b", "x", 0, (), None, 0, 0), is_catenated=True, has_literal=False, steps=(url,)),
        AppendEnd(b"b"),
        Noop(b"c"),
    ]
    assert said == (
        b"+ Go on.\r\n+ Ready for the message.\r\na OK Done.\r\nb OK Done.\r\nc OK Done.\r\n"
    )


@pytest.mark.parametrize(
    "rest",
    [
        b" URL {65537+}\r\n" + b"x" * 65537 + b")\r\n",
        b" URL {65537}\r\n",
        b" URL {9999999999}\r\n",
        b" URL " + b"x" * MAX_LINE + b")\r\n",
        b" URL {9+}\r\n/x/;UID=1 URL " + b"x" * MAX_LINE + b")\r\n",
        b" URL x" * 9000 + b" TEXT {5}\r\n" + b"hello" + b" URL x" * 9000 + b" TEXT {5}\r\n",
    ],
    ids=lambda rest: repr(rest[:20]),
)
def test_absurd_parts_are_dropped_as_they_come(rest: bytes) -> None:
    _, said, conversation = _talk([b"a APPEND x CATENATE (TEXT {1+}\r\na", rest, b"b NOOP\r\n"])
    assert said.startswith((b"a BAD", b"+ Ready"))
    assert conversation.is_over or b"b OK Done.\r\n" in said or rest.count(b"TEXT")
    assert len(conversation._unfinished.text) <= MAX_LINE + 10


def test_a_refused_further_message_is_not_read_nor_those_behind_it() -> None:
    def answer(event: Event) -> Reply:
        return _no(event) if isinstance(event, AppendMore) else _ok(event)

    events, said, _ = _talk(
        [
            b"a APPEND x {1+}\r\na {2+}\r\nbb {3+}\r\nccc\r\nb NOOP\r\n",
            b"c APPEND x {1+}\r\na {2}\r\nd NOOP\r\n",
            b"e APPEND x {1+}\r\na {2+}\r\nbb {3}\r\nf NOOP\r\n",
        ],
        answer,
    )
    assert [type(event) for event in events if not isinstance(event, AppendChunk)] == [
        *(Append, AppendMore, Noop) * 3
    ]
    assert said.count(b"NO [TRYCREATE]") == 3
    assert said.count(b"OK Done") == 3


@pytest.mark.parametrize("size", [b"4294967296", b"9999999999", b"99999999999999"])
def test_a_further_literal_of_an_absurd_size(size: bytes) -> None:
    _, said, conversation = _talk([b"a APPEND x {1+}\r\na {%b}\r\nb NOOP\r\n" % size])
    assert said.startswith(b"a BAD ")
    assert said.endswith(b"b OK Done.\r\n")
    _, said, conversation = _talk([b"a APPEND x {1+}\r\na {%b+}\r\nb NOOP\r\n" % size])
    assert b"* BYE [TOOBIG]" in said
    assert conversation.is_over


def test_a_refused_append_is_not_read() -> None:
    events, said, _ = _talk(
        [b"a APPEND x {4}\r\nb NOOP\r\nc APPEND x {8+}\r\nd NOOP\r\n\r\ne NOOP\r\n"], _no
    )
    assert [type(event) for event in events] == [Append, Noop, Append, Noop]
    no = b"%b NO [TRYCREATE] No.\r\n"
    assert said == b"".join(no % tag for tag in (b"a", b"b", b"c", b"e"))


def test_append_with_something_behind_its_message() -> None:
    events, said, _ = _talk([b"a APPEND x {1+}\r\nq x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"])
    assert [type(event) for event in events] == [Append, AppendChunk, AppendAborted, Noop]
    assert said == b"a BAD Literal expected.\r\nc OK Done.\r\n"


def test_bad_append_drops_its_message() -> None:
    events, said, _ = _talk(
        [b"a APPEND x (\\Odd) {8+}\r\nb NOOP\r\n\r\nc APPEND x (\\Odd) {8}\r\nd NOOP\r\n"]
    )
    assert [type(event) for event in events] == [Invalid, Invalid, Noop]
    assert said.endswith(b"d OK Done.\r\n")
    assert b"+" not in said


def test_append_is_never_whole_in_memory() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"a APPEND x {%d+}\r\n" % (1 << 26))
    conversation.next_event()
    conversation.send(Continuation())
    piece = bytes(1 << 16)
    for _ in range(1 << 10):
        conversation.receive_data(piece)
        assert conversation.next_event() == AppendChunk(piece)
        assert conversation.next_event() is None
        assert conversation.wants_data
    conversation.receive_data(b"\r\n")
    assert conversation.next_event() == AppendEnd(b"a")


def test_idle_ends_with_done() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"a IDLE\r\n")
    assert conversation.next_event() == Idle(b"a")
    conversation.send(Continuation(b"idling"))
    conversation.push(b"* 4 EXISTS\r\n")
    assert conversation.data_to_send() == b"+ idling\r\n* 4 EXISTS\r\n"
    conversation.receive_data(b"done\r\nb NOOP\r\n")
    assert conversation.next_event() == Done(b"a", is_clean=True)
    conversation.send(Tagged(b"a", "OK", "Idled."))
    assert conversation.next_event() == Noop(b"b")


def test_idle_ended_by_something_else() -> None:
    events, _, _ = _talk([b"a IDLE\r\nb NOOP\r\nc NOOP\r\n"])
    assert events == [Idle(b"a"), Done(b"a", is_clean=False), Noop(b"c")]


def test_idle_refused() -> None:
    events, _, _ = _talk([b"a IDLE\r\nb NOOP\r\n"], _no)
    assert events == [Idle(b"a"), Noop(b"b")]


@pytest.mark.parametrize(
    ("line", "data"),
    [(b"AGEAYg==", b"\0a\0b"), (b"", b""), (b"*", None), (b"?", None), (b"x" * MAX_LINE, None)],
)
def test_sasl(line: bytes, data: bytes | None) -> None:
    events, said, _ = _talk([b"a AUTHENTICATE PLAIN\r\n", line + b"\r\n", b"b NOOP\r\n"])
    assert events == [Authenticate(b"a", "PLAIN", None), SaslResponse(b"a", data), Noop(b"b")]
    assert said == b"+ Pw==\r\na OK Done.\r\nb OK Done.\r\n"
    assert "AGE" not in repr(events[1])


def test_starttls_forgets_what_was_said_in_clear() -> None:
    conversation = ServerConversation()
    conversation.receive_data(b"a STARTTLS\r\nb LOGIN mallory x\r\n")
    assert conversation.next_event() == StartTls(b"a")
    conversation.send(Tagged(b"a", "OK", "Go."))
    assert conversation.next_event() is None
    assert not conversation.wants_tls
    conversation.data_to_send()
    assert conversation.wants_tls
    conversation.tls_started()
    assert not conversation.wants_tls
    assert conversation.next_event() is None
    conversation.receive_data(b"c NOOP\r\n")
    assert conversation.next_event() == Noop(b"c")


def test_starttls_refused_goes_on() -> None:
    events, _, conversation = _talk([b"a STARTTLS\r\nb NOOP\r\n"], _no)
    assert events == [StartTls(b"a"), Noop(b"b")]
    assert not conversation.wants_tls


@pytest.mark.parametrize(
    "command",
    [
        b"a NOOP " + b"x" * MAX_LINE,
        b"a SEARCH " + b"SUBJECT {1+}\r\nx " * 5000 + b"ALL",
        b"a LOGIN x {%d}" % (MAX_LITERAL + 1),
        b"a LOGIN x {4294967295}",
        b"a LOGIN x {99999999999}",
        b"a LOGIN x {%d+}\r\n%b" % (MAX_LITERAL + 1, bytes(MAX_LITERAL + 1)),
        b"a SEARCH" + b" SUBJECT {60000+}\r\n%b" % (b"x" * 60000) * 5,
        b"a SEARCH" + b" SUBJECT {60000+}\r\n%b" % (b"x" * 60000) * 4 + b"x" * MAX_LINE,
        b"a " + b"x" * MAX_LINE + b" {8+}\r\nz NOOP\r\n",
    ],
    ids=range(9),
)
@pytest.mark.parametrize("before", [b"", LOGIN], ids=["stranger", "known"])
def test_what_is_too_big_is_refused_and_dropped(before: bytes, command: bytes) -> None:
    events, said, _ = _talk([before + command + b"\r\nb NOOP\r\n"])
    assert [type(event) for event in events][-2:] == [Invalid, Noop]
    assert said.removeprefix(b"z OK Done.\r\n").startswith(b"a BAD [TOOBIG] ")
    assert said.endswith(b"\r\nb OK Done.\r\n")
    assert b"+" not in said


@pytest.mark.parametrize(("before", "limit"), [(b"", MAX_OF_STRANGER), (LOGIN, MAX_LINE)])
def test_a_line_at_its_limit_is_read(before: bytes, limit: int) -> None:
    line = b"a LOGIN x " + b"y" * (limit - 12)
    events, _, _ = _talk([before + line + b"\r\n"])
    assert type(events[-1]) is Login
    events, _, _ = _talk([before + line + b"y\r\n"])
    assert type(events[-1]) is Invalid


@pytest.mark.parametrize(("before", "limit"), [(b"", MAX_OF_STRANGER), (LOGIN, MAX_LINE)])
def test_a_line_is_refused_before_its_end_is_there(before: bytes, limit: int) -> None:
    _, said, conversation = _talk([before + b"a NOOP " + b"x" * limit])
    assert said.endswith(b"a BAD [TOOBIG] Line too long.\r\n")
    assert conversation.wants_data


def test_a_tag_without_an_end_is_not_cut() -> None:
    _, said, _ = _talk(
        [b"x" * 70_000 + b"\r\n" + b"y" * 300 + b" " + b"x" * 70_000 + b"\r\nb NOOP\r\n"]
    )
    assert said == b"* BAD [TOOBIG] Line too long.\r\n" * 2 + b"b OK Done.\r\n"


def test_a_stranger_sends_no_large_literals() -> None:
    literals = b" SUBJECT {3000+}\r\n" + b"x" * 3000
    for before, wanted in ((b"", Invalid), (LOGIN, Search)):
        events, _, _ = _talk([before + b"a SEARCH" + literals * 3 + b"\r\n"])
        assert type(events[-1]) is wanted


def test_after_unauthenticate_a_client_is_a_stranger_again() -> None:
    literals = b" SUBJECT {3000+}\r\n" + b"x" * 3000
    search = b" SEARCH" + literals * 3 + b"\r\n"
    again = b"u UNAUTHENTICATE\r\n"
    for before, wanted in ((LOGIN + again, Invalid), (LOGIN + again + LOGIN, Search)):
        events, _, _ = _talk([before + b"a" + search])
        assert type(events[-1]) is wanted


@pytest.mark.parametrize("line", [b"a LOGIN x", b"a " + b"x" * MAX_LINE])
def test_a_literal_without_end_ends_the_conversation(line: bytes) -> None:
    _, said, conversation = _talk([line + b" {99999999999+}\r\nb NOOP\r\n"])
    assert said.endswith(b"* BYE [TOOBIG] Literal too big.\r\n")
    assert conversation.is_over


def test_too_many_errors_end_the_conversation() -> None:
    events, said, conversation = _talk([b"a FROB\r\n" * (MAX_BADS + 5)])
    assert len(events) == MAX_BADS
    assert said.endswith(b"* BYE Too many errors.\r\n")
    assert conversation.is_over
    assert not conversation.wants_data


def test_a_success_forgives_errors() -> None:
    events, _, conversation = _talk([(b"a FROB\r\n" * (MAX_BADS - 1) + b"b NOOP\r\n") * 3])
    assert len(events) == MAX_BADS * 3
    assert not conversation.is_over


def test_an_unreadable_tag_is_answered_without_one() -> None:
    _, said, _ = _talk([b"\r\n+ NOOP\r\n"])
    assert said == b"* BAD No tag.\r\n* BAD No tag.\r\n"


def test_bye_and_closing_answers_end_the_conversation() -> None:
    _, said, conversation = _talk(
        [b"a NOOP\r\nb NOOP\r\n"], lambda _: Tagged(b"a", "OK", "x", closes=True)
    )
    assert said == b"a OK x\r\n"
    assert conversation.is_over
    conversation = ServerConversation()
    conversation.push(Bye("Idle for too long."))
    assert conversation.is_over
    assert conversation.data_to_send() == b"* BYE Idle for too long.\r\n"


def test_the_end_of_input_is_the_end() -> None:
    events, _, conversation = _talk([b"a NOOP\r\nb NO", b""])
    assert events == [Noop(b"a")]
    assert conversation.is_over


def test_output_comes_in_slices() -> None:
    conversation = ServerConversation()
    conversation.push(b"abc")
    conversation.push(b"")
    conversation.push(b"defghij")
    assert [conversation.data_to_send(4) for _ in range(4)] == [b"abcd", b"efgh", b"ij", b""]


def test_output_in_pieces_is_cut_and_not_joined() -> None:
    conversation = ServerConversation()
    long = bytes(10)
    lines = InPieces([b"* 1 ", memoryview(long), b")\r\n"])
    assert (len(lines), bytes(lines)) == (17, b"* 1 " + long + b")\r\n")
    conversation.push(lines)
    first, second = conversation.pieces_to_send(8)
    assert (first, second) == (b"* 1 ", long[:4])
    assert isinstance(second, memoryview)
    assert second.obj is long
    assert conversation.pieces_to_send(6) == [long[4:]]
    assert conversation.pieces_to_send(6) == [b")\r\n"]
    assert conversation.pieces_to_send(6) == []


LINES = st.sampled_from(
    [
        b"a NOOP\r\n",
        b"b UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO)])\r\n",
        b"c LOGIN {3}\r\nabc {2+}\r\nxy\r\n",
        b"d APPEND inbox (\\Seen) {10}\r\n0123456789\r\n",
        b"e APPEND {1+}\r\nx {3+}\r\n\r\na\r\n",
        b"f APPEND x ~{4+}\r\nabcd z\r\n",
        b"g IDLE\r\nDONE\r\n",
        b"h AUTHENTICATE PLAIN\r\nAGEAYg==\r\n",
        b"i STARTTLS\r\n",
        b"j SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xc3\xa9 OR SEEN NOT 1:3\r\n",
        b"k LOGIN x {70000+}\r\n",
        b"l x {20}\r\n",
        b'm SELECT "INBOX"\n',
        b"n APPEND x {2+}\r\nab {3+}\r\nabc\r\n",
        b"{",
        b"}",
        b"\r",
        b"\n",
        b"x" * 100,
    ]
)
STREAMS = st.lists(st.one_of(LINES, st.binary(max_size=20)), max_size=12).map(b"".join)


def _without_tls(event: Event) -> Reply:
    """What follows STARTTLS in one piece is dropped, in another it is not: leave TLS out."""
    return _no(event) if isinstance(event, StartTls) else _ok(event)


@settings(max_examples=300)
@given(STREAMS, st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_the_same_events_however_octets_are_cut(stream: bytes, sizes: list[int]) -> None:
    pieces = []
    place = 0
    while place < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[place : place + size])
        place += size
    whole, said, _ = _talk([stream], _without_tls)
    cut, said_in_pieces, _ = _talk(pieces, _without_tls)
    assert cut == whole
    assert said_in_pieces == said


@settings(max_examples=20)
@given(st.integers(MAX_LINE - 20, MAX_LINE + 20), st.integers(1, 40_000), st.booleans())
def test_limits_do_not_depend_on_the_cut(length: int, size: int, crlf: bool) -> None:
    end = b"\r\n" if crlf else b"\n"
    stream = b"a NOOP {3+}" + b"x" * length + b" {7+}" + end + b"z LIST " + end + b"b NOOP" + end
    pieces = [stream[place : place + size] for place in range(0, len(stream), size)]
    assert _talk(pieces)[:2] == _talk([stream])[:2]
    line = b"a LOGIN x ".ljust(length, b"y") + end + b"b NOOP" + end
    pieces = [line[place : place + size] for place in range(0, len(line), size)]
    assert _talk(pieces)[:2] == _talk([line])[:2]


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=200), LINES), max_size=20))
def test_hostile_octets_raise_nothing_and_stay_bounded(pieces: list[bytes]) -> None:
    _, _, conversation = _talk([*pieces, b"x" * (READ_AHEAD + 1), b"{5+}\r\n", b""])
    assert len(conversation._incoming._buffer) <= READ_AHEAD + 200
    assert len(conversation._unfinished.text) <= MAX_LINE + 4 * MAX_LITERAL
