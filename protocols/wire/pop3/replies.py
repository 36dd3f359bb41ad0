"""What a POP3 server says: one status line, or a status line and a list, or a message.

Words of a status line are for people; a program looks at +OK, -ERR and the code in brackets
(RFC 2449 §8, RFC 3206).
"""

from dataclasses import dataclass
from typing import Literal

from protocols.wire.sasl import Challenge

Code = Literal["", "IN-USE", "SYS/TEMP", "SYS/PERM", "AUTH"]


@dataclass(frozen=True, slots=True)
class Ok:
    """+OK and a line of text."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Err:
    """-ERR and a line of text. `ends` closes the connection after it."""

    text: str
    code: Code = ""
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """+OK, then lines, then a dot. `lines` is each with CRLF; none may begin with a dot."""

    text: str
    lines: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """+OK, then a message with its dots stuffed, then a dot."""

    text: str
    octets: bytes

    def __len__(self) -> int:
        return len(self.octets)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some octets of a message too large to hold: Ok is pushed, then Pieces; MessageEnd replies."""

    octets: bytes

    def __len__(self) -> int:
        return len(self.octets)


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The last piece has been pushed."""


# Challenge: "+" and base64, to AUTH alone (RFC 5034 §4).
Reply = Ok | Err | Listing | Message | MessageEnd | Challenge
Push = Ok | Err | Piece
