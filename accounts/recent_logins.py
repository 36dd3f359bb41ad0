"""Logins known to be good without a query: the same peer showed the same password lately.

An entry is an Identity and the stamp (`accounts.stamps`) of the directory that it was read from: a
new password, a revoked one, a suspension, a removal end it at once, in all processes. On PostgreSQL
there are no stamps, and nothing is remembered.

The throttle is not asked. That gives nothing to who guesses: what is found was proved by this very
peer within `SECONDS`. And who says anything else at the address, even a right password for another
service, puts all that is known of this pair in doubt until a login has been good in the usual way,
behind the throttle. So one guess for each such login is all that others at the owner's IP get.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from accounts import keyring, stamps
from accounts.keyring import Identity, Secret

# The usual way now and then: it also forgives what the peer failed at other processes.
SECONDS = 600.0
# Pairs of peer and address, and passwords (by service) of one pair.
CAPACITY = 20_000
PASSWORDS = 16


@dataclass(slots=True)
class _Entry:
    identity: Identity
    stamp: int
    until: float
    secret: Secret

    def is_good(self) -> bool:
        return time.monotonic() < self.until and stamps.is_directory_current(self.stamp)


@dataclass(slots=True)
class _Proved:
    """What one peer has proved of one address, by digest of service and password."""

    entries: dict[bytes, _Entry] = field(default_factory=dict)
    is_doubted: bool = False


# Keyed digests only: a dump of them opens nothing after the process has ended.
_key = secrets.token_bytes(32)
_proved: OrderedDict[tuple[str, str], _Proved] = OrderedDict()
_lock = threading.Lock()


def find(address: str, password: str, service: str, peer: str) -> Identity | None:
    """Who this is, where that is known; asks nobody. `address` as the directory spells it."""
    with _lock:
        if (proved := _proved.get((address, peer))) is None:
            return None
        entry = proved.entries.get(_digest(service, password))
        if entry is None:
            proved.is_doubted = True
        if entry is None or proved.is_doubted:
            return None
    if not entry.is_good():
        return None
    entry.secret = keyring.note_use_of(entry.secret)
    return entry.identity


def remember(
    identity: Identity, secret: Secret, password: str, service: str, peer: str, stamp: int | None
) -> None:
    """The peer got in the usual way by the secret, which was read after `stamp` was taken."""
    if stamp is None:
        return
    entry = _Entry(identity, stamp, time.monotonic() + SECONDS, secret)
    with _lock:
        proved = _proved.setdefault((identity.address, peer), _Proved())
        _proved.move_to_end((identity.address, peer))
        proved.is_doubted = False
        if len(proved.entries) >= PASSWORDS:
            proved.entries.clear()
        proved.entries[_digest(service, password)] = entry
        if len(_proved) > CAPACITY:
            _proved.popitem(last=False)


def drop(address: str, peer: str) -> None:
    """The peer has failed at the address: nothing is known any more."""
    with _lock:
        _proved.pop((address, peer), None)


def forget() -> None:
    """Lose all of it."""
    with _lock:
        _proved.clear()


def _digest(service: str, password: str) -> bytes:
    text = f"{service}\0{password}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, key=_key, digest_size=32).digest()
