"""Command lines to values: one small class for each thing that a POP3 client can say.

`parse` is the whole grammar (RFC 1939 §3): a keyword, then arguments parted by single spaces.
Numbers are message numbers from 1 on.
"""

from dataclasses import dataclass

from protocols.wire import sasl


@dataclass(frozen=True, slots=True)
class User:
    """USER (RFC 1939 §7): a name, to be followed by PASS."""

    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    """PASS. The password is the rest of the line, spaces and all."""

    password: str

    def __repr__(self) -> str:
        # A password must not reach a log or a traceback.
        return "Pass()"


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH (RFC 5034): a mechanism, and its initial response where there is one."""

    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        return f"Auth({self.mechanism!r})"


@dataclass(frozen=True, slots=True)
class AuthAnswer:
    """The client's answer to a Challenge; never a command of its own."""

    octets: bytes

    def __repr__(self) -> str:
        return "AuthAnswer()"


@dataclass(frozen=True, slots=True)
class Login:
    """Who wants in. Made from USER and PASS; never a line of its own."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.username!r})"


@dataclass(frozen=True, slots=True)
class Apop:
    """APOP (RFC 1939 §7), which needs the password itself on the server's disk."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """STLS (RFC 2595 §4)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """CAPA (RFC 2449 §5)."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """UTF8 (RFC 6856 §2.1). The conversation answers it itself."""


@dataclass(frozen=True, slots=True)
class Language:
    """LANG (RFC 6856 §3): a language range, or None to see them all. Answered as UTF8 is."""

    wanted: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """STAT: how many messages, how many octets."""


@dataclass(frozen=True, slots=True)
class ListSizes:
    """LIST: the size of one message, or of all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class ListUids:
    """UIDL: the unique id of one message, or of all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Retrieve:
    """RETR: a whole message."""

    number: int


@dataclass(frozen=True, slots=True)
class Top:
    """TOP: a message's header and the first lines of its body."""

    number: int
    lines: int


@dataclass(frozen=True, slots=True)
class Delete:
    """DELE: mark a message; it goes at QUIT."""

    number: int


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET: take all marks off."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT. After a login this is what enters the UPDATE state (RFC 1939 §6)."""


Command = (
    User
    | Pass
    | Auth
    | AuthAnswer
    | Login
    | Apop
    | StartTls
    | Capabilities
    | Utf8
    | Language
    | Status
    | ListSizes
    | ListUids
    | Retrieve
    | Top
    | Delete
    | Reset
    | Noop
    | Quit
)


class BadCommand(Exception):
    """The line is no command of POP3; the text is for the client."""


# RFC 1939 §3: an argument has at most 40 characters. Clients that want all of a message ask TOP
# for as many lines as they can say.
_DIGITS = 40


def parse(line: bytes) -> Command:
    """Read one line, its end taken off; raises BadCommand."""
    keyword, _space, rest = line.partition(b" ")
    name = keyword.upper()
    if name == b"PASS":
        return Pass(rest.decode("utf-8", "surrogateescape"))
    # People type stray spaces, and some programs end every line with one.
    words = rest.split()
    match name, words:
        # The first is what clients say most.
        case b"RETR", [number]:
            return Retrieve(_number(number))
        case b"USER", [_, *_]:
            return User(rest.strip().decode("utf-8", "replace"))
        case b"AUTH", [mechanism]:
            return Auth(mechanism.decode("ascii", "replace"), None)
        case b"AUTH", [mechanism, initial]:
            octets = sasl.decode(initial)
            if octets is None:
                raise BadCommand("That is not base64")
            return Auth(mechanism.decode("ascii", "replace"), octets)
        case b"APOP", _:
            return Apop()
        case b"STLS", []:
            return StartTls()
        case b"CAPA", []:
            return Capabilities()
        case b"UTF8", []:
            return Utf8()
        case b"LANG", [] | [_]:
            return Language(words[0].decode("ascii", "replace") if words else None)
        case b"STAT", []:
            return Status()
        case b"LIST", [] | [_]:
            return ListSizes(_number(words[0]) if words else None)
        case b"UIDL", [] | [_]:
            return ListUids(_number(words[0]) if words else None)
        case b"DELE", [number]:
            return Delete(_number(number))
        case b"TOP", [number, lines]:
            return Top(_number(number), _count(lines))
        case b"RSET", []:
            return Reset()
        case b"NOOP", _:
            return Noop()
        case b"QUIT", _:
            return Quit()
        case _ if name in _KEYWORDS:
            raise BadCommand("Those are not the arguments of this command")
    raise BadCommand("Unknown command")


_KEYWORDS = frozenset(b"USER AUTH STLS CAPA UTF8 LANG STAT LIST UIDL RETR DELE TOP RSET".split())


def _number(word: bytes) -> int:
    number = _count(word)
    if not number:
        raise BadCommand("Messages are numbered from 1 on")
    return number


def _count(word: bytes) -> int:
    if not word.isdigit() or len(word) > _DIGITS:
        raise BadCommand("A number was expected")
    return int(word)
