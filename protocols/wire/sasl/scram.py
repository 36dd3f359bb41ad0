"""SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677): the server's side, and the making of keys.

The client proves that it has the password, the server proves that it has its keys; with -PLUS both
prove that nobody stands between them in the TLS connection. One mailbox may have many passwords:
they share a salt, and the proof is tried against each key.
"""

import hashlib
import hmac
import re
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Mapping

from protocols.wire.sasl.passwords import WORD_LIMIT, word
from protocols.wire.sasl.steps import (
    Accepted,
    Challenge,
    Denied,
    Malformed,
    ScramKey,
    ScramKeys,
    ScramName,
    ScramProof,
    Step,
)

# RFC 7677 §4: at least 4096. What SCRAM protects here has a hundred bits: more would only cost.
ITERATIONS = 4096

# RFC 5802 §7. A mandatory extension ("m=") fits nowhere, as it must not (§5.1).
_CLIENT_FIRST = re.compile(
    rb"((?:n|y|p=([A-Za-z0-9.\-]{1,64})),(?:a=([^,\0]+))?,)"
    rb"(n=([^,\0]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-ln-z]=[^,\0]+)*)",
    re.DOTALL,
)
_CLIENT_FINAL = re.compile(
    rb"(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-ln-z]=[^,\0]+)*)"
    rb",p=([A-Za-z0-9+/=]+)",
    re.DOTALL,
)
_MESSAGE_LIMIT = 8192


def make_key(key_id: int, password: str, salt: bytes, iterations: int = ITERATIONS) -> ScramKey:
    """The keys of an ASCII password (RFC 5802 §3; ASCII is what SASLprep leaves as it is)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = _mac(salted, b"Client Key")
    return ScramKey(key_id, hashlib.sha256(client_key).digest(), _mac(salted, b"Server Key"))


class Scram:
    """One exchange. `nonce` is ours, unguessable; `bindings` is empty outside TLS."""

    def __init__(self, nonce: str, bindings: Mapping[str, bytes], *, is_plus: bool) -> None:
        self._nonce = nonce.encode("ascii")
        self._bindings = bindings
        self._is_plus = is_plus
        self._username = ""
        self._binding = b""  # what the client must repeat in "c="
        self._first_bare = b""
        self._server_first = b""
        self._found: ScramKeys | None = None
        self._server_final = b""
        self._is_accepted = False

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._take_first(initial)

    def answer(self, octets: bytes) -> Step:
        if self._is_accepted:
            return Malformed() if octets else Accepted()
        return self._take_first(octets) if self._found is None else self._take_final(octets)

    def take_keys(self, found: ScramKeys) -> Step:
        self._found = found
        salt = b64encode(found.salt)
        self._server_first = b"r=%b,s=%b,i=%d" % (self._nonce, salt, found.iterations)
        return Challenge(self._server_first)

    def accept(self) -> Step:
        # None of our protocols carries data with its OK: the client answers with nothing.
        self._is_accepted = True
        return Challenge(self._server_final)

    def refuse(self) -> Step:
        return Denied()

    def _take_first(self, message: bytes) -> Step:
        match = _CLIENT_FIRST.fullmatch(message) if len(message) <= _MESSAGE_LIMIT else None
        if match is None:
            return Malformed()
        header, binding, authorization, self._first_bare, name, nonce = match.groups()
        username, acts_as = _name(name), _name(authorization or b"")
        if not username or acts_as is None:
            return Malformed()
        if (binding is not None) is not self._is_plus:
            return Malformed()
        if header[:1] == b"y" and self._bindings:
            # RFC 5802 §6: the client saw no -PLUS although we offered it. Somebody took it away.
            return Denied()
        bound = b""
        if binding is not None:
            found = self._bindings.get(binding.decode())
            if found is None:
                return Denied()
            bound = found
        self._binding = b64encode(header + bound)
        self._username = username
        self._nonce = nonce + self._nonce
        return ScramName(username, acts_as)

    def _take_final(self, message: bytes) -> Step:
        match = _CLIENT_FINAL.fullmatch(message) if len(message) <= _MESSAGE_LIMIT else None
        if match is None:
            return Malformed()
        without_proof, binding, nonce, proof = match.groups()
        octets = _decode(proof)
        if octets is None or len(octets) != hashlib.sha256().digest_size:
            return Malformed()
        if not hmac.compare_digest(nonce, self._nonce):
            return Malformed()
        if not hmac.compare_digest(binding, self._binding):
            return ScramProof(self._username, None)
        said = b",".join((self._first_bare, self._server_first, without_proof))
        return ScramProof(self._username, self._prove(octets, said))

    def _prove(self, proof: bytes, said: bytes) -> int | None:
        assert self._found is not None
        for key in self._found.keys:
            signature = _mac(key.stored_key, said)
            client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
            if hmac.compare_digest(hashlib.sha256(client_key).digest(), key.stored_key):
                self._server_final = b"v=" + b64encode(_mac(key.server_key, said))
                return key.id
        return None


def _mac(key: bytes, octets: bytes) -> bytes:
    return hmac.digest(key, octets, "sha256")


def _name(octets: bytes) -> str | None:
    """A saslname: "," and "=" come as =2C and =3D (RFC 5802 §5.1)."""
    if len(octets) > 3 * WORD_LIMIT or b"=" in octets.replace(b"=2C", b"").replace(b"=3D", b""):
        return None
    return word(octets.replace(b"=2C", b",").replace(b"=3D", b"="))


def _decode(octets: bytes) -> bytes | None:
    try:
        return a2b_base64(octets, strict_mode=True)
    except Error:
        return None
