"""Tenants: create, suspend, resume; when one may be removed; who belongs to them."""

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.directory import version
from accounts.directory.names import DirectoryError
from accounts.models import Membership, Tenant, User


@transaction.atomic
def create_tenant(name: str) -> Tenant:
    name = name.strip()
    slug = slugify(name)
    if not name or not slug:
        raise DirectoryError(_("A tenant needs a name with at least one letter or digit."))
    if Tenant.objects.filter(slug=slug).exists():
        raise DirectoryError(
            _("A tenant with the short name “%(slug)s” exists already.") % {"slug": slug}
        )
    return Tenant.objects.create(name=name, slug=slug)


@transaction.atomic
def suspend_tenant(tenant: Tenant, *, is_suspended: bool = True) -> None:
    """Neither the tenant's domains nor those of the tenants below it take mail or log in."""
    tenant.is_suspended = is_suspended
    tenant.save(update_fields=["is_suspended"])
    version.touch()


def require_empty(tenant: Tenant) -> None:
    """DirectoryError for a tenant that cannot be removed yet."""
    # Not by trying: that would load all that keeps it.
    if any(held.exists() for held in (tenant.domains, tenant.children, tenant.queued)):
        text = _("“%(tenant)s” still has domains, tenants below it or mail in the queue.")
        raise DirectoryError(text % {"tenant": tenant})


@transaction.atomic
def join(user: User, tenant: Tenant, role: str) -> Membership:
    """Give the user a role in the tenant; a role the user had there is replaced."""
    found, _created = Membership.objects.update_or_create(
        user=user, tenant=tenant, defaults={"role": role}
    )
    version.touch()
    return found
