"""Commands on the connection and who is at its end: any state and logins (RFC 3501 §6.1, §6.2)."""

from dataclasses import dataclass

from .responses import Tagged


@dataclass(frozen=True, slots=True)
class Invalid:
    """A command that cannot be understood or is too big; answer it with `reply`.

    `empties_saved`: it is a search whose results were to be saved (RFC 5182 §2.1). `leaves_folder`:
    it is a SELECT that fails, which leaves the folder selected before (RFC 9051 §6.3.2).
    """

    tag: bytes
    reply: Tagged
    empties_saved: bool = False
    leaves_folder: bool = False


@dataclass(frozen=True, slots=True)
class Capability:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Noop:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Logout:
    """Answer with a `Tagged` whose `untagged` says BYE and that `closes`."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Id:
    """ID (RFC 2971): what the client says about itself; () for NIL."""

    tag: bytes
    parameters: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class StartTls:
    """An OK makes the conversation want TLS and forget what was buffered."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Login:
    tag: bytes
    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password: values end up in logs."""
        return f"Login(tag={self.tag!r}, username={self.username!r})"


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE; `initial` is the decoded initial response (RFC 4959), None without one.

    Answer with `Continuation(challenge)` to be given a `SaslResponse`, or with a `Tagged`.
    """

    tag: bytes
    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        """Without the initial response: it holds credentials."""
        return f"Authenticate(tag={self.tag!r}, mechanism={self.mechanism!r})"


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """The next line of an AUTHENTICATE, decoded; answered as that is.

    None: the client cancelled (`*`) or sent no base64; answer BAD.
    """

    tag: bytes
    data: bytes | None

    def __repr__(self) -> str:
        """Without the data: it holds credentials."""
        return f"SaslResponse(tag={self.tag!r})"


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437): back to not authenticated state, on the same connection."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE (RFC 5161); names in upper case."""

    tag: bytes
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS (RFC 4978): an OK makes both directions deflate from the next octet on."""

    tag: bytes
    mechanism: str


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE (RFC 2177): answer with `Continuation(b"idling")`, push at will, then comes `Done`."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """The end of IDLE. `is_clean` False: the client said something else than DONE; answer BAD."""

    tag: bytes
    is_clean: bool
