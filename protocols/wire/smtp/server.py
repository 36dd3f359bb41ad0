"""The server side of SMTP and submission: the grammar, the order of commands and their limits.

Rules of the file: no I/O, no policy. Commands end in CRLF and nothing else. What a client sends
before the greeting is kept and answered after it; what it sends between STARTTLS and the handshake
is thrown away unread (RFC 3207 §4.2).
"""

import re
from collections.abc import Callable

from protocols.wire import sasl
from protocols.wire.conversation import READ_AHEAD, SAY_AHEAD, ConversationError, Pieces
from protocols.wire.receive_buffer import LineTooLong, ReceiveBuffer
from protocols.wire.smtp import refusals as say
from protocols.wire.smtp.envelope import parse_mail, parse_rcpt
from protocols.wire.smtp.events import (
    Auth,
    AuthAnswer,
    Event,
    Hello,
    MessageEnd,
)
from protocols.wire.smtp.incoming import IncomingMessage
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.terms import Terms

# RFC 5321 §4.5.3.1.4 asks for 512 octets; extensions add to it, addresses may be in UTF-8.
_COMMAND_LIMIT = 2048
_ERROR_LIMIT = 20
_FAILED_LOGIN_LIMIT = 5
_UNKNOWN_RECIPIENT_LIMIT = 100
# Commands that lead to no message: a session that only makes us work is cut off.
_FRUITLESS_LIMIT = 100

_HELLO_NAME = re.compile(r"[^\s\x00-\x20\x7f]{1,255}")


class ServerConversation:
    """One client. The session answers its events; all else is answered here."""

    __slots__ = (
        "_errors",
        "_failed_logins",
        "_fruitless",
        "_has_sender",
        "_is_challenged",
        "_is_extended",
        "_is_greeted",
        "_is_logged_in",
        "_is_over",
        "_is_smtputf8",
        "_is_tls",
        "_is_tls_due",
        "_message",
        "_on_answer",
        "_out",
        "_received",
        "_recipients",
        "_terms",
        "_unknown_recipients",
    )

    def __init__(self, terms: Terms, *, is_tls: bool = False) -> None:
        self._terms = terms
        self._is_tls = is_tls
        self._received = ReceiveBuffer()
        self._out = bytearray()
        self._on_answer: Callable[[int], None] | None = None
        self._is_over = False
        self._is_tls_due = False
        self._errors = 0
        self._fruitless = 0
        self._unknown_recipients = 0
        self._failed_logins = 0
        self._forget()

    def _forget(self) -> None:
        self._is_greeted = False
        self._is_extended = False
        self._is_logged_in = False
        self._is_challenged = False
        self._end_transaction()

    def _end_transaction(self) -> None:
        self._has_sender = False
        self._is_smtputf8 = False
        self._recipients = 0
        self._message: IncomingMessage | None = None

    # What the shell asks and does

    @property
    def wants_data(self) -> bool:
        return len(self._received) < READ_AHEAD and not self._is_over

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def wants_tls(self) -> bool:
        return self._is_tls_due and not self._out

    @property
    def wants_flush(self) -> bool:
        return len(self._out) > SAY_AHEAD

    def receive_data(self, data: bytes) -> None:
        """Take octets as they come; b"" means the client hung up."""
        if not self._is_over:
            self._received.feed(data)

    def data_to_send(self, limit: int = 1 << 20) -> bytes:
        """At most about `limit` octets to write next; b"" when there are none."""
        data = bytes(memoryview(self._out)[:limit])
        del self._out[:limit]
        return data

    def pieces_to_send(self, limit: int = 1 << 20) -> Pieces:
        """As `data_to_send`, in pieces; [] when there are none."""
        data = self.data_to_send(limit)
        return [data] if data else []

    def push(self, response: Reply) -> None:
        """Say the greeting, or 421 and be over."""
        self._say(response)

    def tls_started(self) -> None:
        """Forget everything learnt or buffered in clear text (RFC 3207 §4.2)."""
        self._is_tls, self._is_tls_due = True, False
        self._received.clear()
        self._forget()

    def next_event(self) -> Event | None:
        """What the client said next, or None when more octets (or an answer) are needed."""
        if self._on_answer is not None:
            return None
        while not self._is_over and not self._is_tls_due:
            if self._message is not None:
                return self._continue_message(self._message)
            try:
                line = self._received.take_line(sasl.LINE_LIMIT + 2, accept_bare_lf=True)
            except LineTooLong:
                # RFC 4954 §4: in an exchange it is the AUTH command that fails.
                self._answer(say.LOGIN_TOO_LONG if self._is_challenged else say.LINE_TOO_LONG)
                self._is_challenged = False
                continue
            if line is None:
                self._is_over = self._received.is_closed
                return None
            answer = self._understand(line)
            if not isinstance(answer, Reply):
                return answer
            self._answer(answer)
        return None

    def send(self, reply: Reply) -> None:
        """Answer the event last returned."""
        on_answer = self._on_answer
        if on_answer is None:
            raise ConversationError("nothing waits for an answer")
        self._on_answer = None
        self._say(reply)
        on_answer(reply.code)

    def _say(self, reply: Reply) -> None:
        self._out += reply.to_bytes()
        if reply.code == 421:
            self._is_over = True

    def _answer(self, reply: Reply) -> None:
        """Say what the grammar answers; too many errors, or too much idle talk, ends it."""
        if reply.code >= 500:
            self._errors += 1
            if self._errors >= _ERROR_LIMIT:
                reply = say.TOO_MANY_ERRORS
        elif reply.code in (250, 252, 214) and self._is_fruitless():
            reply = say.TOO_MANY_COMMANDS
        self._say(reply)

    def _is_fruitless(self) -> bool:
        self._fruitless += 1
        return self._fruitless > _FRUITLESS_LIMIT

    def _understand(self, line: bytes) -> Event | Reply:
        if self._received.ended_bare:
            self._is_challenged = False
            return say.BARE_LF
        if self._is_challenged:
            return self._take_answer(line)
        verb, _, argument = line.rstrip(b" \t").partition(b" ")  # RFC 5321 §4.1.1
        command = _VERBS.get(verb) or _VERBS.get(verb.upper())
        if command is None:
            return say.NOT_RECOGNISED
        if len(line) > _COMMAND_LIMIT and command is not ServerConversation._auth:
            return say.LINE_TOO_LONG
        try:
            text = argument.decode()
        except UnicodeDecodeError:
            return say.NOT_RECOGNISED
        return command(self, text.strip(" ")) if text.isprintable() else say.NOT_RECOGNISED

    # Greeting

    def _ehlo(self, argument: str) -> Event | Reply:
        return self._hello(argument, is_extended=True)

    def _helo(self, argument: str) -> Event | Reply:
        return self._hello(argument, is_extended=False)

    def _hello(self, name: str, *, is_extended: bool) -> Event | Reply:
        if _HELLO_NAME.fullmatch(name) is None:
            return say.HELLO_NEEDS_NAME
        if self._is_fruitless():
            return say.TOO_MANY_COMMANDS
        self._end_transaction()
        self._is_extended = is_extended
        self._on_answer = self._after_hello
        return Hello(name, is_extended, self._keywords() if is_extended else ())

    def _after_hello(self, code: int) -> None:
        self._is_greeted = code == 250

    def _keywords(self) -> tuple[str, ...]:
        """Only what works now is announced."""
        keywords = ["PIPELINING", f"SIZE {self._terms.max_size}"]
        if self._can_start_tls:
            keywords.append("STARTTLS")
        if self._can_log_in:
            offered = sasl.mechanisms(is_tls=self._is_tls, with_scram=self._terms.offers_scram)
            keywords.append(f"AUTH {' '.join(offered)}")
        return (*keywords, "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8")

    @property
    def _can_start_tls(self) -> bool:
        return self._terms.has_starttls and not self._is_tls

    @property
    def _can_log_in(self) -> bool:
        terms = self._terms
        return terms.is_submission and (self._is_tls or terms.allows_clear_login)

    # Envelope

    def _mail(self, argument: str) -> Event | Reply:
        if not self._is_greeted:
            return say.HELLO_FIRST
        if self._terms.is_submission and not self._is_logged_in:
            return say.LOGIN_FIRST if self._can_log_in else say.TLS_FIRST
        if self._has_sender:
            return say.NESTED_MAIL
        event = parse_mail(argument, self._terms, is_extended=self._is_extended)
        if isinstance(event, Reply):
            return event
        if self._is_fruitless():
            return say.TOO_MANY_COMMANDS
        self._is_smtputf8 = event.is_smtputf8
        self._on_answer = self._after_mail
        return event

    def _after_mail(self, code: int) -> None:
        self._has_sender = code == 250

    def _rcpt(self, argument: str) -> Event | Reply:
        if not self._has_sender:
            return say.MAIL_FIRST
        event = parse_rcpt(argument, is_smtputf8=self._is_smtputf8)
        if isinstance(event, Reply):
            return event
        if self._recipients >= self._terms.max_recipients:
            return say.TOO_MANY_RECIPIENTS
        self._on_answer = self._after_rcpt
        return event

    def _after_rcpt(self, code: int) -> None:
        if code == 250:
            self._recipients += 1
        elif code >= 500:
            self._unknown_recipients += 1
            if self._unknown_recipients >= _UNKNOWN_RECIPIENT_LIMIT:
                # Somebody is trying names out (RFC 5321 §7.3).
                self._say(say.TOO_MANY_UNKNOWN)

    # Data

    def _data(self, argument: str) -> Event | Reply:
        if argument:
            return say.NO_ARGUMENT
        if not self._has_sender:
            return say.MAIL_FIRST
        if not self._recipients:
            return say.RCPT_FIRST
        terms = self._terms
        self._message = IncomingMessage(terms.max_size, mends_lf=terms.is_submission)
        return say.START_DATA

    def _continue_message(self, message: IncomingMessage) -> Event | None:
        event = message.take(self._received.peek())
        if event is None:
            if message.is_endless:
                self._say(say.TOO_BIG)
            self._is_over = message.is_endless or self._received.is_closed
        elif isinstance(event, MessageEnd):
            self._on_answer = self._after_message
        return event

    def _after_message(self, code: int) -> None:
        self._end_transaction()
        if code == 250:
            self._fruitless = 0

    # The rest

    def _rset(self, argument: str) -> Reply:
        if argument:
            return say.NO_ARGUMENT
        self._end_transaction()
        return say.OK

    def _noop(self, _: str) -> Reply:
        return say.OK

    def _vrfy(self, argument: str) -> Reply:
        return say.CANNOT_VERIFY if argument else say.VERIFY_WHOM

    def _expn(self, _: str) -> Reply:
        # RFC 5321 §7.3: who is on a list is nobody's business.
        return say.NOT_OFFERED

    def _help(self, _: str) -> Reply:
        return say.HELP

    def _quit(self, argument: str) -> Reply:
        if argument:
            return say.NO_ARGUMENT
        self._is_over = True
        return say.BYE

    def _starttls(self, argument: str) -> Reply:
        if argument:
            return say.NO_ARGUMENT
        if not self._can_start_tls:
            return say.NOT_OFFERED
        if not self._is_greeted:
            return say.HELLO_FIRST
        self._is_tls_due = True
        return say.READY_FOR_TLS

    # Login (RFC 4954)

    def _auth(self, argument: str) -> Event | Reply:
        if not self._terms.is_submission:
            return say.NOT_OFFERED
        if not self._is_greeted or not self._is_extended:
            return say.HELLO_FIRST
        if not self._can_log_in:
            return say.LOGIN_NEEDS_TLS
        if self._is_logged_in:
            return say.LOGGED_IN_ALREADY
        mechanism, _, initial = argument.partition(" ")
        octets = sasl.decode(initial.encode()) if initial else None
        if initial and octets is None:
            return say.LOGIN_MALFORMED
        self._on_answer = self._after_login
        return Auth(mechanism, octets)

    def _take_answer(self, line: bytes) -> Event | Reply:
        self._is_challenged = False
        if line == b"*":
            return say.LOGIN_CANCELLED
        octets = sasl.decode(line)
        if octets is None:
            return say.LOGIN_MALFORMED
        self._on_answer = self._after_login
        return AuthAnswer(octets)

    def _after_login(self, code: int) -> None:
        self._is_logged_in = code == 235
        self._is_challenged = code == 334
        if code >= 400:
            self._failed_logins += 1
            if self._failed_logins >= _FAILED_LOGIN_LIMIT:
                self._say(say.TOO_MANY_ERRORS)


_VERBS: dict[bytes, Callable[[ServerConversation, str], Event | Reply]] = {
    b"EHLO": ServerConversation._ehlo,
    b"HELO": ServerConversation._helo,
    b"MAIL": ServerConversation._mail,
    b"RCPT": ServerConversation._rcpt,
    b"DATA": ServerConversation._data,
    b"RSET": ServerConversation._rset,
    b"NOOP": ServerConversation._noop,
    b"VRFY": ServerConversation._vrfy,
    b"EXPN": ServerConversation._expn,
    b"HELP": ServerConversation._help,
    b"QUIT": ServerConversation._quit,
    b"STARTTLS": ServerConversation._starttls,
    b"AUTH": ServerConversation._auth,
}
