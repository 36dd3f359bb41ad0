"""The grammar of the SMTP server: orders, limits, and octets that are no SMTP at all."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.wire.conversation import READ_AHEAD, ConversationError
from protocols.wire.smtp.address import Address
from protocols.wire.smtp.events import (
    Auth,
    AuthAnswer,
    Event,
    MailFrom,
    MessageChunk,
    MessageEnd,
    RcptTo,
)
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.server import ServerConversation
from protocols.wire.smtp.terms import Terms
from tests.wire.smtp.dialogue import SUBMISSION, TERMS, Server, greeted, say_yes

MAIL = b"MAIL FROM:<a@a.test>\r\n"
RCPT = b"RCPT TO:<b@b.test>\r\n"
ENVELOPE = MAIL + RCPT + b"DATA\r\n"


def test_a_whole_session() -> None:
    server = Server()
    server.conversation.push(Reply(220, "", "mx.test ESMTP"))
    assert server.say(b"") == b"220 mx.test ESMTP\r\n"
    server = greeted()
    assert server.say(MAIL) == b"250 2.0.0 Ok\r\n"
    assert server.say(RCPT) == b"250 2.0.0 Ok\r\n"
    assert server.say(b"DATA\r\n") == b"354 End data with <CR><LF>.<CR><LF>\r\n"
    assert server.codes(b"Hi\r\n..\r\n.\r\n") == ["250 2.0.0"]
    assert server.messages == [b"Hi\r\n.\r\n"]
    assert server.say(b"QUIT\r\n") == b"221 2.0.0 Bye\r\n"
    assert server.conversation.is_over


def test_two_messages_pipelined() -> None:
    server = greeted()
    codes = server.codes((ENVELOPE + b"one\r\n.\r\n" + ENVELOPE + b"two\r\n.\r\n") + b"QUIT\r\n")
    assert [code[:3] for code in codes] == ["250", "250", "354", "250"] * 2 + ["221"]
    assert server.messages == [b"one\r\n", b"two\r\n"]


def test_ehlo_announces_what_works() -> None:
    assert Server().say(b"EHLO me\r\n").decode().splitlines() == [
        "250-mx.test",
        "250-PIPELINING",
        "250-SIZE 1000",
        "250-STARTTLS",
        "250-ENHANCEDSTATUSCODES",
        "250-8BITMIME",
        "250 SMTPUTF8",
    ]
    assert b"STARTTLS" not in Server(is_tls=True).say(b"EHLO me\r\n")
    assert b"AUTH" not in Server(SUBMISSION).say(b"EHLO me\r\n")
    assert b"AUTH PLAIN LOGIN" in Server(SUBMISSION, is_tls=True).say(b"EHLO me\r\n")
    clear = Terms(1000, is_submission=True, allows_clear_login=True)
    assert b"AUTH PLAIN LOGIN" in Server(clear).say(b"EHLO me\r\n")
    assert Server().say(b"HELO me\r\n") == b"250 mx.test\r\n"


LINES = {
    b"FROB": "500 5.5.2",
    b"GET / HTTP/1.1": "500 5.5.2",
    b"": "500 5.5.2",
    b"NOOP\0": "500 5.5.2",
    b"NOOP \x07": "500 5.5.2",
    b"NOOP \xff": "500 5.5.2",
    b"NOOP " + b"x" * 2100: "500 5.5.2",
    b"x" * 20000: "500 5.5.2",
    b"noop ignored": "250 2.0.0",
    b"NoOp": "250 2.0.0",
    b"RSET": "250 2.0.0",
    b"RSET now": "501 5.5.4",
    b"VRFY anna": "252 2.0.0",
    b"VRFY": "501 5.5.4",
    b"EXPN list": "502 5.5.1",
    b"HELP": "214 2.0.0",
    b"QUIT now": "501 5.5.4",
    b"DATA": "503 5.5.1",
    b"DATA now": "501 5.5.4",
    b"EHLO": "501 5.5.4",
    b"EHLO two words": "501 5.5.4",
    b"HELO " + b"x" * 256: "501 5.5.4",
    b"RCPT TO:<b@b.test>": "503 5.5.1",
    b"AUTH PLAIN": "502 5.5.1",
    b"STARTTLS x": "501 5.5.4",
    b"MAIL": "501 5.5.4",
    b"MAIL TO:<a@a.test>": "501 5.5.4",
    b"MAIL FROM:a@a.test": "501 5.1.7",
    b"MAIL FROM:<a>": "501 5.1.7",
    b"MAIL FROM:<postmaster>": "501 5.1.7",
    b"MAIL FROM:<a@a.test>SIZE=1": "501 5.5.4",
    b"MAIL FROM:<a@a.test> =1": "501 5.5.4",
    b"MAIL FROM:<a@a.test> SIZE=1 SIZE=2": "501 5.5.4",
    b"MAIL FROM:<a@a.test> SIZE": "501 5.5.4",
    b"MAIL FROM:<a@a.test> SIZE=-1": "501 5.5.4",
    b"MAIL FROM:<a@a.test> SIZE=" + b"1" * 21: "501 5.5.4",
    b"MAIL FROM:<a@a.test> SIZE=1001": "552 5.3.4",
    b"MAIL FROM:<a@a.test> SIZE=1000": "250 2.0.0",
    b"MAIL FROM:<a@a.test> BODY=BINARYMIME": "501 5.5.4",
    b"MAIL FROM:<a@a.test> SMTPUTF8=1": "501 5.5.4",
    b"MAIL FROM:<a@a.test> RET=HDRS": "555 5.5.4",
    b"MAIL FROM:<a@a.test> AUTH=<>": "555 5.5.4",
    "MAIL FROM:<ñ@a.test>".encode(): "553 5.6.7",
    "MAIL FROM:<ñ@a.test> SMTPUTF8".encode(): "250 2.0.0",
    b"MAIL FROM: <a@a.test>": "250 2.0.0",
    b"mail from:<a@a.test>": "250 2.0.0",
    b"MAIL FROM:<> ": "250 2.0.0",
    b"MAIL FROM:<@x.test:a@a.test>": "250 2.0.0",
}


@pytest.mark.parametrize(("line", "code"), LINES.items())
def test_line(line: bytes, code: str) -> None:
    assert greeted().codes(line + b"\r\n") == [code]


RECIPIENTS = {
    b"RCPT TO:<b@b.test>": "250 2.0.0",
    b"RCPT TO: <b@b.test>": "250 2.0.0",
    b"rcpt to:<Postmaster>": "250 2.0.0",
    b"RCPT TO:<@x.test:b@b.test>": "250 2.0.0",
    b"RCPT TO:<>": "501 5.1.3",
    b"RCPT TO:<b>": "501 5.1.3",
    b"RCPT TO:b@b.test": "501 5.1.3",
    b"RCPT FROM:<b@b.test>": "501 5.5.4",
    b"RCPT TO:<b@b.test> NOTIFY=NEVER": "555 5.5.4",
    "RCPT TO:<ñ@b.test>".encode(): "553 5.6.7",
    b"MAIL FROM:<a@a.test>": "503 5.5.1",
    b"DATA": "503 5.5.1",
}


@pytest.mark.parametrize(("line", "code"), RECIPIENTS.items())
def test_line_after_mail(line: bytes, code: str) -> None:
    server = greeted()
    server.say(MAIL)
    assert server.codes(line + b"\r\n") == [code]


def test_what_mail_says() -> None:
    server = greeted()
    server.say(b"MAIL FROM:<a@a.test> BODY=8BITMIME SMTPUTF8 size=7\r\n")
    assert server.senders == [MailFrom(Address("a", "a.test"), 7, True, True)]
    server.say(b"RSET\r\nMAIL FROM:<> BODY=7bit\r\n")
    assert server.senders[1] == MailFrom(None, 0, False, False)
    server.say("RSET\r\nMAIL FROM:<ñ@a.test> SMTPUTF8\r\nRCPT TO:<é@ü.test>\r\n".encode())
    assert server.recipients == ["é@ü.test"]


def test_order_of_commands() -> None:
    server = Server()
    assert server.codes(MAIL + RCPT + b"DATA\r\n") == ["503 5.5.1"] * 3
    server = greeted()
    assert server.codes(MAIL + b"RSET\r\n" + RCPT) == ["250 2.0.0", "250 2.0.0", "503 5.5.1"]
    assert server.codes(MAIL + b"EHLO me\r\n" + RCPT) == ["250 2.0.0", "250", "503 5.5.1"]
    server = Server()
    server.say(b"HELO me\r\n")
    assert server.codes(b"MAIL FROM:<a@a.test> SIZE=1\r\n") == ["555 5.5.4"]


def test_what_the_session_refuses_does_not_count() -> None:
    def refuse(event: Event) -> Reply:
        refused = isinstance(event, RcptTo) and event.recipient.local == "nobody"
        return Reply(550, "5.1.1", "No") if refused else say_yes(event)

    server = greeted(answer=refuse)
    assert server.codes(MAIL + b"RCPT TO:<nobody@b.test>\r\nDATA\r\n")[1:] == [
        "550 5.1.1",
        "503 5.5.1",
    ]
    assert server.codes(RCPT + b"DATA\r\n") == ["250 2.0.0", "354"]
    server = greeted(answer=lambda e: Reply(451, "", "") if isinstance(e, MailFrom) else say_yes(e))
    assert server.codes(MAIL + RCPT) == ["451", "503 5.5.1"]


def test_too_many_recipients() -> None:
    server = greeted(Terms(1000, max_recipients=2))
    codes = server.codes(MAIL + RCPT * 3 + b"DATA\r\n")
    assert codes[1:] == ["250 2.0.0", "250 2.0.0", "452 4.5.3", "354"]


def test_too_many_errors_end_the_session() -> None:
    server = greeted()
    assert server.codes(b"FROB\r\n" * 30) == ["500 5.5.2"] * 19 + ["421 4.7.0"]
    assert server.conversation.is_over
    assert not server.conversation.wants_data


@pytest.mark.parametrize("line", [b"NOOP\r\n", b"RSET\r\n", b"EHLO me\r\n", b"VRFY a\r\n"])
def test_too_many_commands_without_a_message_end_the_session(line: bytes) -> None:
    server = Server()
    codes = server.codes(line * 120)
    assert len(codes) == 101
    assert codes[-1] == "421 4.7.0"


def test_messages_make_room_for_more_commands() -> None:
    server = greeted()
    for _ in range(5):
        server.say(b"NOOP\r\n" * 60 + ENVELOPE + b"x\r\n.\r\n")
    assert len(server.messages) == 5


def test_somebody_tries_names_out() -> None:
    server = greeted(answer=lambda e: Reply(550, "", "") if isinstance(e, RcptTo) else say_yes(e))
    codes = server.codes(MAIL + RCPT * 200)
    assert codes[1:] == ["550"] * 100 + ["421 4.7.0"]


def test_a_bare_lf_ends_no_command() -> None:
    server = greeted()
    assert server.codes(b"NOOP\nNOOP\r\n") == ["500 5.5.2", "250 2.0.0"]


# Data


@pytest.mark.parametrize("body", [b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"a\n.\nQUIT\r\n"])
def test_bare_octets_are_refused_at_the_end(body: bytes) -> None:
    server = greeted()
    server.say(ENVELOPE)
    assert server.codes(body) == []
    assert server.codes(b".\r\n" + MAIL) == ["550 5.6.0", "250 2.0.0"]
    assert server.messages == []


def test_submission_mends_line_ends() -> None:
    server = greeted(Terms(1000, is_submission=True, allows_clear_login=True))
    server.say(b"AUTH PLAIN AGFubmEAc2VjcmV0\r\n" + ENVELOPE)
    assert server.codes(b"a\nb\r\n.\r\n") == ["250 2.0.0"]
    assert server.messages == [b"a\r\nb\r\n"]
    server.say(ENVELOPE)
    assert server.codes(b"a\rb\r\n.\r\n") == ["550 5.6.0"]


def test_a_message_beyond_the_limit_is_swallowed_and_refused() -> None:
    server = greeted()
    server.say(ENVELOPE)
    assert server.codes(b"x" * 999 + b"\r\n.\r\n") == ["552 5.3.4"]
    server.say(ENVELOPE)
    assert server.codes(b"x" * 998 + b"\r\n.\r\n") == ["250 2.0.0"]
    assert [len(message) for message in server.messages] == [1000]


def test_an_endless_message_ends_the_session() -> None:
    server = greeted()
    server.say(ENVELOPE)
    said = b""
    for _ in range(10):
        said += server.say(b"x" * READ_AHEAD)
        assert len(server.conversation._received) <= READ_AHEAD
    assert said == b"552 5.3.4 Message too big\r\n"
    assert server.conversation.is_over


def test_a_large_message_comes_in_few_pieces() -> None:
    server = greeted(Terms(10 << 20))
    server.say(ENVELOPE)
    body = (b"x" * 78 + b"\r\n") * 5000
    for start in range(0, len(body), 1000):
        server.say(body[start : start + 1000])
        assert len(server.conversation._received) < READ_AHEAD
    server.say(b".\r\n")
    assert server.messages == [body]
    pieces = [e for e in server.events if isinstance(e, MessageChunk | MessageEnd)]
    assert len(pieces) <= 2 * len(body) // READ_AHEAD + 1


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\r\n.", b"\r\n.\r"])
def test_a_full_buffer_always_gives_something(end: bytes) -> None:
    """Octets held back as a possible end must not fill the buffer and stop the reading."""
    server = greeted(Terms(10 << 20))
    server.say(ENVELOPE)
    full = b"x" * (READ_AHEAD - len(end)) + end
    server.conversation.receive_data(full)
    assert isinstance(server.conversation.next_event(), MessageChunk)
    assert server.conversation.wants_data


def test_long_lines_are_taken() -> None:
    server = greeted(Terms(1 << 20))
    server.say(ENVELOPE + b"x" * 300_000 + b"\r\n.\r\n")
    assert server.messages == [b"x" * 300_000 + b"\r\n"]


def test_unread_octets_stop_the_reading() -> None:
    conversation = ServerConversation(TERMS)
    conversation.receive_data(b"EHLO me\r\n" + b"x" * READ_AHEAD)
    assert not conversation.wants_data
    assert conversation.next_event() is not None
    assert conversation.next_event() is None


def test_an_answer_without_a_question_is_our_bug() -> None:
    with pytest.raises(ConversationError):
        ServerConversation(TERMS).send(Reply(250, "", ""))


@pytest.mark.parametrize("said", [b"NOO", MAIL, ENVELOPE, ENVELOPE + b"half a mess"])
def test_a_client_that_hangs_up(said: bytes) -> None:
    server = greeted()
    server.say(said)
    assert not server.conversation.is_over
    server.say(b"")
    assert server.conversation.is_over
    assert server.messages == []


def test_what_came_before_hanging_up_is_answered() -> None:
    server = greeted()
    server.conversation.receive_data(ENVELOPE + b"x\r\n.\r\nNOOP\r\n")
    assert len(server.codes(b"")) == 5
    assert server.messages == [b"x\r\n"]
    assert server.conversation.is_over


# TLS


def test_starttls_forgets_what_was_said_in_clear() -> None:
    server = greeted()
    server.say(MAIL)
    assert server.codes(b"STARTTLS\r\nRCPT TO:<injected@b.test>\r\n") == ["220 2.0.0"]
    assert server.conversation.wants_tls
    server.conversation.tls_started()
    assert not server.conversation.wants_tls
    assert server.codes(b"RCPT TO:<b@b.test>\r\n" + MAIL) == ["503 5.5.1", "503 5.5.1"]
    assert server.recipients == []
    assert b"STARTTLS" not in server.say(b"EHLO me\r\n")
    assert server.codes(b"STARTTLS\r\n") == ["502 5.5.1"]


def test_tls_waits_until_the_answer_is_flushed() -> None:
    conversation = greeted().conversation
    conversation.receive_data(b"STARTTLS\r\nNOOP\r\n")
    assert conversation.next_event() is None
    assert not conversation.wants_tls
    conversation.data_to_send()
    assert conversation.wants_tls
    assert conversation.next_event() is None


# Login


def plain(username: str, password: str, authorization: str = "") -> bytes:
    return base64.b64encode(f"{authorization}\0{username}\0{password}".encode())


def submitting(answer: str = "235 2.7.0") -> Server:
    code, enhanced = answer.split()

    def reply(event: Event) -> Reply:
        said = say_yes(event)
        return Reply(int(code), enhanced, "") if said.code == 235 else said

    return greeted(SUBMISSION, is_tls=True, answer=reply)


def test_login_in_one_line_or_in_many() -> None:
    server = submitting()
    assert server.codes(b"auth plain AGEAYg==\r\n") == ["235 2.7.0"]
    assert server.events[-1] == Auth("plain", b"\0a\0b")
    server = submitting()
    assert server.say(b"AUTH LOGIN\r\n") == b"334 Z28gb24=\r\n"
    assert server.codes(b"YW5uYQ==\r\n" + MAIL) == ["235 2.7.0", "250 2.0.0"]
    assert server.events[1:3] == [Auth("LOGIN", None), AuthAnswer(b"anna")]
    assert "anna" not in repr(server.events[1:3])


def test_an_empty_answer_and_an_empty_initial_response() -> None:
    server = submitting()
    server.say(b"AUTH X =\r\n")
    assert server.events[-1] == Auth("X", b"")
    server = submitting()
    server.say(b"AUTH X\r\n\r\n")
    assert server.events[-1] == AuthAnswer(b"")


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (b"AUTH PLAIN\r\n*\r\n", ["334", "501 5.7.0"]),
        (b"AUTH PLAIN\r\n?\r\n", ["334", "501 5.5.2"]),
        (b"AUTH PLAIN ?\r\n", ["501 5.5.2"]),
        (b"AUTH PLAIN AGEAYg== AGEAYg==\r\n", ["501 5.5.2"]),
        (b"AUTH PLAIN " + b"QUFB" * 4000 + b"\r\n", ["500 5.5.2"]),
        (b"AUTH PLAIN\r\n" + b"QUFB" * 4000 + b"\r\nNOOP\r\n", ["334", "500 5.5.6", "250 2.0.0"]),
        (b"AUTH PLAIN\r\nAGEAYg==\nNOOP\r\n", ["334", "500 5.5.2", "250 2.0.0"]),
    ],
)
def test_login_that_fails_in_its_grammar(said: bytes, codes: list[str]) -> None:
    server = submitting()
    assert server.codes(said) == codes
    assert not any(isinstance(event, AuthAnswer) for event in server.events)
    assert server.codes(MAIL) == ["530 5.7.0"]


def test_login_where_it_may_not_be() -> None:
    login = b"AUTH PLAIN " + plain("anna", "secret") + b"\r\n"
    assert greeted(SUBMISSION).codes(login + MAIL) == ["538 5.7.11", "530 5.7.0"]
    assert Server(SUBMISSION, is_tls=True).codes(login) == ["503 5.5.1"]
    server = submitting()
    assert server.codes(login + login) == ["235 2.7.0", "503 5.5.1"]


@pytest.mark.parametrize("refusal", ["535 5.7.8", "454 4.7.0"])
def test_failed_logins_end_the_session(refusal: str) -> None:
    server = submitting(refusal)
    login = b"AUTH PLAIN " + plain("anna", "wrong") + b"\r\n"
    assert server.codes(login + MAIL) == [refusal, "530 5.7.0"]
    assert server.codes(login * 9) == [refusal] * 4 + ["421 4.7.0"]


def test_submission_takes_the_auth_parameter() -> None:
    server = submitting()
    server.say(b"AUTH PLAIN " + plain("anna", "secret") + b"\r\n")
    assert server.codes(b"MAIL FROM:<a@a.test> AUTH=<>\r\n") == ["250 2.0.0"]


# Anything

words = st.sampled_from(
    [
        b"EHLO me\r\n",
        b"HELO me\r\n",
        MAIL,
        b"MAIL FROM:<> SIZE=2000\r\n",
        RCPT,
        b"DATA\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"\n.\r\n",
        b"RSET\r\n",
        b"NOOP\n",
        b"STARTTLS\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH PLAIN\r\n",
        b"YW5uYQ==\r\n",
        b"*\r\n",
        b"QUIT\r\n",
        b"x" * 3000,
        b"\r\n",
    ]
)
octets = st.lists(words | st.binary(max_size=12), max_size=40).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(octets, st.lists(st.integers(1, 30), max_size=200), st.booleans())
def test_any_octets_cut_anywhere_get_the_same_answers(
    said: bytes, sizes: list[int], is_submission: bool
) -> None:
    terms = Terms(500, is_submission=is_submission, allows_clear_login=True)
    whole, pieces = Server(terms), Server(terms)
    expected = whole.say(said)
    got, start = b"", 0
    for size in [*sizes, len(said)]:
        if start < len(said):
            got += pieces.say(said[start : start + size])
        start += size
        assert len(pieces.conversation._received) <= READ_AHEAD
    assert got == expected
    assert pieces.messages == whole.messages
    for line in expected.splitlines():
        assert line[:3].isdigit()
