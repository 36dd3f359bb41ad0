"""The server's side of a POP3 conversation: its three states, and nothing of what lies behind.

`ALLOWED` says which command belongs to which state (RFC 1939 §4–6). A refusal that needs no
knowledge of mail (grammar, wrong state, lines too long) is given here; everything else is an event
for the session. The OK to Login, Auth or AuthAnswer enters TRANSACTION; a Challenge asks for an
AuthAnswer; the reply to Quit ends the conversation. UTF8 and LANG (RFC 6856) change only how things
are said, so they are answered here too.
"""

from collections import deque
from enum import Enum

from protocols.wire import sasl
from protocols.wire.conversation import READ_AHEAD, SAY_AHEAD, ConversationError, Pieces
from protocols.wire.dots import DotStuffer, stuff_whole
from protocols.wire.pop3 import commands, languages
from protocols.wire.pop3.commands import BadCommand, Command, Login
from protocols.wire.pop3.replies import Err, Listing, Message, MessageEnd, Ok, Piece, Push, Reply
from protocols.wire.receive_buffer import LineTooLong, ReceiveBuffer
from protocols.wire.sasl import Challenge

# RFC 2449 §4: command lines have at most 255 octets, their CRLF included.
LINE_LIMIT = 255
# Mistakes in a row: nobody who means well makes so many.
MISTAKES = 20


_TOO_EARLY = "That is said after the login"
_TOO_LATE = "That is said before the login"


class State(Enum):
    AUTHORIZATION = 1
    TRANSACTION = 2


_ANYWHERE: frozenset[type] = frozenset({commands.Capabilities, commands.Language, commands.Quit})
ALLOWED: dict[State, frozenset[type]] = {
    State.AUTHORIZATION: _ANYWHERE
    | {commands.User, commands.Pass, commands.Auth, commands.Apop}
    | {commands.StartTls, commands.Utf8},
    State.TRANSACTION: _ANYWHERE
    | {
        commands.Status,
        commands.ListSizes,
        commands.ListUids,
        commands.Retrieve,
        commands.Top,
        commands.Delete,
        commands.Reset,
        commands.Noop,
    },
}


class ServerConversation:
    """Octets to commands and replies to octets; see `protocols.wire.conversation`."""

    __slots__ = (
        "_asked",
        "_dots",
        "_input",
        "_is_challenged",
        "_is_utf8",
        "_language",
        "_mistakes",
        "_output",
        "_ready",
        "_username",
        "_waiting",
        "is_over",
        "state",
        "wants_tls",
    )

    def __init__(self) -> None:
        self.state = State.AUTHORIZATION
        self.is_over = False
        self.wants_tls = False
        self._input = ReceiveBuffer()
        self._output: deque[bytes | memoryview] = deque()
        self._waiting = 0  # octets in it
        self._ready: Command | None = None  # understood, not yet given out
        self._asked: Command | None = None  # given out, not yet answered
        self._username: str | None = None  # from a USER that was answered +OK
        self._is_challenged = False  # the next line answers a Challenge
        self._dots: DotStuffer | None = None  # while a message is being said in pieces
        self._mistakes = 0
        self._is_utf8 = False
        self._language = languages.DEFAULT

    @property
    def wants_data(self) -> bool:
        return len(self._input) < READ_AHEAD

    def receive_data(self, data: bytes) -> None:
        self._input.feed(data)

    @property
    def wants_flush(self) -> bool:
        return self._waiting > SAY_AHEAD

    def next_event(self) -> Command | None:
        while self._asked is None and not self.is_over and not self.wants_tls:
            if self._ready is not None:
                self._asked, self._ready = self._ready, None
                return self._asked
            if not self._read_line():
                break
        return None

    def send(self, reply: Reply) -> None:
        asked, self._asked = self._asked, None
        if asked is None:
            raise ConversationError("a reply to nothing")
        match asked, reply:
            case commands.Auth() | commands.AuthAnswer(), Challenge():
                self._is_challenged = True
            case commands.User(name), Ok():
                self._username = name
            case Login() | commands.Auth() | commands.AuthAnswer(), Ok():
                self.state = State.TRANSACTION
            case commands.StartTls(), Ok():
                self.wants_tls = True
            case commands.Quit(), _:
                self.is_over = True
        self._mistakes = 0
        self._say(reply)

    def push(self, response: Push) -> None:
        self._say(response)

    def data_to_send(self, limit: int = 1 << 20) -> bytes:
        return b"".join(self.pieces_to_send(limit))

    def pieces_to_send(self, limit: int = 1 << 20) -> Pieces:
        if not self._output:
            return []
        taken = [self._output.popleft()]
        size = len(taken[0])
        while self._output and size + len(self._output[0]) <= limit:
            taken.append(self._output.popleft())
            size += len(taken[-1])
        if size > limit:
            whole = memoryview(taken[0])
            taken = [whole[:limit]]
            self._output.appendleft(whole[limit:])
            size = limit
        self._waiting -= size
        return taken

    def tls_started(self) -> None:
        """RFC 2595 §4: what was said in clear text, or came after STLS, counts for nothing."""
        self._input.clear()
        self._username = None
        self._language = languages.DEFAULT
        self.wants_tls = False

    def _read_line(self) -> bool:
        """Understand the next line, or refuse it; False when none is complete."""
        limit = sasl.LINE_LIMIT if self._is_challenged else LINE_LIMIT
        try:
            line = self._input.take_line(limit, accept_bare_lf=True)
            if line is None:
                return False
            self._ready = self._take_answer(line) if self._is_challenged else self._understand(line)
        except LineTooLong:
            self._is_challenged = False
            self._username = None
            self._refuse("That line is too long")
        except BadCommand as mistake:
            self._refuse(str(mistake))
        return True

    def _take_answer(self, line: bytes) -> Command | None:
        self._is_challenged = False
        if line == b"*":
            self._say(Err("Cancelled"))
            return None
        octets = sasl.decode(line)
        if octets is None:
            raise BadCommand("That is not base64")
        return commands.AuthAnswer(octets)

    def _understand(self, line: bytes) -> Command | None:
        # RFC 1939 §7: PASS comes right after a USER that was accepted.
        name, self._username = self._username, None
        command = commands.parse(line)
        if type(command) not in ALLOWED[self.state]:
            raise BadCommand(_TOO_EARLY if self.state is State.AUTHORIZATION else _TOO_LATE)
        match command:
            case commands.Utf8():
                self._is_utf8 = True
                self._answer(Ok("UTF-8 from here on"))
                return None
            case commands.Language(wanted):
                self._answer(self._speak(wanted))
                return None
            case commands.StartTls() if self._is_utf8:
                # RFC 6856 §2.1: clients must not, and what came before counts for nothing.
                raise BadCommand("STLS comes before UTF8")
        if isinstance(command, commands.Pass):
            if name is None:
                raise BadCommand("USER comes first")
            return Login(name, command.password)
        return command

    def _speak(self, wanted: str | None) -> Reply:
        """LANG: the list of languages, or one of them from this reply on."""
        if wanted is None:
            return Listing("Languages", languages.listing())
        found = languages.find_language(wanted)
        if found is None:
            raise BadCommand("That language is not spoken here")
        self._language = found
        return Ok(f"{found} {languages.in_language('English from here on', found)}")

    def _answer(self, reply: Reply) -> None:
        """Answer what needs no session."""
        self._mistakes = 0
        self._say(reply)

    def _refuse(self, text: str) -> None:
        self._mistakes += 1
        if self._mistakes < MISTAKES:
            self._say(Err(text))
        else:
            self._say(Err("Too many mistakes", ends=True))

    def _say(self, reply: Reply | Piece) -> None:
        match reply:
            case Ok(text):
                self._put(self._status(b"+OK", text))
            case Err() if self._dots is not None:
                # In the middle of a message nothing else can be said: an honest end is to hang up.
                self.is_over = True
            case Err(text, code, ends):
                self._put(self._status(b"-ERR", text, code))
                self.is_over = self.is_over or ends
            case Challenge(octets):
                self._put(b"+ %b\r\n" % sasl.encode(octets))
            case Listing(text, lines):
                self._put(self._status(b"+OK", text), lines, b".\r\n")
            case Message(text, octets):
                self._put(self._status(b"+OK", text), *stuff_whole(octets))
            case Piece(octets):
                self._dots = self._dots or DotStuffer()
                self._put(self._dots.stuff(octets))
            case MessageEnd():
                dots, self._dots = self._dots or DotStuffer(), None
                self._put(dots.end())

    def _put(self, *pieces: bytes) -> None:
        self._output += pieces
        self._waiting += sum(map(len, pieces))

    def _status(self, word: bytes, text: str, code: str = "") -> bytes:
        said = languages.in_language(text, self._language)
        if code:
            said = f"[{code}] {said}"
        # RFC 1939 §3: a first line has at most 512 octets. RFC 6856 §3: who chose a language reads
        # UTF-8; nobody else is sent any.
        is_ascii = self._language == languages.DEFAULT
        octets = said.encode("ascii" if is_ascii else "utf-8", "replace")[:500]
        return word + (b" " + octets if octets else b"") + b"\r\n"
