"""Suspension runs down the tree: a suspended reseller switches off every tenant below.

And, for queries that are written by hand, who may log in at all.
"""

from accounts.models import Domain, Mailbox, Tenant

# A mailbox `m`, its domain `d` and its tenant `t`.
MAILBOXES = (
    f"{Mailbox._meta.db_table} m JOIN {Domain._meta.db_table} d ON d.id = m.domain_id"
    f" JOIN {Tenant._meta.db_table} t ON t.id = d.tenant_id"
)
# A shared mailbox has no owner who could log in.
CAN_LOG_IN = "m.removed_at IS NULL AND NOT m.is_shared"
# But for the resellers above: `is_tenant_suspended(t.parent_id)` is asked as well.
IS_SUSPENDED = "m.is_suspended OR d.is_suspended OR t.is_suspended"


def is_tenant_suspended(tenant_id: int | None) -> bool:
    """Whether the tenant or a reseller above it is suspended; one query a level."""
    asked: set[int] = set()
    while tenant_id is not None and tenant_id not in asked:
        asked.add(tenant_id)
        is_suspended, parent_id = Tenant.objects.values_list("is_suspended", "parent_id").get(
            pk=tenant_id
        )
        if is_suspended:
            return True
        tenant_id = parent_id
    return False
