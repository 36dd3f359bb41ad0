"""Suspension runs down the tree: a suspended reseller switches off every tenant below."""

from accounts.models import Tenant


def is_tenant_suspended(tenant_id: int | None) -> bool:
    """Whether the tenant or a reseller above it is suspended; one query a level."""
    while tenant_id is not None:
        is_suspended, parent_id = Tenant.objects.values_list("is_suspended", "parent_id").get(
            pk=tenant_id
        )
        if is_suspended:
            return True
        tenant_id = parent_id
    return False
