"""The client side of SMTP: what to say to a server, and what it said about each recipient.

No I/O: the shell writes `data_to_send`, feeds `receive_data`, and acts on the events:

    Ready     greeted and EHLO answered: start_tls(), send_message() or quit()
    TlsGoAhead  do the TLS handshake, then call tls_started(); Ready comes again
    TlsRefused  STARTTLS was refused; the connection is still usable in clear text
    Sent      one message is finished: a reply for each recipient; now as after Ready
    Closed    nothing more can be done; says whether the final dot was left unanswered

Rules of the file: commands go out together only where PIPELINING is offered (RFC 2920); DATA is the
last of its group; nothing follows STARTTLS before its answer, and whatever the server pipelined
behind that answer is a protocol error (RFC 3207 §4.2, plaintext injection).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from mmap import mmap

from protocols.wire.conversation import ConversationError
from protocols.wire.dots import DotStuffer
from protocols.wire.receive_buffer import LineTooLong, ReceiveBuffer
from protocols.wire.smtp.client_events import (
    Closed,
    Event,
    Extensions,
    Phase,
    Ready,
    Sent,
    TlsGoAhead,
    TlsRefused,
    announced,
)
from protocols.wire.smtp.reply import BadReply, Reply, ReplyReader

Octets = bytes | bytearray | memoryview | mmap

# RFC 5321 §4.5.3.1.5 says 512; longer texts are harmless and happen.
_REPLY_LINE_LIMIT = 4096
_CHUNK = 64 * 1024

# RFC 5321 §4.5.3.2, in seconds.
_PATIENCE_COMMAND = 300.0
_PATIENCE_DATA = 120.0
_PATIENCE_BLOCK = 180.0
_PATIENCE_END = 600.0


@dataclass(slots=True)
class _Transaction:
    """The message under way; a reply of None means that the recipient is undecided."""

    commands: deque[bytes]
    octets: memoryview
    replies: list[Reply | None]
    offset: int = 0
    next_recipient: int = 0
    is_sender_accepted: bool = False
    is_wanted: bool = False
    is_data_sent: bool = False
    stuffer: DotStuffer = field(default_factory=DotStuffer)


class ClientConversation:
    """One connection to a server. `hostname` is our name for EHLO."""

    def __init__(self, hostname: str) -> None:
        self._hostname = hostname
        self._received = ReceiveBuffer()
        self._reader = ReplyReader()
        self._out = bytearray()
        self._events: deque[Event] = deque()
        self._expected: deque[Callable[[Reply], None]] = deque([self._on_greeting])
        self._transaction: _Transaction | None = None
        self.phase = Phase.GREETING
        self.extensions = Extensions()

    # What the shell asks

    @property
    def is_over(self) -> bool:
        """True once nothing more will come: flush, then close the connection."""
        return self.phase is Phase.OVER

    @property
    def patience(self) -> float:
        """Seconds to wait for the server now (RFC 5321 §4.5.3.2)."""
        match self.phase:
            case Phase.BODY:
                return _PATIENCE_BLOCK
            case Phase.END_OF_DATA:
                return _PATIENCE_END
            case Phase.ENVELOPE if self._transaction and self._transaction.is_data_sent:
                return _PATIENCE_DATA
            case _:
                return _PATIENCE_COMMAND

    @property
    def is_final_dot_unanswered(self) -> bool:
        """True between the final dot and its reply: a loss now makes the attempt ambiguous."""
        return (
            self.phase is Phase.END_OF_DATA
            and self._transaction is not None
            and self._transaction.is_wanted
        )

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def data_to_send(self, limit: int = 1 << 20) -> bytes:
        """At most about `limit` octets to write next; b"" when there are none now."""
        while self.phase is Phase.BODY and len(self._out) < limit:
            self._add_body()
        data = bytes(memoryview(self._out)[:limit])
        del self._out[: len(data)]
        return data

    def receive_data(self, data: bytes) -> None:
        """Take octets as they come; b"" means the server hung up."""
        self._received.feed(data)
        while self.phase is not Phase.OVER:
            try:
                line = self._received.take_line(_REPLY_LINE_LIMIT, accept_bare_lf=True)
                if line is None:
                    break
                reply = self._reader.feed_line(line)
            except (BadReply, LineTooLong):
                self._close(None, "the server did not speak SMTP")
                break
            if reply is not None:
                self._on_reply(reply)
        if not data and self.phase is not Phase.OVER:
            self._close(None, "the server closed the connection")

    # What the shell commands

    def start_tls(self) -> None:
        """Ask for TLS; TlsGoAhead or TlsRefused follows."""
        self._require(Phase.READY)
        self.phase = Phase.STARTTLS
        self._say(b"STARTTLS", self._on_starttls)

    def tls_started(self) -> None:
        """The handshake is done: forget what was said in clear and say EHLO again."""
        self._require(Phase.STARTTLS)
        self._received.clear()
        self.extensions = Extensions()
        self._say_hello()

    def send_message(
        self,
        return_path: str,
        recipients: Sequence[str],
        octets: Octets,
        *,
        is_8bit: bool = False,
        is_smtputf8: bool = False,
    ) -> None:
        """Send one message; Sent or Closed follows.

        `return_path` is "" for bounces. The octets use CRLF alone; whether the server's extensions
        allow them (8BITMIME, SMTPUTF8, SIZE) is the caller's to check beforehand.
        """
        self._require(Phase.READY)
        parameters = ""
        if "SIZE" in self.extensions:
            parameters += f" SIZE={len(octets)}"
        if is_8bit and "8BITMIME" in self.extensions:
            parameters += " BODY=8BITMIME"
        if is_smtputf8:
            parameters += " SMTPUTF8"
        commands = [f"MAIL FROM:<{return_path}>{parameters}"]
        commands += [f"RCPT TO:<{recipient}>" for recipient in recipients]
        self._transaction = _Transaction(
            deque(_command(text) for text in commands),
            memoryview(octets),
            [None] * len(recipients),
        )
        self.phase = Phase.ENVELOPE
        self._say_envelope(self._transaction)

    def quit(self) -> None:
        """Say QUIT; Closed follows the answer."""
        if self.phase is Phase.OVER:
            return
        self.phase = Phase.QUIT
        self._say(b"QUIT", self._on_quit)

    # What the server said

    def _on_reply(self, reply: Reply) -> None:
        if not self._expected:
            # An unasked reply is a 421 before the server closes (RFC 5321 §3.8), or nonsense.
            self._close(reply, "the server closed the connection")
        elif reply.code == 421:
            self._close(reply, "the server is closing")
        else:
            self._expected.popleft()(reply)

    def _on_greeting(self, reply: Reply) -> None:
        if reply.code == 220:
            self._say_hello()
        else:
            self._close(reply, "the server refused the connection", say_quit=True)

    def _on_hello(self, reply: Reply) -> None:
        if reply.code == 250:
            self._become_ready(Ready(announced(reply)))
        elif reply.is_permanent:
            # RFC 5321 §3.2: a server that does not know EHLO is asked with HELO.
            self._say(f"HELO {self._hostname}".encode("ascii"), self._on_old_hello)
        else:
            self._close(reply, "the server refused EHLO", say_quit=True)

    def _on_old_hello(self, reply: Reply) -> None:
        if reply.code == 250:
            self._become_ready(Ready(Extensions()))
        else:
            self._close(reply, "the server refused HELO", say_quit=True)

    def _become_ready(self, event: Ready) -> None:
        self.phase = Phase.READY
        self.extensions = event.extensions
        self._events.append(event)

    def _on_starttls(self, reply: Reply) -> None:
        if reply.code != 220:
            self.phase = Phase.READY
            self._events.append(TlsRefused(reply))
        elif len(self._received):
            self._close(None, "the server sent clear text behind its answer to STARTTLS")
        else:
            self._events.append(TlsGoAhead())

    def _on_sender(self, reply: Reply) -> None:
        transaction = self._current()
        transaction.is_sender_accepted = reply.is_completion
        if not reply.is_completion:
            # The rest of a pipelined group fails after it; this is the reply that says why.
            transaction.replies = [_refusal(reply)] * len(transaction.replies)
            if not self._can_pipeline:
                self._finish(None)
                return
        self._say_envelope(transaction)

    def _on_recipient(self, reply: Reply) -> None:
        transaction = self._current()
        if transaction.is_sender_accepted:
            if reply.is_completion:
                # Not final: the reply to the data decides.
                transaction.is_wanted = True
            else:
                refusal = _too_many(reply) if transaction.is_wanted else None
                transaction.replies[transaction.next_recipient] = refusal or _refusal(reply)
        transaction.next_recipient += 1
        self._say_envelope(transaction)

    def _on_data(self, reply: Reply) -> None:
        transaction = self._current()
        if reply.code != 354:
            self._finish(_refusal(reply))
            return
        if not transaction.is_wanted:
            # RFC 2920 §3.1: a server may say 354 though it took no recipient; end at once.
            transaction.offset = len(transaction.octets)
        self.phase = Phase.BODY

    def _on_accepted(self, reply: Reply) -> None:
        self._finish(reply if reply.is_completion else _refusal(reply))

    def _on_reset(self, _: Reply) -> None:
        if self._transaction is not None:
            self._say_envelope(self._transaction)

    def _on_quit(self, _: Reply) -> None:
        self._close(None, "")

    # Saying things

    def _say(self, line: bytes, on_reply: Callable[[Reply], None]) -> None:
        self._out += line + b"\r\n"
        self._expected.append(on_reply)

    def _say_hello(self) -> None:
        self.phase = Phase.HELLO
        self._say(f"EHLO {self._hostname}".encode("ascii"), self._on_hello)

    @property
    def _can_pipeline(self) -> bool:
        return "PIPELINING" in self.extensions

    def _say_envelope(self, transaction: _Transaction) -> None:
        """Say the next envelope command, or all of them where they may be pipelined."""
        if self._expected and not self._can_pipeline:
            return
        while transaction.commands:
            command = transaction.commands.popleft()
            is_sender = command.startswith(b"MAIL")
            self._say(command, self._on_sender if is_sender else self._on_recipient)
            if not self._can_pipeline:
                return
        if transaction.is_data_sent:
            return
        if self._can_pipeline or transaction.is_wanted:
            transaction.is_data_sent = True
            self._say(b"DATA", self._on_data)
        else:
            self._finish(None)

    def _add_body(self) -> None:
        transaction = self._current()
        octets, offset = transaction.octets, transaction.offset
        if offset < len(octets):
            self._out += transaction.stuffer.stuff(bytes(octets[offset : offset + _CHUNK]))
            transaction.offset = offset + _CHUNK
        else:
            self._out += transaction.stuffer.end()
            self.phase = Phase.END_OF_DATA
            self._expected.append(self._on_accepted)

    def _finish(self, verdict: Reply | None) -> None:
        """Report the message; `verdict` goes for the recipients that are still undecided."""
        transaction = self._current()
        is_abandoned = self.phase is Phase.ENVELOPE and transaction.is_sender_accepted
        self._transaction = None
        self.phase = Phase.READY
        if is_abandoned:
            self._say(b"RSET", self._on_reset)
        replies = tuple(reply or verdict or _NO_ANSWER for reply in transaction.replies)
        self._events.append(Sent(replies))

    def _close(self, reply: Reply | None, reason: str, *, say_quit: bool = False) -> None:
        phase, is_ambiguous = self.phase, self.is_final_dot_unanswered and reply is None
        replies = () if self._transaction is None else tuple(self._transaction.replies)
        self._transaction = None
        self._out.clear()
        if say_quit:
            self._out += b"QUIT\r\n"
        self._received.clear()
        self._expected.clear()
        self.phase = Phase.OVER
        self._events.append(Closed(phase, reply, replies, is_ambiguous, reason))

    def _current(self) -> _Transaction:
        if self._transaction is None:
            raise ConversationError("no message is under way")
        return self._transaction

    def _require(self, phase: Phase) -> None:
        if self.phase is not phase:
            raise ConversationError(f"the conversation is in {self.phase.name}, not {phase.name}")


_NO_ANSWER = Reply(450, "4.5.0", "The server gave no final answer")


def _refusal(reply: Reply) -> Reply:
    """The reply as a refusal: a code that has no business here counts as temporary."""
    if reply.code >= 400:
        return reply
    return Reply(450, "4.5.0", (f"Unexpected answer {reply.code}", *reply.lines))


def _too_many(reply: Reply) -> Reply | None:
    """The 452 that is meant where a server says 552 to one recipient more than it takes at once.

    RFC 5321 §4.5.3.1.10. One that is full says so by its enhanced code, or when it is asked alone.
    """
    if reply.code == 552 and reply.enhanced in ("", "5.5.3"):
        return Reply(452, "4.5.3", reply.text)
    return None


def _command(text: str) -> bytes:
    """A command line; ConversationError for an address that could start a second command."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise ConversationError("a command must be one line")
    return text.encode("utf-8")
