"""OAUTHBEARER (RFC 7628) and XOAUTH2: a token instead of a password.

A token that opens nothing is told in a challenge of JSON, which the client answers before the
protocol says no; that way it can tell an expired token from a broken server.
"""

import re
from typing import ClassVar

from protocols.wire.sasl.passwords import word
from protocols.wire.sasl.steps import Bearer, Challenge, Denied, Malformed, Plainly, Step

_MESSAGE_LIMIT = 8192
# RFC 7628 §3.1: key, "=", value, each pair ended by %x01, and one more %x01.
_PAIRS = rb"((?:[A-Za-z]+=[^\0\x01]*\x01)*)\x01"
_OAUTHBEARER = re.compile(rb"[ny],(?:a=([^,\0]*))?,\x01" + _PAIRS)
_XOAUTH2 = re.compile(rb"user=([^\0\x01]*)\x01" + _PAIRS)
# RFC 6750 §2.1.
_TOKEN = re.compile(rb"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)


class _Tokens(Plainly):
    _message: ClassVar[re.Pattern[bytes]]
    _error: ClassVar[bytes]

    def __init__(self) -> None:
        self._is_refused = False

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.answer(initial)

    def answer(self, octets: bytes) -> Step:
        if self._is_refused:
            # RFC 7628 §3.2.3: a dummy answer, whatever it is.
            return Denied()
        match = self._message.fullmatch(octets) if len(octets) <= _MESSAGE_LIMIT else None
        if match is None:
            return Malformed()
        username = word(_unescape(match[1] or b""))
        if username is None:
            return Malformed()
        return Bearer(_token(match[2]), username)

    def refuse(self) -> Step:
        self._is_refused = True
        return Challenge(self._error)


class OAuthBearer(_Tokens):
    _message = _OAUTHBEARER
    _error = b'{"status":"invalid_token"}'


class XOAuth2(_Tokens):
    _message = _XOAUTH2
    _error = b'{"status":"401","schemes":"bearer"}'


def _token(pairs: bytes) -> str:
    """The bearer token among the pairs; "" (which opens nothing) where there is none."""
    for pair in pairs.split(b"\x01"):
        key, _, value = pair.partition(b"=")
        if key.lower() == b"auth" and (match := _TOKEN.fullmatch(value)):
            return match[1].decode()
    return ""


def _unescape(name: bytes) -> bytes:
    return name.replace(b"=2C", b",").replace(b"=3D", b"=")
