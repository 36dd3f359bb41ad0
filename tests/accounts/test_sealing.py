"""Sealed values open for their purpose and under our keys only."""

from typing import Any

import pytest

from accounts.sealing import SealError, is_stale, seal, unseal


def test_what_is_sealed_opens_again_and_tells_nothing() -> None:
    sealed = seal(b"a private key", purpose="dkim 7")
    assert unseal(sealed, purpose="dkim 7") == b"a private key"
    assert b"private" not in sealed
    assert sealed != seal(b"a private key", purpose="dkim 7")


def test_it_does_not_open_for_another_purpose_or_when_changed() -> None:
    sealed = seal(b"a private key", purpose="dkim 7")
    with pytest.raises(SealError, match="another purpose"):
        unseal(sealed, purpose="dkim 8")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(SealError):
            unseal(bytes(changed), purpose="dkim 7")
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            unseal(sealed[:length], purpose="dkim 7")


def test_a_fallback_key_still_opens_and_is_noticed(settings: Any) -> None:
    sealed = seal(b"x", purpose="p")
    assert not is_stale(sealed)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, of no use to anybody either"
    assert unseal(sealed, purpose="p") == b"x"
    assert is_stale(sealed)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(SealError, match="no longer configured"):
        unseal(sealed, purpose="p")
