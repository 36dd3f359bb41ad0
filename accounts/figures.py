"""Counts of what is hosted here, for `/metrics`, lists and the admin's first page."""

from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

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


def with_counts(domains: QuerySet[Domain]) -> QuerySet[Any]:
    """Domains with `mailbox_count` and `alias_count`, removed mailboxes left out.

    Each counted by itself: a join of both has a row for each pair of them.
    """
    return domains.annotate(
        mailbox_count=_held(Mailbox, Q(removed_at=None)), alias_count=_held(Alias, Q())
    )


def _held(model: Any, condition: Q) -> Coalesce:
    rows = model.objects.filter(condition, domain=OuterRef("pk")).order_by().values("domain")
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0)
