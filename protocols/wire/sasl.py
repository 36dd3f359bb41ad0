"""The server's side of SASL PLAIN (RFC 4616) and LOGIN, the same for SMTP, POP3 and IMAP.

Pure: an exchange takes the client's base64 lines and gives the next challenge, the credentials, or
why it ended. It never looks at whether the credentials are right.
"""

import binascii
from dataclasses import dataclass
from typing import Protocol

MECHANISMS = ("PLAIN", "LOGIN")
# RFC 4954 §4: a server takes authentication lines of at least 12,288 octets.
LINE_LIMIT = 12288
# No honest name or password is longer; a hash must not be fed more.
_WORD_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Challenge:
    """Base64 to send to the client, which answers with one more line."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client claims. `authorization` is "" or the identity it wants to act as."""

    username: str
    password: str
    authorization: str = ""

    @property
    def acts_as_itself(self) -> bool:
        """False where one identity's password is to open another's mail, which we never allow."""
        return self.authorization in ("", self.username)

    def __repr__(self) -> str:
        # A password must not reach a log or a traceback.
        return f"Credentials(username={self.username!r})"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client gave up with "*"."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The line was no base64, or not what the mechanism wants."""


Step = Challenge | Credentials | Cancelled | Malformed


class Exchange(Protocol):
    def start(self, initial: bytes | None) -> Step:
        """Begin; `initial` is the base64 of SASL-IR ("=" for empty), None when there was none."""
        ...

    def answer(self, line: bytes) -> Step:
        """The client's line (without its end) to the last Challenge."""
        ...


def begin(mechanism: str) -> Exchange | None:
    """The exchange of a mechanism (in any case), None when we do not have it."""
    match mechanism.upper():
        case "PLAIN":
            return _Plain()
        case "LOGIN":
            return _Login()
        case _:
            return None


class _Plain:
    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._finish(initial)

    def answer(self, line: bytes) -> Step:
        return Cancelled() if line == b"*" else self._finish(line)

    def _finish(self, line: bytes) -> Step:
        message = _decode(line)
        if message is None:
            return Malformed()
        words = [_word(part) for part in message.split(b"\0")]
        match words:
            case [str(authorization), str(username), str(password)] if username and password:
                return Credentials(username, password, authorization)
            case _:
                return Malformed()


class _Login:
    # draft-murchison-sasl-login-00: these prompts are what clients wait for.
    _USERNAME = Challenge(b"VXNlcm5hbWU6")
    _PASSWORD = Challenge(b"UGFzc3dvcmQ6")

    def __init__(self) -> None:
        self._username: str | None = None

    def start(self, initial: bytes | None) -> Step:
        return self._USERNAME if initial is None else self.answer(initial)

    def answer(self, line: bytes) -> Step:
        if line == b"*":
            return Cancelled()
        octets = _decode(line)
        word = None if octets is None else _word(octets)
        if not word:
            return Malformed()
        if self._username is None:
            self._username = word
            return self._PASSWORD
        return Credentials(self._username, word)


def _decode(line: bytes) -> bytes | None:
    if line == b"=":
        return b""
    if len(line) > LINE_LIMIT:
        return None
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        return None


def _word(octets: bytes) -> str | None:
    if len(octets) > _WORD_LIMIT or b"\0" in octets:
        return None
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return None
