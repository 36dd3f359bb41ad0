"""What the client side of SMTP hears of a server, and how far it came with it."""

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from protocols.wire.smtp.reply import Reply

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


class Phase(Enum):
    """How far the conversation came; `Closed.phase` says where it ended."""

    GREETING = auto()
    HELLO = auto()
    READY = auto()
    STARTTLS = auto()
    ENVELOPE = auto()
    BODY = auto()
    END_OF_DATA = auto()
    QUIT = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Extensions:
    """What EHLO announced: keywords in upper case and their parameters."""

    keywords: dict[str, str] = field(default_factory=dict)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def size_limit(self) -> int:
        """Octets a message may have (RFC 1870 §4); 0 when the server names no limit."""
        text = self.keywords.get("SIZE", "")
        return int(text) if text.isdecimal() and len(text) < 19 else 0


def announced(reply: Reply) -> Extensions:
    """What a 250 to EHLO announces (RFC 5321 §4.1.1.1); lines that are no keywords are left out."""
    keywords = {}
    for line in reply.lines[1:]:
        word, _, parameters = line.strip().replace("=", " ", 1).partition(" ")
        if _KEYWORD.fullmatch(word):
            keywords[word.upper()] = parameters.strip()
    return Extensions(keywords)


@dataclass(frozen=True, slots=True)
class Ready:
    """The server greeted us and answered EHLO (or HELO: no extensions)."""

    extensions: Extensions


@dataclass(frozen=True, slots=True)
class TlsGoAhead:
    """The server waits for the TLS handshake."""


@dataclass(frozen=True, slots=True)
class TlsRefused:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Sent:
    """The final word on each recipient, in the order they were given.

    A completion (2xx) is the reply to the final dot: the server has the message now.
    """

    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The conversation is over.

    `reply` is the server's last word where it refused us as a whole (greeting, EHLO, 421, an error
    amid the body): it goes for every recipient left undecided. `replies` are those already final
    for the message under way, None for an undecided recipient. `is_ambiguous` is true when the
    final dot went unanswered: the message may have arrived.
    """

    phase: Phase
    reply: Reply | None
    replies: tuple[Reply | None, ...]
    is_ambiguous: bool
    reason: str


Event = Ready | TlsGoAhead | TlsRefused | Sent | Closed
