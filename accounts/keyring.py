"""The row that every login reads: a mailbox, whether it is open, and the secrets that open it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts import effects, scopes
from accounts.directory.names import split_address
from accounts.models import AccessToken, Credential
from accounts.suspension import CAN_LOG_IN, IS_SUSPENDED, MAILBOXES, is_tenant_suspended

# `last_used_at` is a courtesy to people, not worth a write a login.
USE_NOTED_EVERY = timedelta(hours=1)
# It tells a lost device's password from one still in use.
APP_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who proved to be the owner of a mailbox."""

    mailbox_id: int
    tenant_id: int
    address: str
    credential_version: int
    # Whether it may set the quotas of its domain, as it was at the login.
    sets_quotas: bool = False


class Secret(NamedTuple):
    id: int
    is_app_password: bool
    hash: str
    scopes: str
    used_at: datetime | None

    def fits(self, service: str) -> bool:
        """Whether an app password may be used for a service."""
        return scopes.covers(self.scopes, service)


class Keyring(NamedTuple):
    identity: Identity
    is_suspended: bool
    app_passwords_only: bool
    secrets: tuple[Secret, ...]

    def hashes(self, service: str) -> tuple[Secret, ...]:
        """The passwords that people chose, where they open this service."""
        if self.app_passwords_only and scopes.is_scoped(service):
            return ()
        return tuple(secret for secret in self.secrets if not secret.is_app_password)

    def app_passwords(self, service: str) -> tuple[Secret, ...]:
        return tuple(each for each in self.secrets if each.is_app_password and each.fits(service))


def read(address: str) -> Keyring | None:
    """The keyring of an address that is a mailbox's; one query."""
    local_part, domain = split_address(address)
    return _read("d.name = %s AND m.local_part = %s", (domain, local_part))


def read_of(mailbox_id: int) -> Keyring | None:
    """The keyring of a mailbox; one query."""
    return _read("m.id = %s", (mailbox_id,))


def read_of_token(digest: str) -> Keyring | None:
    """The keyring of the mailbox that a token, expired or not, is of; one query."""
    return _read(f"m.id = (SELECT mailbox_id FROM {_TOKENS} WHERE digest = %s)", (digest,))  # noqa: S608


_TOKENS = AccessToken._meta.db_table
# By hand, as every login asks it: preparing it through the ORM costs more CPU than all the rest of
# a login whose password is remembered.
_KEYRING = (
    "SELECT m.id, d.tenant_id, m.local_part, d.name, m.credential_version, m.app_passwords_only,"  # noqa: S608
    f" m.sets_quotas, {IS_SUSPENDED}, t.parent_id, c.id, c.kind, c.hash, c.scopes, c.last_used_at"
    f" FROM {MAILBOXES} LEFT JOIN {Credential._meta.db_table} c ON c.mailbox_id = m.id"
    f" WHERE {CAN_LOG_IN} AND "
)
_VERSIONS = (
    f"SELECT m.id, m.credential_version, {IS_SUSPENDED}, t.parent_id FROM {MAILBOXES}"  # noqa: S608
    f" WHERE {CAN_LOG_IN} AND m.id IN "
)
# Mailboxes a query.
_AT_ONCE = 500


def versions(mailbox_ids: Collection[int]) -> Iterator[tuple[int, int]]:
    """Mailboxes out of these that may be logged in to, with the version of their credentials."""
    ids = list(mailbox_ids)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        with connection.cursor() as cursor:
            cursor.execute(f"{_VERSIONS}({', '.join(['%s'] * len(some))})", some)
            found = cursor.fetchall()
        for mailbox_id, version, is_off, reseller in found:
            if not is_off and not is_tenant_suspended(reseller):
                yield mailbox_id, version


def _read(condition: str, parameters: Sequence[int | str]) -> Keyring | None:
    with connection.cursor() as cursor:
        cursor.execute(f"{_KEYRING}{condition} ORDER BY c.kind", parameters)
        found = cursor.fetchall()
    if not found:
        return None
    mailbox_id, tenant_id, local_part, domain, version, is_strict = found[0][:6]
    sets_quotas, is_off, reseller = found[0][6:9]
    address = f"{local_part}@{domain}"
    return Keyring(
        Identity(mailbox_id, tenant_id, address, version, bool(sets_quotas)),
        bool(is_off) or is_tenant_suspended(reseller),
        bool(is_strict),
        tuple(
            Secret(key, kind == Credential.Kind.APP_PASSWORD, stored, scopes, _moment(used_at))
            for *_, key, kind, stored, scopes, used_at in found
            if key is not None
        ),
    )


def _moment(stored: datetime | None) -> datetime | None:
    """A time as the driver gives it: SQLite's are UTC without saying so."""
    return stored.replace(tzinfo=UTC) if stored is not None and stored.tzinfo is None else stored


def note_use_of(secret: Secret) -> Secret:
    """Write down, soon and not here, that it was used; the secret as it stands then."""
    every = APP_USE_NOTED_EVERY if secret.is_app_password else USE_NOTED_EVERY
    return secret._replace(used_at=note_use(Credential, secret.id, secret.used_at, every))


def note_use(
    model: type[Model], key: int, used_at: datetime | None, every: timedelta
) -> datetime | None:
    """Write down, soon and not here, that a secret was used; not more often than `every`.

    The last use that was, or will be, written down.
    """
    now = timezone.now()
    if used_at is not None and now - used_at < every:
        return used_at

    def write() -> None:
        model._default_manager.filter(pk=key).update(last_used_at=now)

    effects.soon(f"used {model._meta.model_name} {key}", write)
    return now
