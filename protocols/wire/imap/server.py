"""The server's side of an IMAP conversation: octets in, events out, answers back to octets.

Syntax and order only: whether a command is allowed in this state is the session's to say. Memory is
bounded: a command's text has limits (see `unfinished`), and the message of an APPEND goes through
in chunks. What is over a limit is refused and dropped as it arrives, so that the conversation stays
in step.
"""

from binascii import b2a_base64
from collections.abc import Callable
from enum import IntEnum, auto

from protocols.wire.conversation import SAY_AHEAD, ConversationError, Pieces

from .append_grammar import parse_append, parse_more
from .commands import (
    Append,
    AppendAborted,
    AppendChunk,
    AppendEnd,
    AppendMore,
    Authenticate,
    Compress,
    Done,
    Event,
    Idle,
    Invalid,
    Login,
    SaslResponse,
    StartTls,
    Unauthenticate,
)
from .cursor import Fault
from .deflate import BrokenStream, Deflate
from .dialect import REV1
from .incoming import MAX_ANNOUNCED, Incoming, TooLong, announced
from .invalid import invalid, tag_of
from .outgoing import Outgoing
from .parser import parse
from .responses import Bye, Continuation, InPieces, Push, Reply, Tagged
from .session_grammar import from_base64
from .unfinished import MAX_LINE, Unfinished

# Octets inflated without a command or a piece of a message among them: more is a bomb.
MAX_IDLY_INFLATED = 8 << 20
# In a row, without a command that succeeds in between.
MAX_BADS = 20

_TOO_BIG = b"TOOBIG"


class _Mode(IntEnum):
    """What the next octets from the client are."""

    COMMAND = auto()
    LITERAL = auto()
    APPENDING = auto()
    APPENDED = auto()  # The rest of an APPEND's line, behind a literal.
    COMPLETE = auto()  # An APPEND without a literal: nothing of it is still to come.
    SASL = auto()
    IDLE = auto()
    TLS = auto()


class ServerConversation:
    """The `Conversation` of an IMAP server; see `commands` for the events and their answers."""

    __slots__ = (
        "_asked",
        "_bads",
        "_dialect",
        "_incoming",
        "_is_catenated",
        "_is_over",
        "_is_wrapped",
        "_left",
        "_literal_is_coming",
        "_mode",
        "_mode_after_literal",
        "_out",
        "_tag",
        "_unfinished",
    )

    def __init__(self) -> None:
        self._incoming = Incoming()
        self._out = Outgoing()
        self._dialect = REV1
        self._mode = _Mode.COMMAND
        self._asked: Event | None = None
        self._tag = b"*"  # Of the command whose further lines are being read.
        self._unfinished = Unfinished()
        self._is_catenated = False  # The literal of the APPEND is a TEXT.
        self._mode_after_literal = _Mode.COMMAND
        self._literal_is_coming = False  # Of the APPEND asked about: sent without our `+`.
        self._is_wrapped = False  # A parenthesis closes behind the message.
        self._left = 0  # Octets still to come of a literal.
        self._bads = 0
        self._is_over = False

    @property
    def wants_data(self) -> bool:
        return self._incoming.wants_data and not self._is_over

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def wants_tls(self) -> bool:
        return self._mode is _Mode.TLS and not self._out

    @property
    def wants_flush(self) -> bool:
        return self._out.octets > SAY_AHEAD

    def receive_data(self, data: bytes) -> None:
        """Take octets as they come; b"" means the peer hung up."""
        if not self._is_over:
            self._incoming.feed(data)

    def next_event(self) -> Event | None:
        """What the client said next, or None when more octets (or an answer) are needed."""
        if self._asked is not None:
            return None
        inflated = 0
        while not self._is_over and self._mode is not _Mode.TLS:
            mode = self._mode
            if self._incoming.is_lost:
                self.push(Bye("Literal too big.", _TOO_BIG))
                break
            if self._incoming.is_in_step():
                event = _READERS[mode](self)
                if event is not None:
                    event = self._in_order(event)
                    if type(event) is not AppendChunk:
                        self._asked = event
                    return event
                if self._mode is not mode or self._incoming.is_lost:
                    continue
            if more := self._inflate_more(inflated):
                inflated += more
                continue
            self._is_over |= self._incoming.is_closed
            break
        return None

    def send(self, reply: Reply) -> None:
        """Answer the event last returned. Raises ConversationError for an answer it cannot have."""
        asked, self._asked = self._asked, None
        if asked is None:
            raise ConversationError("nothing was asked")
        if isinstance(reply, Continuation):
            self._go_on(asked, reply)
            return
        self._out.add(reply.to_bytes())
        if reply.dialect is not None:
            self._dialect = reply.dialect
        match asked:
            case Append(has_literal=False):
                pass
            case Append(size=size) | AppendMore(size=size) if self._literal_is_coming:
                self._incoming.drop_literal(size)
            case StartTls() if reply.status == "OK":
                self._mode = _Mode.TLS
            case Compress() if reply.status == "OK":
                deflate = Deflate()
                self._out.compress(deflate)
                self._incoming.decompress(deflate)
            case Unauthenticate() if reply.status == "OK":
                self._out.stop_compressing()
                self._incoming.stop_decompressing()
                self._unfinished.is_of_stranger = True
            case Login() | Authenticate() | SaslResponse():
                self._unfinished.is_of_stranger &= reply.status != "OK"
        self._count(reply)

    def push(self, response: Push) -> None:
        """Say whole untagged lines unasked; a `Bye` ends the conversation."""
        if isinstance(response, Bye):
            self._out.add(response.to_bytes())
            self._is_over = True
        elif isinstance(response, InPieces):
            self._out.add(*response.pieces)
        elif response:
            self._out.add(response)

    def data_to_send(self, limit: int = 1 << 20) -> bytes:
        return b"".join(self._out.take(limit))

    def pieces_to_send(self, limit: int = 1 << 20) -> Pieces:
        return self._out.take(limit)

    def tls_started(self) -> None:
        """Forget everything learnt or buffered in clear text (RFC 3501 §6.2.1)."""
        self._incoming.clear()
        self._unfinished.take()
        self._mode = _Mode.COMMAND
        self._bads = 0

    def _in_order(self, event: Event) -> Event:
        """The event, unless the layers of the connection forbid it."""
        if not self._incoming.is_compressed:
            return event
        match event:
            case Compress(tag=tag):
                text = "What we say is compressed already."
                return Invalid(tag, Tagged(tag, "NO", text, b"COMPRESSIONACTIVE"))
            case StartTls(tag=tag):
                # RFC 4978 §3: TLS lies below compression, or not at all.
                return Invalid(tag, Tagged(tag, "BAD", "Too late for TLS."))
        return event

    def _inflate_more(self, inflated: int) -> int:
        """Inflate what the reader still needs, after `inflated` octets for it; how many came."""
        if not self._incoming.has_packed:
            return 0
        if inflated > MAX_IDLY_INFLATED:
            self.push(Bye("That is too much of nothing."))
            return 0
        try:
            return self._incoming.inflate_more()
        except BrokenStream:
            self.push(Bye("The compressed stream is broken."))
            return 0

    def _go_on(self, asked: Event, reply: Continuation) -> None:
        match asked:
            case Append(has_literal=False):
                self._mode = _Mode.COMPLETE
            case Append(size=size) | AppendMore(size=size):
                self._is_wrapped, self._is_catenated = asked.is_wrapped, asked.is_catenated
                if not self._literal_is_coming:
                    self._out.add(b"+ %b\r\n" % (reply.data or b"Ready for the message."))
                self._left = size
                self._mode = _Mode.APPENDING
            case Authenticate() | SaslResponse():
                self._out.add(b"+ %b\r\n" % b2a_base64(reply.data, newline=False))
                self._mode = _Mode.SASL
            case Idle():
                self._out.add(b"+ %b\r\n" % (reply.data or b"idling"))
                self._mode = _Mode.IDLE
            case _:
                raise ConversationError(f"{type(asked).__name__} has no continuation")
        self._tag = asked.tag

    def _count(self, reply: Tagged) -> None:
        self._is_over |= reply.closes
        if reply.status == "OK":
            self._bads = 0
        elif reply.status == "BAD" and not self._is_over:
            self._bads += 1
            if self._bads >= MAX_BADS:
                self.push(Bye("Too many errors."))

    # Reading: one method a mode. None with the mode unchanged means that more octets are needed.

    def _read_command(self) -> Event | None:
        unfinished = self._unfinished
        try:
            line = self._incoming.take_line(unfinished.line_left)
        except TooLong as error:
            return self._give_up(bytes(unfinished.text[:256]) or error.start, "Line too long.")
        if line is None:
            return None
        if line.endswith(b"}") and (literal := announced(line)):
            return self._start_literal(line, *literal)
        if not unfinished.text:
            return parse(line, self._dialect)
        unfinished.text += line
        return parse(unfinished.take(), self._dialect)

    def _start_literal(self, line: bytes, size: int, is_coming: bool) -> Event | None:
        """A line that ends in the announcement of a literal; `is_coming`: without our asking."""
        self._unfinished.text += line
        text = bytes(self._unfinished.text)
        if size > MAX_ANNOUNCED and is_coming:
            self._incoming.drop_literal(size)
            return None
        append = parse_append(text, self._dialect)
        self._literal_is_coming = is_coming
        if isinstance(append, Append):
            self._unfinished.take()
            return append
        if append is not None or not self._unfinished.has_room_for(size):
            if is_coming:
                self._incoming.drop_literal(size)
            if append is None:
                return self._give_up(text, "Literal too big.")
            self._unfinished.take()
            return append
        self._collect_literal(line, size, is_coming, _Mode.COMMAND)
        return None

    def _collect_literal(self, line: bytes, size: int, is_coming: bool, after: _Mode) -> None:
        """Read a literal, announced by `line`, that is part of the command's text."""
        if not is_coming:
            self._out.add(b"+ Go on.\r\n")
        self._unfinished.announce(line, size)
        self._left = size
        self._mode = _Mode.LITERAL
        self._mode_after_literal = after

    def _read_literal(self) -> Event | None:
        piece = self._incoming.take(self._left)
        self._unfinished.text += piece
        self._left -= len(piece)
        if not self._left:
            self._mode = self._mode_after_literal
        return None

    def _read_appended(self) -> Event | None:
        if not self._left:
            self._mode = _Mode.APPENDED
            return None
        chunk = self._incoming.take(self._left)
        self._left -= len(chunk)
        return AppendChunk(chunk) if chunk else None

    def _read_append_end(self) -> Event | None:
        """The line behind a literal of an APPEND; with it a literal that is a URL."""
        try:
            line = self._incoming.take_line(self._unfinished.line_left)
        except TooLong:
            return self._abort_append(Fault("Line too long.", "BAD", _TOO_BIG))
        if line is None:
            return None
        self._unfinished.text += line
        more = parse_more(
            self._tag,
            bytes(self._unfinished.text),
            self._dialect,
            is_wrapped=self._is_wrapped,
            is_catenated=self._is_catenated,
        )
        size, is_coming = announced(line) or (0, False)
        if size > MAX_ANNOUNCED:
            more = invalid(self._tag, Fault("Literal too big.", "BAD", _TOO_BIG))
        elif more is None and self._unfinished.has_room_for(size):
            self._collect_literal(line, size, is_coming, _Mode.APPENDED)
            return None
        elif isinstance(more, AppendMore):
            self._literal_is_coming = is_coming
        if more is None:
            more = invalid(self._tag, Fault("Literal too big.", "BAD", _TOO_BIG))
        self._unfinished.take()
        self._mode = _Mode.COMMAND
        if not isinstance(more, Invalid):
            return more
        self._incoming.drop_announced(line)
        return AppendAborted(self._tag, more.reply)

    def _abort_append(self, fault: Fault) -> Event:
        self._unfinished.take()
        self._mode = _Mode.COMMAND
        return AppendAborted(self._tag, invalid(self._tag, fault).reply)

    def _read_complete(self) -> Event:
        self._mode = _Mode.COMMAND
        return AppendEnd(self._tag)

    def _read_sasl(self) -> Event | None:
        try:
            line = self._incoming.take_line(MAX_LINE)
        except TooLong:
            self._mode = _Mode.COMMAND
            return SaslResponse(self._tag, None)
        if line is None:
            return None
        self._mode = _Mode.COMMAND
        return SaslResponse(self._tag, None if line == b"*" else from_base64(line))

    def _read_done(self) -> Event | None:
        try:
            line = self._incoming.take_line(MAX_LINE)
        except TooLong:
            self._mode = _Mode.COMMAND
            return Done(self._tag, is_clean=False)
        if line is None:
            return None
        self._mode = _Mode.COMMAND
        self._incoming.drop_announced(line)
        return Done(self._tag, is_clean=line.rstrip(b" ").upper() == b"DONE")

    def _give_up(self, text: bytes, words: str) -> Invalid:
        self._unfinished.take()
        # A tag without an end may be cut: nobody knows it.
        tag = tag_of(text) if b" " in text else b"*"
        return invalid(tag, Fault(words, "BAD", _TOO_BIG))


_READERS: dict[_Mode, Callable[[ServerConversation], Event | None]] = {
    _Mode.COMMAND: ServerConversation._read_command,
    _Mode.LITERAL: ServerConversation._read_literal,
    _Mode.APPENDING: ServerConversation._read_appended,
    _Mode.APPENDED: ServerConversation._read_append_end,
    _Mode.COMPLETE: ServerConversation._read_complete,
    _Mode.SASL: ServerConversation._read_sasl,
    _Mode.IDLE: ServerConversation._read_done,
}
