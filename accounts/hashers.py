"""Passwords to hashes and back to yes or no: argon2id of ours, and what other hosts stored.

Ours is argon2id in PHC form. An imported hash is `{SCHEME}hash` as Dovecot and OpenLDAP write it;
it is verified as it is and renewed to ours at the first login. Costs of imported hashes are bounded
at import, so that nobody's hash holds a hashing thread for seconds.
"""

import base64
import binascii
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from functools import cache

import argon2
import bcrypt
from django.contrib.auth.hashers import Argon2PasswordHasher

from accounts.sha512_crypt import sha512_crypt

# 19 MiB, two passes, one lane: 34 ms of CPU where Django's default costs 298 (OWASP's floor).
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

_OURS = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)

MAX_SHA512_ROUNDS = 1_000_000
MAX_PBKDF2_ROUNDS = 5_000_000
MAX_BCRYPT_COST = 15
MAX_ARGON2_KIB = 1 << 20
MAX_ARGON2_PASSES = 32


class Argon2idHasher(Argon2PasswordHasher):
    """What Django hashes the passwords of Users without a mailbox with."""

    memory_cost = MEMORY_KIB
    time_cost = PASSES
    parallelism = LANES


def hash_password(password: str) -> str:
    """argon2id in PHC form, with a salt of its own."""
    return _OURS.hash(_octets(password))


def verify(password: str, stored: str) -> bool:
    """Whether `password` opens `stored` (ours or imported). Slow: a hashing thread runs it."""
    scheme, secret = _split(stored)
    check = _SCHEMES.get(scheme)
    if check is not None and check(_octets(password), secret):
        return True
    if scheme in _QUICK:
        # A refusal that comes at once would tell that there is such a mailbox.
        verify_nothing(password)
    return False


def verify_nothing(password: str) -> None:
    """Take as long as `verify` does, where there is nothing to verify against."""
    verify(password, _decoy())


@cache
def _decoy() -> str:
    return hash_password("nobody has this password")


def wants_renewal(stored: str) -> bool:
    """Whether the hash is imported or of another cost than ours."""
    return stored.startswith("{") or _OURS.check_needs_rehash(stored)


def is_importable(stored: str) -> bool:
    """Whether `{SCHEME}hash` is well formed, of a known scheme and of a bearable cost."""
    scheme, secret = _split(stored)
    pattern, bounds = _FORMS.get(scheme, (None, ()))
    match = pattern.fullmatch(secret) if pattern else None
    if match is None:
        return False
    costs = (int(match[name] or 0) for name, _most in bounds)
    return all(cost <= most for cost, (_name, most) in zip(costs, bounds, strict=True))


def _octets(password: str) -> bytes:
    # RFC 8265 §4.2.2: OpaqueString compares passwords in NFC.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogateescape")


def _split(stored: str) -> tuple[str, str]:
    if not stored.startswith("{"):
        return "ARGON2ID", stored
    scheme, _brace, secret = stored[1:].partition("}")
    return scheme.upper(), secret


def _argon2id(password: bytes, secret: str) -> bool:
    try:
        return _OURS.verify(secret, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def _sha512(password: bytes, secret: str) -> bool:
    return hmac.compare_digest(sha512_crypt(password, secret), secret)


def _bcrypt(password: bytes, secret: str) -> bool:
    # bcrypt reads 72 octets; the library refuses more, where other hosts cut them off.
    return bcrypt.checkpw(password[:72], secret.encode())


def _ssha(password: bytes, secret: str) -> bool:
    try:
        raw = base64.b64decode(secret)
    except binascii.Error:
        return False
    return hmac.compare_digest(hashlib.sha1(password + raw[20:]).digest(), raw[:20])  # noqa: S324


def _pbkdf2_sha256(password: bytes, secret: str) -> bool:
    rounds, salt, digest = secret.removeprefix("$pbkdf2-sha256$").split("$")
    wanted = _from_ab64(digest)
    made = hashlib.pbkdf2_hmac("sha256", password, _from_ab64(salt), int(rounds), len(wanted))
    return hmac.compare_digest(made, wanted)


def _from_ab64(text: str) -> bytes:
    """Base64 with "." for "+" and without padding, as OpenLDAP writes it."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4))


_SCHEMES: dict[str, Callable[[bytes, str], bool]] = {
    "ARGON2ID": _argon2id,
    "SHA512-CRYPT": _sha512,
    "BLF-CRYPT": _bcrypt,
    "SSHA": _ssha,
    "PBKDF2-SHA256": _pbkdf2_sha256,
}

# What takes no time next to ours.
_QUICK = frozenset(("SSHA",))

_B64 = r"[A-Za-z0-9./+=]"
_FORMS: dict[str, tuple[re.Pattern[str], tuple[tuple[str, int], ...]]] = {
    "ARGON2ID": (
        re.compile(
            rf"\$argon2id\$v=\d+\$m=(?P<m>\d{{1,9}}),t=(?P<t>\d{{1,9}}),p=\d{{1,3}}"
            rf"\${_B64}+\${_B64}+"
        ),
        (("m", MAX_ARGON2_KIB), ("t", MAX_ARGON2_PASSES)),
    ),
    "SHA512-CRYPT": (
        re.compile(r"\$6\$(?:rounds=(?P<r>\d{1,9})\$)?[^$:\n]{0,16}\$[A-Za-z0-9./]{86}"),
        (("r", MAX_SHA512_ROUNDS),),
    ),
    "BLF-CRYPT": (
        re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[A-Za-z0-9./]{53}"),
        (("cost", MAX_BCRYPT_COST),),
    ),
    "SSHA": (re.compile(r"[A-Za-z0-9+/]{31,}={0,2}"), ()),
    "PBKDF2-SHA256": (
        re.compile(rf"(?:\$pbkdf2-sha256\$)?(?P<r>[1-9]\d{{0,8}})\${_B64}+\${_B64}+"),
        (("r", MAX_PBKDF2_ROUNDS),),
    ),
}
