"""PLAIN (RFC 4616) and LOGIN: the password itself crosses the wire."""

from protocols.wire.sasl.steps import Challenge, Credentials, Malformed, Plainly, Step

# No honest name or password is longer; a hash must not be fed more.
WORD_LIMIT = 1024


class Plain(Plainly):
    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.answer(initial)

    def answer(self, octets: bytes) -> Step:
        words = [word(part) for part in octets.split(b"\0", 3)]
        match words:
            case [str(authorization), str(username), str(password)] if username and password:
                return Credentials(username, password, authorization)
            case _:
                return Malformed()


class Login(Plainly):
    # draft-murchison-sasl-login-00: these prompts are what clients wait for.
    _USERNAME = Challenge(b"Username:")
    _PASSWORD = Challenge(b"Password:")

    def __init__(self) -> None:
        self._username: str | None = None

    def start(self, initial: bytes | None) -> Step:
        return self._USERNAME if initial is None else self.answer(initial)

    def answer(self, octets: bytes) -> Step:
        said = word(octets)
        if not said:
            return Malformed()
        if self._username is None:
            self._username = said
            return self._PASSWORD
        return Credentials(self._username, said)


def word(octets: bytes) -> str | None:
    """A name or password; None where it is too long, no UTF-8, or holds NUL."""
    if len(octets) > WORD_LIMIT or b"\0" in octets:
        return None
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return None
