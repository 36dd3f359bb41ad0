"""Counts of what is hosted here, for `/metrics` and the admin's first page."""

from django.db.models import Sum

from accounts.models import Alias, Domain, Mailbox, Tenant


def hosted() -> dict[str, int]:
    """Tenants, domains, aliases and mailboxes, and the octets the mailboxes hold."""
    mailboxes = Mailbox.objects.filter(removed_at=None)
    used = mailboxes.aggregate(total=Sum("used_bytes"))["total"]
    return {
        "tenants": Tenant.objects.count(),
        "domains": Domain.objects.count(),
        "aliases": Alias.objects.count(),
        "mailboxes": mailboxes.count(),
        "mailbox_octets": int(used or 0),
    }
