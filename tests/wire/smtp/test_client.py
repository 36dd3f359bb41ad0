"""The client machine: against lines written by hand, and against our own server machine."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.wire.conversation import ConversationError
from protocols.wire.smtp.client import ClientConversation
from protocols.wire.smtp.client_events import (
    Closed,
    Event,
    Phase,
    Ready,
    Sent,
    TlsGoAhead,
    TlsRefused,
)
from protocols.wire.smtp.events import Event as ServerEvent
from protocols.wire.smtp.events import MailFrom, MessageEnd, RcptTo
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.terms import Terms
from tests.wire.smtp.dialogue import Server, say_yes

GREETING = b"220 mx.test\r\n"
PIPELINING = b"250-mx.test\r\n250-PIPELINING\r\n250 SIZE 5000\r\n"
PLAIN = b"250 mx.test\r\n"


def ready(hello: bytes = PIPELINING) -> ClientConversation:
    client = ClientConversation("me.test")
    client.receive_data(GREETING)
    assert client.data_to_send() == b"EHLO me.test\r\n"
    client.receive_data(hello)
    assert isinstance(client.next_event(), Ready)
    return client


def sending(hello: bytes = PIPELINING, recipients: int = 2) -> ClientConversation:
    client = ready(hello)
    names = [f"b{number}@b.test" for number in range(recipients)]
    client.send_message("a@a.test", names, b"Hi\r\n.\r\n")
    return client


def converse(client: ClientConversation, lines: Sequence[str]) -> list[Event]:
    """Play `C:` and `S:` lines; the events that came of it."""
    events = []
    for line in lines:
        side, text = line[:3], line[3:].encode() + b"\r\n"
        if side == "C: ":
            assert client.data_to_send(len(text)) == text
        else:
            client.receive_data(text)
            while (event := client.next_event()) is not None:
                events.append(event)
    return events


def codes(event: Event) -> list[int | None]:
    assert isinstance(event, Sent | Closed)
    return [reply.code if reply else None for reply in event.replies]


def test_without_pipelining_one_command_at_a_time() -> None:
    client = sending(PLAIN)
    events = converse(
        client,
        [
            "C: MAIL FROM:<a@a.test>",
            "S: 250 ok",
            "C: RCPT TO:<b0@b.test>",
            "S: 550 5.1.1 no",
            "C: RCPT TO:<b1@b.test>",
            "S: 250 ok",
            "C: DATA",
            "S: 354 go",
            "C: Hi",
            "C: ..",
            "C: .",
            "S: 250 2.0.0 queued",
        ],
    )
    assert [codes(event) for event in events] == [[550, 250]]
    assert isinstance(events[0], Sent)
    assert client.data_to_send() == b""
    assert client.phase is Phase.READY


def test_with_pipelining_the_envelope_goes_out_at_once() -> None:
    client = sending()
    assert client.data_to_send() == (
        b"MAIL FROM:<a@a.test> SIZE=7\r\nRCPT TO:<b0@b.test>\r\nRCPT TO:<b1@b.test>\r\nDATA\r\n"
    )
    client.receive_data(b"250 ok\r\n250 ok\r\n452 4.2.2 full\r\n354 go\r\n")
    assert client.data_to_send() == b"Hi\r\n..\r\n.\r\n"
    assert client.is_final_dot_unanswered
    client.receive_data(b"250 2.0.0 queued\r\n")
    event = client.next_event()
    assert event is not None
    assert codes(event) == [250, 452]


@pytest.mark.parametrize("hello", [PIPELINING, PLAIN])
def test_mail_refused(hello: bytes) -> None:
    client = sending(hello)
    client.data_to_send()
    rest = b"503 no\r\n" * 3 if hello is PIPELINING else b""
    client.receive_data(b"550 5.7.1 go away\r\n" + rest)
    event = client.next_event()
    assert event == Sent((Reply(550, "5.7.1", "go away"),) * 2)
    assert client.data_to_send() == b""


@pytest.mark.parametrize("hello", [PIPELINING, PLAIN])
def test_every_recipient_refused_then_the_next_message(hello: bytes) -> None:
    client = sending(hello)
    if hello is PLAIN:
        lines = ["S: 250 ok", "S: 550 no", "S: 451 later"]
    else:
        lines = ["S: 250 ok", "S: 550 no", "S: 451 later", "S: 554 no recipients"]
    events = []
    for line in lines:
        client.data_to_send()
        events += converse(client, [line])
    assert [codes(event) for event in events] == [[550, 451]]
    client.send_message("", ["c@c.test"], b"")
    said = client.data_to_send()
    if hello is PLAIN:
        assert said == b"RSET\r\n"
        converse(client, ["S: 250 flushed", "C: MAIL FROM:<>"])
    else:
        assert said.startswith(b"RSET\r\nMAIL FROM:<>")


def test_354_though_nobody_was_accepted_is_ended_with_a_dot() -> None:
    client = sending()
    client.data_to_send()
    client.receive_data(b"250 ok\r\n550 no\r\n550 no\r\n354 go\r\n")
    assert client.data_to_send() == b".\r\n"
    assert not client.is_final_dot_unanswered
    client.receive_data(b"554 no recipients\r\n")
    event = client.next_event()
    assert event is not None
    assert codes(event) == [550, 550]


@pytest.mark.parametrize(
    "said",
    [
        b"354 go\r\n250 ok\r\n354 go\r\n250 ok\r\n",
        b"250 ok\r\n354 go\r\n354 go\r\n250 ok\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n",
        b"250 ok\r\n250 ok\r\n354 go\r\n354 go\r\n",
    ],
)
def test_an_answer_out_of_place_never_counts_as_accepted(said: bytes) -> None:
    client = sending(PLAIN, recipients=1)
    for line in said.splitlines(keepends=True):
        client.data_to_send()
        client.receive_data(line)
    events = []
    while (event := client.next_event()) is not None:
        events.append(event)
    assert [codes(each) for each in events if isinstance(each, Sent)] == [[450]]


def test_data_refused_and_message_refused() -> None:
    client = sending(recipients=1)
    client.data_to_send()
    client.receive_data(b"250 ok\r\n250 ok\r\n451 4.3.0 later\r\n")
    assert client.next_event() == Sent((Reply(451, "4.3.0", "later"),))
    client = sending(recipients=1)
    client.data_to_send()
    client.receive_data(b"250 ok\r\n250 ok\r\n354 go\r\n")
    client.data_to_send()
    client.receive_data(b"554 5.6.0 spam\r\n")
    assert client.next_event() == Sent((Reply(554, "5.6.0", "spam"),))
    assert client.data_to_send() == b""


def test_a_connection_lost_after_the_final_dot_is_ambiguous() -> None:
    client = sending()
    client.data_to_send()
    client.receive_data(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n")
    client.data_to_send()
    client.receive_data(b"")
    event = client.next_event()
    assert isinstance(event, Closed)
    assert event.is_ambiguous
    assert codes(event) == [None, 550]


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        (b"", Phase.ENVELOPE),
        (b"250 ok\r\n", Phase.ENVELOPE),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", Phase.BODY),
    ],
)
def test_a_connection_lost_before_the_final_dot_is_not(said: bytes, phase: Phase) -> None:
    client = sending()
    client.data_to_send()
    client.receive_data(said)
    client.receive_data(b"")
    event = client.next_event()
    assert isinstance(event, Closed)
    assert (event.phase, event.is_ambiguous) == (phase, False)
    assert client.is_over


def test_421_goes_for_all() -> None:
    client = sending()
    client.data_to_send()
    client.receive_data(b"250 ok\r\n250 ok\r\n421 4.3.2 bye\r\n")
    event = client.next_event()
    assert isinstance(event, Closed)
    assert event.reply == Reply(421, "4.3.2", "bye")
    assert codes(event) == [None, None]


def test_an_error_amid_the_body_goes_for_all() -> None:
    client = ready()
    client.send_message("a@a.test", ["b@b.test"], b"x" * 300_000)
    client.data_to_send()
    client.receive_data(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert len(client.data_to_send(1000)) == 1000
    client.receive_data(b"552 5.3.4 too big\r\n")
    event = client.next_event()
    assert isinstance(event, Closed)
    assert event.reply == Reply(552, "5.3.4", "too big")
    assert not event.is_ambiguous
    assert client.data_to_send() == b""


def test_a_greeting_that_refuses() -> None:
    client = ClientConversation("me.test")
    client.receive_data(b"554 5.7.1 no\r\n")
    event = client.next_event()
    assert isinstance(event, Closed)
    assert event.reply == Reply(554, "5.7.1", "no")
    assert client.data_to_send() == b"QUIT\r\n"


def test_a_server_that_knows_only_helo() -> None:
    client = ClientConversation("me.test")
    client.receive_data(GREETING)
    client.data_to_send()
    client.receive_data(b"502 what\r\n")
    assert client.data_to_send() == b"HELO me.test\r\n"
    client.receive_data(b"250 hello\r\n")
    event = client.next_event()
    assert isinstance(event, Ready)
    assert event.extensions.keywords == {}


def test_extensions() -> None:
    client = ready(b"250-mx\r\n250-size 10\r\n250-AUTH=LOGIN\r\n250-8BITMIME\r\n250 ??\r\n")
    assert client.extensions.keywords == {"SIZE": "10", "AUTH": "LOGIN", "8BITMIME": ""}
    assert client.extensions.size_limit == 10
    assert ready(b"250-mx\r\n250 SIZE\r\n").extensions.size_limit == 0
    assert ready(b"250-mx\r\n250 SIZE x\r\n").extensions.size_limit == 0


def test_parameters_of_mail() -> None:
    client = ready(b"250-mx\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
    client.send_message("ñ@a.test", ["b@b.test"], b"x", is_8bit=True, is_smtputf8=True)
    assert client.data_to_send() == "MAIL FROM:<ñ@a.test> BODY=8BITMIME SMTPUTF8\r\n".encode()


def test_tls() -> None:
    client = ready()
    client.start_tls()
    assert client.data_to_send() == b"STARTTLS\r\n"
    client.receive_data(b"220 go\r\n")
    assert client.next_event() == TlsGoAhead()
    client.tls_started()
    assert "PIPELINING" not in client.extensions
    assert client.data_to_send() == b"EHLO me.test\r\n"
    client.receive_data(PIPELINING)
    assert isinstance(client.next_event(), Ready)


def test_tls_refused() -> None:
    client = ready()
    client.start_tls()
    client.receive_data(b"454 4.7.0 not now\r\n")
    assert client.next_event() == TlsRefused(Reply(454, "4.7.0", "not now"))
    client.send_message("a@a.test", ["b@b.test"], b"x")


def test_clear_text_behind_starttls_is_an_attack() -> None:
    client = ready()
    client.start_tls()
    client.receive_data(b"220 go\r\n250 injected\r\n")
    event = client.next_event()
    assert isinstance(event, Closed)
    assert client.is_over


def test_quit() -> None:
    client = ready()
    client.quit()
    assert client.data_to_send() == b"QUIT\r\n"
    client.receive_data(b"221 bye\r\n")
    assert isinstance(client.next_event(), Closed)
    client.quit()
    assert client.data_to_send() == b""


def test_patience_follows_rfc_5321() -> None:
    client = sending(recipients=1)
    assert client.patience == 120
    client.data_to_send()
    client.receive_data(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert client.patience == 180
    client.data_to_send()
    assert client.patience == 600
    client.receive_data(b"250 ok\r\n")
    assert client.patience == 300


def test_an_address_cannot_smuggle_a_command() -> None:
    with pytest.raises(ConversationError):
        ready().send_message("a@a.test>\r\nRSET", ["b@b.test"], b"x")
    with pytest.raises(ConversationError):
        ready().start_tls() or sending().start_tls()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"250 ok\r\n", b"354 go\r\n"])))
def test_any_octets_end_well(pieces: list[bytes]) -> None:
    client = sending()
    for piece in pieces:
        client.receive_data(piece or b"\0")
        client.data_to_send()
        assert len(client._received) < 5000
    client.receive_data(b"")
    events = []
    while (event := client.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], Closed)
    assert sum(isinstance(event, Closed) for event in events) == 1


# Against our own server

names = st.sampled_from(["good", "unknown", "full"])
bodies = st.lists(st.sampled_from([b"", b".", b"..", b"text", b".text"]), max_size=6)


class Mx:
    """A server that knows `good`, does not know `unknown`, and finds `full` full."""

    def __init__(self, *, has_pipelining: bool) -> None:
        self.recipients: list[str] = []
        self.delivered: list[tuple[str, list[str]]] = []
        self._sender = ""
        self._has_pipelining = has_pipelining
        self.server = Server(Terms(10_000), answer=self.answer)
        self.server.conversation.push(Reply(220, "", "mx.test"))

    def answer(self, event: ServerEvent) -> Reply:
        match event:
            case MailFrom(sender):
                self._sender, self.recipients = str(sender or ""), []
            case RcptTo(recipient) if recipient.local == "unknown":
                return Reply(550, "5.1.1", "unknown")
            case RcptTo(recipient) if recipient.local == "full":
                return Reply(452, "4.2.2", "full")
            case RcptTo(recipient):
                self.recipients.append(str(recipient))
            case MessageEnd():
                self.delivered.append((self._sender, self.recipients))
        reply = say_yes(event)
        lines = tuple(line for line in reply.lines if self._has_pipelining or line != "PIPELINING")
        return Reply(reply.code, reply.enhanced, lines)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.lists(names, min_size=1, max_size=4), bodies), max_size=4),
    st.booleans(),
    st.lists(st.integers(1, 40), max_size=60),
)
def test_client_against_server(
    messages: list[tuple[list[str], list[bytes]]], has_pipelining: bool, sizes: list[int]
) -> None:
    mx = Mx(has_pipelining=has_pipelining)
    client = ClientConversation("client.test")
    replies: list[list[int | None]] = []
    waiting = [
        ([f"{name}@b.test" for name in who], b"".join(line + b"\r\n" for line in body))
        for who, body in messages
    ]
    expected = list(waiting)
    cuts = iter(sizes)
    while not client.is_over:
        if said := client.data_to_send(next(cuts, 1000)):
            mx.server.conversation.receive_data(said)
        mx.server.run()
        if answer := mx.server.conversation.data_to_send():
            client.receive_data(answer)
        while (event := client.next_event()) is not None:
            if isinstance(event, Sent):
                replies.append(codes(event))
            if isinstance(event, Ready | Sent):
                if waiting:
                    client.send_message("a@a.test", *waiting.pop(0))
                else:
                    client.quit()
    word = {"good": 250, "unknown": 550, "full": 452}
    assert replies == [[word[name] for name in who] for who, _ in messages]
    wanted = [body for who, body in expected if any(name.startswith("good") for name in who)]
    assert mx.server.messages == wanted
    assert [who for _, who in mx.delivered] == [
        [name for name in who if name.startswith("good")]
        for who, _ in expected
        if any(name.startswith("good") for name in who)
    ]
