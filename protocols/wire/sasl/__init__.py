"""The server's side of SASL (RFC 4422), the same for SMTP, POP3 and IMAP.

Pure: an exchange takes the client's octets and gives the next challenge, a claim to be judged, or
its end. Whether a claim holds, and what is random, is for the caller.
"""

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping

from protocols.wire.sasl.bearer import OAuthBearer, XOAuth2
from protocols.wire.sasl.passwords import Login, Plain
from protocols.wire.sasl.scram import ITERATIONS, Scram, make_key
from protocols.wire.sasl.steps import (
    Accepted,
    Bearer,
    Challenge,
    Claim,
    Credentials,
    Denied,
    Exchange,
    Malformed,
    ScramKey,
    ScramKeys,
    ScramName,
    ScramProof,
    Step,
    acts_as_itself,
)

__all__ = [
    "ITERATIONS",
    "LINE_LIMIT",
    "Accepted",
    "Bearer",
    "Challenge",
    "Claim",
    "Credentials",
    "Denied",
    "Exchange",
    "Malformed",
    "ScramKey",
    "ScramKeys",
    "ScramName",
    "ScramProof",
    "Step",
    "acts_as_itself",
    "begin",
    "decode",
    "encode",
    "make_key",
    "mechanisms",
]

# RFC 4954 §4: a server takes authentication lines of at least 12,288 octets.
LINE_LIMIT = 12288

# What people's own passwords need first: some programs take the first that they know.
_PASSWORDS = ("PLAIN", "LOGIN")
_TOKENS = ("OAUTHBEARER", "XOAUTH2")


def mechanisms(*, is_tls: bool, with_scram: bool) -> tuple[str, ...]:
    """What can be offered: binding to a channel needs one."""
    scram = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256") if is_tls else ("SCRAM-SHA-256",)
    return (*_PASSWORDS, *(scram if with_scram else ()), *_TOKENS)


def begin(mechanism: str, *, nonce: str, bindings: Mapping[str, bytes]) -> Exchange | None:
    """The exchange of a mechanism (in any case), None when we do not have it.

    `nonce` is for this exchange alone: at least 18 unguessable octets in base64. `bindings` are the
    channel bindings of the TLS connection by their registered names, {} where there is no TLS.
    """
    match mechanism.upper():
        case "SCRAM-SHA-256-PLUS" if bindings:
            return Scram(nonce, bindings, is_plus=True)
        case "SCRAM-SHA-256":
            return Scram(nonce, bindings, is_plus=False)
        case "OAUTHBEARER":
            return OAuthBearer()
        case "XOAUTH2":
            return XOAuth2()
        case "PLAIN":
            return Plain()
        case "LOGIN":
            return Login()
        case _:
            return None


def encode(octets: bytes) -> bytes:
    """Octets as base64 for a line."""
    return b2a_base64(octets, newline=False)


def decode(line: bytes) -> bytes | None:
    """What a line of base64 says ("=" is nothing, RFC 4959 §3); None where it is no base64."""
    if line == b"=":
        return b""
    try:
        return a2b_base64(line, strict_mode=True)
    except Error:
        return None
