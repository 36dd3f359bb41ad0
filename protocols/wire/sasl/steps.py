"""What an exchange may come to: something to say, a claim to be judged, or an end."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Challenge:
    """Octets for the client (the protocol puts them in base64), which answers once more."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """The answer is not what the mechanism wants; the exchange is over."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The client is in, and has been told what the mechanism tells."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The client is not in; nothing is left to say but the protocol's own refusal."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password. `authorization` is "" or the identity it wants to act as."""

    username: str
    password: str
    authorization: str = ""

    def __repr__(self) -> str:
        # A password must not reach a log or a traceback.
        return f"Credentials(username={self.username!r})"


@dataclass(frozen=True, slots=True)
class ScramName:
    """SCRAM wants to know the keys of this name: answer with `Exchange.take_keys`."""

    username: str
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class ScramProof:
    """SCRAM came to its end: `key_id` is the key that the client has, None when it has none."""

    username: str
    key_id: int | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token; `username` is "" where the client left it to the token to say whose it is."""

    token: str
    username: str

    def __repr__(self) -> str:
        return f"Bearer(username={self.username!r})"


@dataclass(frozen=True, slots=True)
class ScramKey:
    """StoredKey and ServerKey of RFC 5802 §3; `id` means something to the caller alone."""

    id: int
    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """All keys that open a mailbox. They share a salt: the client is told one, before it proves."""

    salt: bytes
    iterations: int
    keys: tuple[ScramKey, ...]


Claim = Credentials | ScramName | ScramProof | Bearer
Step = Challenge | Malformed | Accepted | Denied | Claim


def acts_as_itself(claim: Credentials | ScramName) -> bool:
    """False where one identity's password is to open another's mail, which we never allow."""
    # Names of mailboxes are the same in either case.
    return not claim.authorization or claim.authorization.lower() == claim.username.lower()


class Exchange(Protocol):
    """One login by one mechanism. After a claim, call `take_keys`, `accept` or `refuse`."""

    def start(self, initial: bytes | None) -> Step:
        """Begin; `initial` is the initial response, None when there was none."""
        ...

    def answer(self, octets: bytes) -> Step:
        """The client's answer to the last Challenge."""
        ...

    def take_keys(self, found: ScramKeys) -> Step:
        """The keys of the name that `ScramName` asked for."""
        ...

    def accept(self) -> Step:
        """The claim holds."""
        ...

    def refuse(self) -> Step:
        """The claim does not hold."""
        ...


class Plainly:
    """How a mechanism ends that has nothing of its own to say at the end."""

    def take_keys(self, found: ScramKeys) -> Step:
        raise AssertionError("this mechanism asked for no keys")

    def accept(self) -> Step:
        return Accepted()

    def refuse(self) -> Step:
        return Denied()
