"""Seal secrets that the database keeps (DKIM keys): a stolen dump alone opens none of them.

AES-256-GCM under a key derived from the secret key. The purpose is bound in, so that a sealed
value moved to another column or row does not open. A fallback secret key still opens what it
sealed, and `is_stale` says what to seal anew.
"""

import secrets
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VERSION = b"\x01"
_NONCE = 12
_KEY_ID = 4


class SealError(Exception):
    """The value was not sealed with any key we have, not for this purpose, or was changed."""


def seal(plain: bytes, *, purpose: str) -> bytes:
    """Version, key id, nonce and ciphertext; `purpose` must be given again to open it."""
    key_id, key = _keys(settings.SECRET_KEY)
    nonce = secrets.token_bytes(_NONCE)
    return VERSION + key_id + nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())


def unseal(sealed: bytes, *, purpose: str) -> bytes:
    """What was sealed for that very purpose. SealError."""
    if sealed[:1] != VERSION or len(sealed) < 1 + _KEY_ID + _NONCE:
        raise SealError("not a sealed value")
    key_id, nonce = sealed[1 : 1 + _KEY_ID], sealed[1 + _KEY_ID : 1 + _KEY_ID + _NONCE]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        known_id, key = _keys(secret)
        if known_id == key_id:
            try:
                text = sealed[1 + _KEY_ID + _NONCE :]
                return AESGCM(key).decrypt(nonce, text, purpose.encode())
            except InvalidTag:
                raise SealError("changed, or sealed for another purpose") from None
    raise SealError("sealed with a secret key that is no longer configured")


def is_stale(sealed: bytes) -> bool:
    """Whether it was sealed with a fallback key."""
    return sealed[1 : 1 + _KEY_ID] != _keys(settings.SECRET_KEY)[0]


@cache
def _keys(secret: str) -> tuple[bytes, bytes]:
    made = HKDF(hashes.SHA256(), 32 + _KEY_ID, None, b"mailhost sealing 1").derive(secret.encode())
    return made[:_KEY_ID], made[_KEY_ID:]
