"""Mailboxes: create, suspend, set a password, remove, restore, purge.

A User with the mailbox's address is made with it, so that its owner can log in to the web; it has
no password of its own (`accounts.login` checks the mailbox's).
"""

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import limits
from accounts.directory import uidvalidity, version
from accounts.directory.domains import find_domain
from accounts.directory.names import DirectoryError, check_local_part, split_address
from accounts.hashers import hash_password, is_importable
from accounts.mailstore import folders, removal
from accounts.models import Alias, Credential, Domain, Mailbox, PopDeletion, User

MAX_PASSWORD_OCTETS = 1024
# Not every database minds what is longer than its column.
MAX_NAME = 200
MAX_HASH = 300
# The most that a column of folders holds; nobody has more of messages either.
MAX_COUNT = (1 << 31) - 1
_IS_PURGED = gettext_lazy(
    "“%(mailbox)s” is being purged; when that is done its address is free again."
)


def find_mailbox(address: str, *, or_removed: bool = False) -> Mailbox:
    """The mailbox with that very address (no alias, no detail), else DirectoryError."""
    local_part, domain = split_address(address)
    rows = Mailbox.objects.select_related("domain__tenant", "user")
    found = rows.filter(local_part=local_part, domain__name=domain).first()
    if found is None:
        raise DirectoryError(_("There is no mailbox “%(address)s”.") % {"address": address})
    if found.purge_asked_at is not None and not or_removed:
        raise DirectoryError(_IS_PURGED % {"mailbox": found})
    if found.removed_at is not None and not or_removed:
        text = _("The mailbox “%(address)s” was removed; restore it first.")
        raise DirectoryError(text % {"address": address})
    return found


def create_mailbox(
    address: str,
    password: str | None = None,
    *,
    password_hash: str = "",
    quota_bytes: int = 0,
    name: str = "",
    is_shared: bool = False,
) -> Mailbox:
    """A mailbox with its folders, its User and, where one is given, its password.

    A shared one has neither password nor User: others use it with rights they are given.
    `password_hash` is an imported `{SCHEME}hash`, renewed at the first login. DirectoryError says
    why it cannot be made.
    """
    secret = _secret(password, password_hash)
    check_name(name)
    if quota_bytes < 0:
        raise DirectoryError(_("A quota is a number of octets, or 0 for none."))
    if secret and is_shared:
        raise DirectoryError(_("A shared mailbox has no password: nobody logs in to it."))
    with transaction.atomic():
        domain, local_part = _free_address(address)
        user = None if is_shared else _user(f"{local_part}@{domain.name}", name)
        mailbox = Mailbox.objects.create(
            domain=domain,
            local_part=local_part,
            name=name,
            user=user,
            quota_bytes=quota_bytes,
            is_shared=is_shared,
            next_uidvalidity=uidvalidity.first_of_new(),
        )
        if secret:
            Credential.objects.create(mailbox=mailbox, hash=secret)
        folders.provision(mailbox.pk)
        version.touch()
    return mailbox


def _secret(password: str | None, password_hash: str) -> str:
    if password is not None:
        check_password_form(password)
        return hash_password(password)
    if password_hash and not is_importable(password_hash):
        scheme = password_hash.partition("}")[0].lstrip("{")
        text = _("A password hash of the scheme “%(scheme)s” cannot be imported.")
        raise DirectoryError(text % {"scheme": scheme})
    if len(password_hash) > MAX_HASH:
        text = _("A password hash has at most %(max_hash)s characters.")
        raise DirectoryError(text % {"max_hash": MAX_HASH})
    return password_hash


def check_name(name: str) -> None:
    """DirectoryError for what is no display name: too long, or not for a line of text."""
    is_plain = all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in name)
    if len(name) > MAX_NAME or not is_plain:
        text = _("A name has at most %(max_name)s characters, none of them a control character.")
        raise DirectoryError(text % {"max_name": MAX_NAME})


def check_password_form(password: str) -> None:
    """DirectoryError for what no client could send or no hasher should be made to read."""
    if not password:
        raise DirectoryError(_("A password cannot be empty."))
    if "\0" in password or len(password.encode()) > MAX_PASSWORD_OCTETS:
        text = _("A password has at most %(max_password_octets)s octets and no NUL.") % {
            "max_password_octets": MAX_PASSWORD_OCTETS
        }
        raise DirectoryError(text)


def _free_address(address: str) -> tuple[Domain, str]:
    """The domain and local part of a new mailbox; DirectoryError where the address is taken."""
    local_part, at, domain_name = address.strip().rpartition("@")
    if not at:
        text = _("“%(address)s” is no address; write it as name@domain.")
        raise DirectoryError(text % {"address": address})
    domain = find_domain(domain_name)
    if domain.alias_of is not None:
        text = _("“%(domain)s” stands for “%(alias_of)s”; add the mailbox there.") % {
            "domain": domain,
            "alias_of": domain.alias_of,
        }
        raise DirectoryError(text)
    folded = check_local_part(local_part)
    taken = Mailbox.objects.filter(domain=domain, local_part=folded).first()
    if taken is not None and taken.purge_asked_at is not None:
        raise DirectoryError(_IS_PURGED % {"mailbox": address})
    if taken is not None and taken.removed_at is not None:
        text = _("“%(address)s” was removed and can be restored; purge it to free the address.") % {
            "address": address
        }
        raise DirectoryError(text)
    if taken is not None:
        raise DirectoryError(_("The mailbox “%(address)s” exists already.") % {"address": address})
    if Alias.objects.filter(domain=domain, local_part=folded).exists():
        text = _("“%(address)s” is an alias; remove it first.")
        raise DirectoryError(text % {"address": address})
    return domain, folded


def _user(username: str, full_name: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User(username=username, full_name=full_name)
        user.set_unusable_password()
        user.save()
    elif Mailbox.objects.filter(user=user).exists():
        text = _("The user “%(username)s” has another mailbox.")
        raise DirectoryError(text % {"username": username})
    elif user.is_staff or user.is_superuser:
        # The rights of a hosting admin would go to whoever knows the mailbox's password.
        text = _("A user called “%(address)s” exists already.")
        raise DirectoryError(text % {"address": username})
    return user


def require_owner(mailbox: Mailbox) -> None:
    """DirectoryError for a shared mailbox: no password, app password or token would open it."""
    if mailbox.is_shared:
        raise DirectoryError(_("A shared mailbox has no password: nobody logs in to it."))


@transaction.atomic
def set_password(mailbox: Mailbox, password: str) -> None:
    """Replace the password; every session that logged in with the old one has to log in again."""
    check_password_form(password)
    require_owner(mailbox)
    Credential.objects.update_or_create(
        mailbox=mailbox,
        kind=Credential.Kind.PASSWORD,
        defaults={"hash": hash_password(password)},
    )
    shut_sessions(mailbox)


@transaction.atomic
def set_quota(
    mailbox: Mailbox,
    quota_bytes: int | None = None,
    *,
    messages: int | None = None,
    folders: int | None = None,
) -> None:
    """Octets, messages and folders; 0 is unlimited, None as it is. What is above it stays."""
    if quota_bytes is not None:
        if quota_bytes < 0:
            raise DirectoryError(_("A quota is a number of octets, or 0 for none."))
        mailbox.quota_bytes = quota_bytes
    if min(messages or 0, folders or 0) < 0 or max(messages or 0, folders or 0) > MAX_COUNT:
        raise DirectoryError(_("A limit is a whole number, or 0 for none."))
    if messages is not None:
        mailbox.quota_messages = messages
    if folders is not None:
        mailbox.quota_folders = folders
    is_full = limits.is_full(
        (mailbox.quota_bytes, mailbox.used_bytes), (mailbox.quota_messages, mailbox.used_messages)
    )
    mailbox.full_since = (mailbox.full_since or timezone.now()) if is_full else None
    mailbox.save(update_fields=["quota_bytes", "quota_messages", "quota_folders", "full_since"])
    version.touch()


@transaction.atomic
def set_pop(mailbox: Mailbox, deletion: str, since: date | None) -> None:
    """What POP3 programs see and what becomes of what they delete; from the next login on."""
    if deletion not in PopDeletion.values:
        known = ", ".join(PopDeletion.values)
        text = _("“%(deletion)s” is none of %(known)s.")
        raise DirectoryError(text % {"deletion": deletion, "known": known})
    mailbox.pop_deletion, mailbox.pop_since = deletion, since
    mailbox.save(update_fields=["pop_deletion", "pop_since"])
    version.touch()


@transaction.atomic
def suspend_mailbox(mailbox: Mailbox, *, is_suspended: bool = True) -> None:
    """Its mail is refused with 550 5.2.1 and nobody logs in until it is resumed."""
    mailbox.is_suspended = is_suspended
    mailbox.save(update_fields=["is_suspended"])
    shut_sessions(mailbox)
    version.touch()


@transaction.atomic
def remove_mailbox(mailbox: Mailbox) -> None:
    """It takes no mail and no login, and can be restored for `limits.RESTORABLE_FOR`."""
    mailbox.removed_at = timezone.now()
    mailbox.save(update_fields=["removed_at"])
    shut_sessions(mailbox)
    User.objects.filter(mailbox=mailbox).update(is_active=False)
    version.touch()


@transaction.atomic
def restore_mailbox(mailbox: Mailbox) -> None:
    removed = _lock_removed(mailbox)
    if removed.purge_asked_at is not None:
        raise DirectoryError(_IS_PURGED % {"mailbox": mailbox})
    mailbox.removed_at = removed.removed_at = None
    removed.save(update_fields=["removed_at"])
    User.objects.filter(mailbox=mailbox).update(is_active=not mailbox.is_shared)
    version.touch()


@transaction.atomic
def ask_purge(mailbox: Mailbox) -> None:
    """It was removed, and cannot be restored any more: `purge_due` takes it and its mail away."""
    removed = _lock_removed(mailbox)
    mailbox.purge_asked_at = removed.purge_asked_at = removed.purge_asked_at or timezone.now()
    removed.save(update_fields=["purge_asked_at"])


def purge_mailbox(mailbox: Mailbox, progress: Callable[[str], None] = lambda _text: None) -> None:
    """Remove it and its mail for good and free its address."""
    if mailbox.removed_at is None:
        remove_mailbox(mailbox)
    ask_purge(mailbox)
    # In many short transactions: a large mailbox must not hold up everybody's mail.
    removal.purge_mail(mailbox.pk, progress)
    with transaction.atomic():
        if not Mailbox.objects.select_for_update().filter(pk=mailbox.pk).order_by("pk").exists():
            return  # Somebody else has purged it meanwhile.
        # Not the whole row: the worker's role may not read hashes (deploy/postgres).
        users = User.objects.filter(mailbox=mailbox).only("is_staff")
        user = users.order_by("pk").first()
        uidvalidity.leave(mailbox)
        mailbox.delete()
        # With what it may do for tenants, or whoever gets the address next could do it.
        if user is not None and not user.is_staff:
            user.delete()
        version.touch()


def purge_due(moment: datetime) -> None:
    """Purge what was removed before `moment`, and what `ask_purge` was said of."""
    is_due = Q(removed_at__lt=moment) | Q(purge_asked_at__isnull=False)
    rows = Mailbox.objects.select_related("domain").filter(is_due)
    for mailbox in rows.order_by("removed_at"):
        # One that was restored since is left alone.
        with suppress(DirectoryError):
            purge_mailbox(mailbox)


def _lock_removed(mailbox: Mailbox) -> Mailbox:
    """Its row as it is now; DirectoryError where it is not removed (any more), or gone."""
    rows = Mailbox.objects.select_for_update().filter(pk=mailbox.pk, removed_at__isnull=False)
    removed = rows.only("removed_at", "purge_asked_at").order_by("pk").first()
    if removed is None:
        raise DirectoryError(_("The mailbox “%(mailbox)s” was not removed.") % {"mailbox": mailbox})
    return removed


def restorable_until(mailbox: Mailbox) -> datetime | None:
    return mailbox.removed_at + limits.RESTORABLE_FOR if mailbox.removed_at else None


@transaction.atomic
def shut_sessions(mailbox: Mailbox) -> None:
    """Make every login that was good until now ask again."""
    mailbox.credential_version += 1
    mailbox.save(update_fields=["credential_version"])
    # Servers end the sessions that are open now when they hear of it.
    version.touch()
