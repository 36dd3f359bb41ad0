"""Secrets that we make and people do not choose: app passwords and tokens.

They have 99 bits (a token has 256) that nobody can guess, so the database keeps a plain SHA-256 of
them: to check one takes no expensive hash, and to find one by trying would take a thief too long.
"""

import hashlib
import re
import secrets
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Nothing that looks like something else: no 0 and o, no 1, l and i.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_SIZE = 5, 4
_SALT_OCTETS = 16
_LENGTH = _GROUPS * _GROUP_SIZE
# What people put between groups, and what their keyboards make of a dash.
_BETWEEN = re.compile(r"[\s\u2010-\u2015-]+")
_GENERATED = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")


def make_app_password() -> str:
    """Five groups of four letters and digits: 99 bits, and can be typed from another screen."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_SIZE)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def as_made(typed: str) -> str:
    """An app password as it was made, however it was typed: with capitals, spaces, no dashes.

    Of the 99 bits nothing is lost: there are no two that differ in that alone. What cannot be one
    comes back as it is.
    """
    letters = _BETWEEN.sub("", typed).lower()
    if _GENERATED.fullmatch(letters) is None:
        return typed
    return "-".join(letters[at : at + _GROUP_SIZE] for at in range(0, _LENGTH, _GROUP_SIZE))


def make_token() -> str:
    """256 bits, in letters that a bearer token may have (RFC 6750 §2.1)."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def scram_salt(address: str) -> bytes:
    """The SCRAM salt of an address, the same at any time, whether there is such a mailbox or not.

    It is made with the secret key, so that nobody else can tell an address that has one stored.
    """
    return hashlib.blake2b(
        address.encode(), digest_size=_SALT_OCTETS, key=_salt_key(settings.SECRET_KEY)
    ).digest()


@cache
def _salt_key(secret: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, b"mailhost scram salt 1").derive(secret.encode())
