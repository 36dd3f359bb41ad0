"""Who may open a mailbox: an address and a password in, an Identity or a refusal out.

The order is fixed: the throttle, one row of the database, the memory of recent logins, and
only then the expensive hash, in two threads of its own that never touch the database. A mailbox
that does not exist costs the same hash as a wrong password. Every login reads the row, so that a
suspension or a new password counts at once.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Literal, NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from accounts import effects, hashers
from accounts.directory.names import split_address
from accounts.directory.suspension import is_tenant_suspended
from accounts.models import Credential, Mailbox
from accounts.throttle import Counts, MemoryCounts, RedisCounts, Throttle

HASHING_THREADS = 2
MEMORY_SECONDS = 3600.0
MEMORY_CAPACITY = 20_000
# `last_used_at` is a courtesy to people, not worth a write a login.
USE_NOTED_EVERY = timedelta(hours=1)
MAX_ADDRESS = 320
MAX_PASSWORD = 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who proved to be the owner of a mailbox."""

    mailbox_id: int
    tenant_id: int
    address: str
    credential_version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """`credentials`: wrong, or no such mailbox; `throttled`: wait first; `temporary`: our fault."""

    reason: Literal["credentials", "throttled", "suspended", "temporary"]


Login = Identity | Refused


class _Secret(NamedTuple):
    id: int
    hash: str
    is_use_due: bool


class _Row(NamedTuple):
    identity: Identity
    is_suspended: bool
    hashes: tuple[_Secret, ...]


def check(address: str, password: str, *, service: str, peer: str) -> Future[Login]:
    """Whether the password opens the mailbox. Call it from a pool thread: it reads one row.

    The future never fails. `service` ("imap", "submission", …) is for the log; `peer` is the
    client's IP address.
    """
    key = "@".join(split_address(address))
    try:
        if len(address) > MAX_ADDRESS or len(password) > MAX_PASSWORD:
            return _done(Refused("credentials"))
        if throttle().must_wait(key, peer):
            log.info("login.throttled", address=key, service=service, peer=peer)
            return _done(Refused("throttled"))
        row = _read(address)
        if row is not None and _remembers(row.identity, password):
            throttle().succeeded(key, peer)
            return _done(_admit(row))
        if _is_known_wrong(row, key, password):
            # A phone that repeats the password of yesterday guesses nothing, and must not make
            # its owner's other programs wait.
            return _done(Refused("credentials"))
    except DatabaseError:
        log.exception("login.database", service=service)
        return _done(Refused("temporary"))
    return _hashing().submit(_verify, row, key, password, service, peer)


def cached_check(address: str, password: str, *, peer: str) -> Identity | None:
    """The identity if this very password was good lately and still is; reads one row, no hash."""
    if throttle().must_wait("@".join(split_address(address)), peer):
        return None
    row = _read(address)
    if row is None or row.is_suspended or not _remembers(row.identity, password):
        return None
    return row.identity


def still_valid(identity: Identity) -> bool:
    """Whether a session that logged in as `identity` may go on; reads one row."""
    row = _read_row(pk=identity.mailbox_id)
    return (
        row is not None
        and not row.is_suspended
        and row.identity.credential_version == identity.credential_version
    )


@cache
def throttle() -> Throttle:
    """The throttle of this process; it shares counts through Redis where one is configured."""
    counts: list[Counts] = [MemoryCounts()]
    if settings.MAILHOST.redis_url:
        counts.append(RedisCounts(settings.MAILHOST.redis_url))
    return Throttle(counts=counts)


@cache
def _hashing() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="hashing")


def _done(login: Login) -> Future[Login]:
    future: Future[Login] = Future()
    future.set_result(login)
    return future


def _admit(row: _Row) -> Login:
    return Refused("suspended") if row.is_suspended else row.identity


def _verify(row: _Row | None, key: str, password: str, service: str, peer: str) -> Login:
    """Runs in a hashing thread. No database here; what is to be written is left to an effect."""
    try:
        # Others may have failed while this one stood in line.
        if throttle().must_wait(key, peer):
            return Refused("throttled")
        if row is None or not row.hashes:
            hashers.verify_nothing(password)
        else:
            for secret in row.hashes:
                if hashers.verify(password, secret.hash):
                    return _good(row, secret, key, password, peer)
    except Exception:
        # A hash that nobody foresaw must not look like a wrong password, nor end the session.
        log.exception("login.hash", service=service)
        return Refused("temporary")
    throttle().failed(key, peer)
    _keep(_wrong, _wrong_digest(row, key, password))
    log.info("login.refused", address=key, service=service, peer=peer)
    return Refused("credentials")


def _good(row: _Row, secret: _Secret, key: str, password: str, peer: str) -> Login:
    throttle().succeeded(key, peer)
    if row.is_suspended:
        return Refused("suspended")
    _keep(_good_ones, _digest(row.identity, password))
    if hashers.wants_renewal(secret.hash):
        renewed = hashers.hash_password(password)
        effects.soon(f"renew {secret.id}", lambda: _renew(secret.id, secret.hash, renewed))
    if secret.is_use_due:
        effects.soon(f"used {secret.id}", lambda: _note_use(secret.id))
    return row.identity


def _renew(credential_id: int, stored: str, renewed: str) -> None:
    # Not where the password was changed meanwhile; the version stays, the password is the same.
    Credential.objects.filter(pk=credential_id, hash=stored).update(hash=renewed)


def _note_use(credential_id: int) -> None:
    Credential.objects.filter(pk=credential_id).update(last_used_at=timezone.now())


def _read(address: str) -> _Row | None:
    local_part, domain = split_address(address)
    return _read_row(local_part=local_part, domain__name=domain)


def _read_row(**condition: object) -> _Row | None:
    """The mailbox with its secrets, in one query."""
    rows = Mailbox.objects.filter(removed_at=None, **condition).order_by("credentials__kind")
    found = list(
        rows.values_list(
            "id",
            "domain__tenant_id",
            "local_part",
            "domain__name",
            "credential_version",
            "is_suspended",
            "domain__is_suspended",
            "domain__tenant__is_suspended",
            "domain__tenant__parent_id",
            "credentials__id",
            "credentials__hash",
            "credentials__last_used_at",
        )
    )
    if not found:
        return None
    mailbox_id, tenant_id, local_part, domain, version, *off, reseller = found[0][:9]
    due_before = timezone.now() - USE_NOTED_EVERY
    return _Row(
        Identity(mailbox_id, tenant_id, f"{local_part}@{domain}", version),
        any(off) or is_tenant_suspended(reseller),
        tuple(
            _Secret(credential_id, stored, used_at is None or used_at < due_before)
            for *_, credential_id, stored, used_at in found
            if credential_id is not None
        ),
    )


# The memory holds keyed digests only: a dump of it opens nothing after the process has ended.
_memory_key = secrets.token_bytes(32)
_good_ones: OrderedDict[bytes, float] = OrderedDict()
_wrong: OrderedDict[bytes, float] = OrderedDict()
_memory_lock = threading.Lock()


def _digest(identity: Identity, password: str) -> bytes:
    return _sealed(f"{identity.mailbox_id}\0{identity.credential_version}\0{password}")


def _wrong_digest(row: _Row | None, key: str, password: str) -> bytes:
    # With the hashes: a password that is set later is not wrong any more.
    hashes = "\0".join(secret.hash for secret in row.hashes) if row else ""
    return _sealed(f"{key}\0{hashes}\0{password}")


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


def _is_known_wrong(row: _Row | None, key: str, password: str) -> bool:
    with _memory_lock:
        return _wrong.get(_wrong_digest(row, key, password), 0.0) > time.monotonic()


def forget() -> None:
    """Lose the memory of logins and of failures."""
    with _memory_lock:
        _good_ones.clear()
        _wrong.clear()
    throttle.cache_clear()
