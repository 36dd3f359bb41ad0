"""What an SMTP client said, as far as it is the session's to decide.

What is grammar alone (NOOP, RSET, HELP, VRFY, STARTTLS, QUIT, wrong order, wrong parameters) the
conversation answers itself; it never becomes an event.
"""

from dataclasses import dataclass

from protocols.wire.smtp.address import Address
from protocols.wire.smtp.reply import Reply

# These are made once or more a message; `frozen` would double what that costs.


@dataclass(slots=True)
class Hello:
    """EHLO (`is_extended`) or HELO. `keywords` are the lines that a 250 to EHLO adds."""

    name: str
    is_extended: bool
    keywords: tuple[str, ...]


@dataclass(slots=True)
class Auth:
    """AUTH (RFC 4954): answer with 334 and base64 to be given an `AuthAnswer`, with 235, or no."""

    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        # A password must not reach a log or a traceback.
        return f"Auth({self.mechanism!r})"


@dataclass(slots=True)
class AuthAnswer:
    """The client's answer to a 334, which is answered as `Auth` is."""

    octets: bytes

    def __repr__(self) -> str:
        return "AuthAnswer()"


@dataclass(slots=True)
class MailFrom:
    """A new transaction. `sender` is None for the null return path; `size` is 0 when not said."""

    sender: Address | None
    size: int
    is_8bit: bool
    is_smtputf8: bool


@dataclass(slots=True)
class RcptTo:
    recipient: Address


@dataclass(slots=True)
class MessageChunk:
    """Some octets of a message, dots removed. It needs no answer."""

    octets: bytes


@dataclass(slots=True)
class MessageEnd:
    """The message is complete with these last octets, or must be refused with `refusal`."""

    octets: bytes
    refusal: Reply | None


Event = Hello | Auth | AuthAnswer | MailFrom | RcptTo | MessageChunk | MessageEnd
