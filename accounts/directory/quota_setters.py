"""Mailboxes that may set the quotas of their domain, and whose quotas those are (decision 0015).

Nothing is remembered: who loses the job, or is suspended, has lost it with the next command.
"""

from django.db import transaction

from accounts.directory import version
from accounts.directory.mailboxes import set_quota
from accounts.directory.names import split_address
from accounts.models import Mailbox
from accounts.suspension import is_tenant_suspended


@transaction.atomic
def set_quota_setter(mailbox: Mailbox, *, is_one: bool = True) -> None:
    """Give a mailbox the job, or take it away; programs are told of it at their next login."""
    mailbox.sets_quotas = is_one
    mailbox.save(update_fields=["sets_quotas"])
    version.touch()


def settable_mailbox(actor: int, address: str) -> int | None:
    """The mailbox of that address, where mailbox `actor` may set its quotas: one of its domain."""
    actors = Mailbox.objects.filter(
        pk=actor,
        sets_quotas=True,
        removed_at=None,
        is_suspended=False,
        domain__is_suspended=False,
        domain__tenant__is_suspended=False,
    )
    found = actors.values_list("domain_id", "domain__name", "domain__tenant__parent_id").first()
    local_part, domain = split_address(address)
    if found is None or found[1] != domain or is_tenant_suspended(found[2]):
        return None
    there = Mailbox.objects.filter(domain_id=found[0], local_part=local_part, removed_at=None)
    return there.values_list("pk", flat=True).first()


@transaction.atomic
def set_quotas_of(mailbox_id: int, octets: int, messages: int, folders: int) -> None:
    """All limits of a mailbox that is settable; 0 is unlimited. DirectoryError."""
    mailbox = Mailbox.objects.select_for_update().get(pk=mailbox_id)
    set_quota(mailbox, octets, messages=messages, folders=folders)
