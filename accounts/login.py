"""Who may open a mailbox: an address and a password in, an Identity or a refusal out.

The order is fixed: the throttle, one row of the database, the memory of good passwords, and
only then the expensive hash, in two threads of its own that never touch the database. A mailbox
that does not exist costs the same hash as a wrong password. Every login reads the row, so that a
suspension or a new password counts at once; but for those where a stamp proves that the row is the
same, which `at_hand` knows (`accounts.recent_logins`). App passwords need no expensive hash: nobody
can guess one. `accounts.proofs` has the ways in that show no password.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError

from accounts import effects, generated_secrets, hashers, keyring, recent_logins, stamps
from accounts.directory.names import fold_address
from accounts.keyring import Identity, Keyring, Secret
from accounts.models import Credential
from accounts.throttle import Counts, MemoryCounts, Throttle

__all__ = [
    "Identity",
    "Login",
    "Refused",
    "at_hand",
    "check",
    "fallen",
    "forget",
    "still_valid",
    "throttle",
    "turn_away",
    "welcome",
]

HASHING_THREADS = 2
MEMORY_SECONDS = 3600.0
MEMORY_CAPACITY = 20_000
MAX_ADDRESS = 320
MAX_PASSWORD = 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why somebody does not get in.

    `credentials`: wrong, or no such mailbox; `throttled`: wait first; `temporary`: our fault;
    `impersonation`: to act as another, which nobody may.
    """

    reason: Literal["credentials", "throttled", "suspended", "temporary", "impersonation"]


Login = Identity | Refused


class _Claim(NamedTuple):
    """What somebody says, and the stamp of the directory before it was looked at."""

    key: str
    password: str
    service: str
    peer: str
    stamp: int | None


def at_hand(address: str, password: str, *, service: str, peer: str) -> Identity | None:
    """What `check` would answer, where that is known without a query; quick, in any thread."""
    return recent_logins.find(fold_address(address), password, service, peer)


def check(address: str, password: str, *, service: str, peer: str) -> Future[Login]:
    """Whether the password opens the mailbox. Call it from a pool thread: it reads one row.

    The future never fails. `service` ("imap", "submission", …) is for the log; `peer` is the
    client's IP address.
    """
    key = fold_address(address)
    try:
        # PostgreSQL has no text with NUL, and says so as loudly as if it were down.
        if len(address) > MAX_ADDRESS or len(password) > MAX_PASSWORD or "\0" in key:
            return _done(Refused("credentials"))
        if throttle().must_wait(key, peer):
            log.info("login.throttled", address=key, service=service, peer=peer)
            return _done(Refused("throttled"))
        claim = _Claim(key, password, service, peer, stamps.take_of_directory())
        ring = keyring.read(address)
        if ring is not None and (secret := _app_password(ring, password, service)):
            return _done(_let_in(ring, secret, claim))
        hashes = ring.hashes(service) if ring is not None else ()
        if ring is not None and hashes and _remembers(ring.identity, password):
            return _done(_let_in(ring, hashes[0], claim))
        if _is_known_wrong(hashes, key, password):
            # A phone that repeats the password of yesterday guesses nothing, and must not make
            # its owner's other programs wait.
            return _done(Refused("credentials"))
    except DatabaseError:
        log.exception("login.database", service=service)
        return _done(Refused("temporary"))
    return _hashing().submit(_verify, ring, hashes, claim)


def still_valid(identity: Identity) -> bool:
    """Whether a session that logged in as `identity` may go on; reads one row."""
    ring = keyring.read_of(identity.mailbox_id)
    return (
        ring is not None
        and not ring.is_suspended
        and ring.identity.credential_version == identity.credential_version
    )


def fallen(identities: Collection[Identity]) -> set[Identity]:
    """Those whose sessions may not go on; some hundreds of them are one query."""
    versions = dict(keyring.versions({identity.mailbox_id for identity in identities}))
    return {
        identity
        for identity in identities
        if versions.get(identity.mailbox_id) != identity.credential_version
    }


def welcome(ring: Keyring, secret: Secret, key: str, peer: str) -> Login:
    """What comes of an app password that was proved without being shown."""
    throttle().succeeded(key, peer)
    if ring.is_suspended:
        return Refused("suspended")
    keyring.note_use_of(secret)
    return ring.identity


def turn_away(key: str, service: str, peer: str) -> Refused:
    """What comes of a secret that opens nothing: its guesser may have to wait."""
    recent_logins.drop(key, peer)
    throttle().failed(key, peer)
    log.info("login.refused", address=key, service=service, peer=peer)
    return Refused("credentials")


@cache
def throttle() -> Throttle:
    """The throttle of this process; it shares counts through Redis where one is configured."""
    counts: list[Counts] = [MemoryCounts()]
    if settings.MAILHOST.redis_url:
        # Late: most hosts have no Redis of their own, and its library takes a tenth of a start.
        from accounts.redis_counts import RedisCounts

        counts.append(RedisCounts(settings.MAILHOST.redis_url))
    return Throttle(counts=counts)


@cache
def _hashing() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="hashing")


def _done(login: Login) -> Future[Login]:
    future: Future[Login] = Future()
    future.set_result(login)
    return future


def _let_in(ring: Keyring, secret: Secret, claim: _Claim) -> Login:
    """What comes of a password that is right."""
    key, password, service, peer, stamp = claim
    throttle().succeeded(key, peer)
    if ring.is_suspended:
        return Refused("suspended")
    noted = keyring.note_use_of(secret)
    recent_logins.remember(ring.identity, noted, password, service, peer, stamp)
    return ring.identity


def _app_password(ring: Keyring, password: str, service: str) -> Secret | None:
    if not (candidates := ring.app_passwords(service)):
        return None
    digest = generated_secrets.digest(generated_secrets.as_made(password))
    return next((each for each in candidates if hmac.compare_digest(each.hash, digest)), None)


def _verify(ring: Keyring | None, hashes: tuple[Secret, ...], claim: _Claim) -> Login:
    """Runs in a hashing thread. No database here; what is to be written is left to an effect."""
    key, password, service, peer, _ = claim
    try:
        # Others may have failed while this one stood in line.
        if throttle().must_wait(key, peer):
            return Refused("throttled")
        if ring is not None and hashes and _remembers(ring.identity, password):
            # A program that opens many connections at once costs a hash or two, not one each.
            return _let_in(ring, hashes[0], claim)
        if ring is None or not hashes:
            hashers.verify_nothing(password)
        else:
            for secret in hashes:
                if hashers.verify(password, secret.hash):
                    return _good(ring, secret, claim)
    except Exception:
        # A hash that nobody foresaw must not look like a wrong password, nor end the session.
        log.exception("login.hash", service=service)
        return Refused("temporary")
    _keep(_wrong, _wrong_digest(hashes, key, password))
    return turn_away(key, service, peer)


def _good(ring: Keyring, secret: Secret, claim: _Claim) -> Login:
    login = _let_in(ring, secret, claim)
    if isinstance(login, Identity):
        _keep(_good_ones, _digest(login, claim.password))
        if hashers.wants_renewal(secret.hash):
            renewed = hashers.hash_password(claim.password)
            effects.soon(f"renew {secret.id}", lambda: _renew(secret.id, secret.hash, renewed))
    return login


def _renew(credential_id: int, stored: str, renewed: str) -> None:
    # Not where the password was changed meanwhile; the version stays, the password is the same.
    Credential.objects.filter(pk=credential_id, hash=stored).update(hash=renewed)


# The memory holds keyed digests only: a dump of it opens nothing after the process has ended.
_memory_key = secrets.token_bytes(32)
_good_ones: OrderedDict[bytes, float] = OrderedDict()
_wrong: OrderedDict[bytes, float] = OrderedDict()
_memory_lock = threading.Lock()


def _digest(identity: Identity, password: str) -> bytes:
    return _sealed(f"{identity.mailbox_id}\0{identity.credential_version}\0{password}")


def _wrong_digest(hashes: tuple[Secret, ...], key: str, password: str) -> bytes:
    # With the hashes: a password that is set later is not wrong any more.
    known = "\0".join(secret.hash for secret in hashes)
    return _sealed(f"{key}\0{known}\0{password}")


def _sealed(text: str) -> bytes:
    return hmac.new(_memory_key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def _keep(memory: OrderedDict[bytes, float], digest: bytes) -> None:
    with _memory_lock:
        memory[digest] = time.monotonic() + MEMORY_SECONDS
        memory.move_to_end(digest)
        if len(memory) > MEMORY_CAPACITY:
            memory.popitem(last=False)


def _remembers(identity: Identity, password: str) -> bool:
    with _memory_lock:
        return _good_ones.get(_digest(identity, password), 0.0) > time.monotonic()


def _is_known_wrong(hashes: tuple[Secret, ...], key: str, password: str) -> bool:
    with _memory_lock:
        return _wrong.get(_wrong_digest(hashes, key, password), 0.0) > time.monotonic()


def forget() -> None:
    """Lose the memory of logins and of failures."""
    with _memory_lock:
        _good_ones.clear()
        _wrong.clear()
    recent_logins.forget()
    throttle.cache_clear()
