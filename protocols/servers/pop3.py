"""A POP3 session: what each command of `protocols.wire.pop3` does to a maildrop.

Three rules (RFC 1939): numbers are fixed at the login; DELE only marks, and what is marked goes at
QUIT alone; a connection that is lost in any other way removes nothing.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from django.conf import settings
from django.db import IntegrityError

from accounts import login
from accounts.blobs import BlobMissing
from accounts.login import Identity, Refused
from accounts.maildrop import InUse, Maildrop, MessageGone
from accounts.mailstore.refusals import NoSuchFolder
from protocols.servers import authentication
from protocols.servers.authentication import Authentication, Outcome, may_log_in
from protocols.servers.session import After, Again, Answer, Later, Shell, in_pool
from protocols.wire import sasl
from protocols.wire.pop3 import commands, listings
from protocols.wire.pop3.commands import Command, Login
from protocols.wire.pop3.replies import Err, Listing, Message, MessageEnd, Ok, Piece, Push, Reply
from protocols.wire.pop3.server import ServerConversation
from protocols.wire.pop3.top import TopCutter

# RFC 1939 §3: at least ten minutes.
IDLE_TIMEOUT = 600.0
# Larger messages are read and sent in pieces of this many octets.
PIECE = 256 * 1024
# Longer lists (one so long takes two milliseconds), and sums over more that is marked, are made in
# the session pool.
QUICK_LIST = 10_000
# Seconds between tries at a maildrop that is taken: a client whose connection broke comes back at
# once, while the session it had still lets go.
LOCK_PAUSES = (0.05, 0.1, 0.2)
FAILED_LOGINS = 3
FAILURE_DELAY = 1.0

CAPABILITIES = (
    "TOP",
    "UIDL",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    "PIPELINING",
    "EXPIRE NEVER",
    # RFC 2449 §6.5: nobody has to wait between two logins.
    "LOGIN-DELAY 0",
    "UTF8 USER",
    "LANG",
    "IMPLEMENTATION Mailhost",
)

_GONE = Err("There is no such message")
_TAKEN = Err("Another session has the mailbox", "IN-USE")
_TAKEN_OVER = Err(
    "Another session has taken the mailbox over; nothing was removed", "IN-USE", ends=True
)
_NO_MECHANISM = Err("That mechanism is not known here")
_MALFORMED = Err("That is not what the mechanism wants")
_CLEAR = Err("Start TLS first: passwords are not taken in clear text", "AUTH")
_REFUSALS: dict[str, Err] = {
    "credentials": Err("Wrong name or password", "AUTH"),
    "throttled": Err("Too many failed logins, wait a while", "AUTH"),
    "suspended": Err("This mailbox is suspended", "SYS/PERM"),
    "temporary": Err("Logins do not work just now, try again later", "SYS/TEMP"),
    "impersonation": Err("One mailbox does not open another", "AUTH"),
}


def make_pop3(shell: Shell) -> tuple[ServerConversation, "Pop3Session"]:
    """What one connection to the POP3 listener talks to."""
    return ServerConversation(), Pop3Session(shell)


class Pop3Session:
    """One client; `_maildrop` is there from the login on."""

    __slots__ = ("_authentication", "_deleted", "_failed_logins", "_maildrop", "_shell", "identity")

    idle_timeout = IDLE_TIMEOUT

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.identity: Identity | None = None
        self._maildrop: Maildrop | None = None
        self._authentication: Authentication | None = None
        self._deleted: set[int] = set()
        self._failed_logins = 0

    @property
    def must_log_in(self) -> bool:
        return self._maildrop is None

    def greeting(self) -> Push:
        return Ok(f"{settings.MAILHOST.hostname} POP3 ready")

    def timed_out(self) -> None:
        """RFC 1939 §3: an idle connection is closed without a word, and nothing is removed."""

    def failed(self, event: Command) -> Reply:
        if isinstance(sys.exc_info()[1], BlobMissing):
            # RFC 3206 §4: to try again later will not bring them back.
            return Err("Octets of a message are missing here", "SYS/PERM")
        return Err("Something went wrong here, try again later", "SYS/TEMP")

    @property
    def holds_nothing(self) -> bool:
        return self._maildrop is None

    def closed(self) -> None:
        if self._maildrop is not None:
            self._maildrop.close()

    def is_quick(self, event: Command) -> bool:
        drop = self._maildrop
        if drop is None:
            return True
        if not drop.is_renewed_at_once:
            return False
        match event:
            # The first is what clients say most.
            case commands.Retrieve(number):
                return drop.has_ready(number) or not self._is_there(drop, number)
            case commands.Quit():
                return drop.is_freed_at_once and not self._deleted
            case commands.Top():
                return False
            case (
                commands.Delete(number)
                | commands.ListSizes(int(number))
                | commands.ListUids(int(number))
            ):
                return not self._is_there(drop, number) or drop.look_at_hand()
            case commands.Status():
                return len(self._deleted) <= QUICK_LIST
            case commands.ListSizes() | commands.ListUids():
                return len(drop) <= QUICK_LIST
        return True

    def handle(self, event: Command) -> Answer[Reply]:
        drop = self._maildrop
        if drop is None:
            return self._before_login(event)
        try:
            drop.renew()
        except InUse:
            return _TAKEN_OVER
        return self._after_login(event, drop)

    # Before the login.

    def _before_login(self, event: Command) -> Answer[Reply]:
        match event:
            case Login(username, password):
                return self._log_in(username, password)
            case commands.User() | commands.Auth() if not may_log_in(self._shell):
                return _CLEAR
            case commands.User():
                return Ok("Now the password")
            case commands.Auth(mechanism, initial):
                begun = authentication.begin(mechanism, self._shell, "pop3", self._say)
                self._authentication = begun
                return _NO_MECHANISM if begun is None else begun.start(initial)
            case commands.AuthAnswer(octets) if self._authentication is not None:
                answer: Answer[Reply] = self._authentication.answer(octets)
                return answer
            case commands.Apop():
                return Err("APOP needs passwords stored in clear text; we keep none")
            case commands.StartTls():
                return Err("TLS is on") if self._shell.is_tls else Ok("Begin TLS")
            case commands.Capabilities():
                return self._capabilities()
        return Ok("Goodbye")

    def _log_in(self, username: str, password: str) -> Answer[Reply]:
        terms = {"service": "pop3", "peer": self._shell.peer.address}
        if (known := login.at_hand(username, password, **terms)) is not None:
            return self._logged_in(known)
        return in_pool(lambda: After(login.check(username, password, **terms), self._logged_in))

    def _say(self, outcome: Outcome) -> Answer[Reply]:
        match outcome:
            case sasl.Challenge():
                return outcome
            case sasl.Malformed():
                return self._wrong(_MALFORMED)
        return self._logged_in(outcome)

    def _logged_in(self, outcome: login.Login) -> Answer[Reply]:
        match outcome:
            case Identity():
                drop = Maildrop.at_hand(outcome.mailbox_id)
                if drop is None:
                    return in_pool(partial(self._open, outcome, LOCK_PAUSES))
                return self._opened(outcome, drop)
            case Refused(reason):
                refusal = _REFUSALS[reason]
        return self._wrong(refusal)

    def _open(self, identity: Identity, pauses: Sequence[float]) -> Reply | Again:
        """Lock the maildrop and look into it, once more after each of the pauses."""
        try:
            drop = Maildrop(identity.mailbox_id)
        except InUse:
            if not pauses:
                return _TAKEN
            pause, *others = pauses
            return Again(partial(self._open, identity, others), pause)
        except (NoSuchFolder, IntegrityError):
            # The second from PostgreSQL, whose lock is a row that needs the mailbox's.
            if login.still_valid(identity):
                raise
            # Removed for good since the password was looked at.
            return _REFUSALS["credentials"]
        return self._opened(identity, drop)

    def _opened(self, identity: Identity, drop: Maildrop) -> Reply:
        self.identity, self._maildrop = identity, drop
        return Ok(f"{len(drop)} messages")

    def _wrong(self, refusal: Err) -> Later:
        self._failed_logins += 1
        if self._failed_logins >= FAILED_LOGINS:
            refusal = Err(refusal.text, refusal.code, ends=True)
        return Later(refusal, FAILURE_DELAY * self._failed_logins)

    def _capabilities(self) -> Reply:
        lines = list(CAPABILITIES)
        if mechanisms := authentication.mechanisms(self._shell):
            lines += ["USER", f"SASL {' '.join(mechanisms)}"]
        if not self._shell.is_tls and self._maildrop is None:
            lines.append("STLS")
        octets = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        return Listing("This is what works here", octets)

    # After the login.

    def _after_login(self, event: Command, drop: Maildrop) -> Answer[Reply]:
        match event:
            # The first is what clients say most.
            case commands.Retrieve(number):
                return self._retrieve(number, drop) if self._is_there(drop, number) else _GONE
            case commands.Status():
                gone = sum(drop.sizes[number - 1] for number in self._deleted)
                return Ok(f"{len(drop) - len(self._deleted)} {drop.octets - gone}")
            case commands.ListSizes(None):
                return self._list(drop, drop.sizes)
            case commands.ListUids(None):
                return self._list(drop, drop.uids, f"{drop.uidvalidity}.")
            case commands.Reset():
                self._deleted.clear()
                return Ok(f"{len(drop)} messages")
            case commands.Capabilities():
                return self._capabilities()
            case commands.Noop():
                return Ok()
            case commands.Quit():
                return self._quit(drop)
            case (
                commands.ListSizes(int(number))
                | commands.ListUids(int(number))
                | commands.Delete(number)
                | commands.Top(number)
            ):
                return self._about(event, number, drop) if self._is_there(drop, number) else _GONE
        raise AssertionError(f"{event!r} does not come after the login")

    def _about(self, event: Command, number: int, drop: Maildrop) -> Answer[Reply]:
        """What is done to one message, which was there at the login and is not marked."""
        if isinstance(event, commands.Top):
            return _pieces(drop, number, TopCutter(event.lines))
        # Another program may have removed it; reading finds that out by itself.
        if not drop.is_left(number):
            return _GONE
        match event:
            case commands.ListSizes():
                return Ok(f"{number} {drop.sizes[number - 1]}")
            case commands.ListUids():
                return Ok(f"{number} {_unique_id(drop, number)}")
            case commands.Delete():
                self._deleted.add(number)
                return Ok("It goes at QUIT")
        raise AssertionError(f"{event!r} is not about one message")

    def _retrieve(self, number: int, drop: Maildrop) -> Answer[Reply]:
        size = drop.sizes[number - 1]
        if size > PIECE:
            return _pieces(drop, number, None)
        try:
            return Message(f"{size} octets", drop.read_whole(number))
        except MessageGone:
            return _GONE

    def _is_there(self, drop: Maildrop, number: int) -> bool:
        return number <= len(drop) and number not in self._deleted

    def _list(self, drop: Maildrop, values: Sequence[int], before: str = "") -> Answer[Reply]:
        """A line a message: its number, `before` and its value."""
        pieces = listings.lines(values, before, without=self._deleted)
        text = f"{len(drop) - len(self._deleted)} messages"
        if len(drop) <= listings.CHUNK:
            return Listing(text, b"".join(pieces))
        return _long_list(text, pieces)

    def _quit(self, drop: Maildrop) -> Reply:
        """The UPDATE state (RFC 1939 §6)."""
        try:
            removed = drop.remove(self._deleted) if self._deleted else 0
        except InUse:
            return _TAKEN_OVER
        # Before the answer: a client that logs in again at once must find the lock free.
        drop.close()
        self._maildrop = None
        return Ok(f"{removed} messages removed, goodbye")


def _pieces(drop: Maildrop, number: int, cutter: TopCutter | None) -> Iterator[Reply | Push]:
    """A message piece by piece; all of it without a cutter."""
    try:
        row = drop.open_message(number)
    except MessageGone:
        yield _GONE
        return
    size = drop.sizes[number - 1]
    yield Ok("Top of the message" if cutter else f"{size} octets")
    for start in range(0, size, PIECE):
        octets = drop.read_piece(row, start, PIECE)
        yield Piece(cutter.cut(octets) if cutter else octets)
        if cutter is not None and cutter.is_done:
            break
    yield MessageEnd()


def _unique_id(drop: Maildrop, number: int) -> str:
    """The same for ever (RFC 1939 §7): a UID and its UIDVALIDITY never mean another message."""
    return f"{drop.uidvalidity}.{drop.uids[number - 1]}"


def _long_list(text: str, pieces: Iterable[bytes]) -> Iterator[Reply | Push]:
    """A list piece by piece, so that hundreds of thousands of lines are never there at once."""
    yield Ok(text)
    yield from map(Piece, pieces)
    yield MessageEnd()
