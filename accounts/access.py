"""The tenant barrier: an id from a request becomes a row this actor may see, or nothing.

Pages for tenants never look rows up themselves. A hosting admin sees everything; an owner or
administrator of a tenant sees it and the tenants below it; support sees its tenant and changes
nothing; everybody sees their own mailbox. What may not be seen is answered like what does not
exist.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from django.db.models import Q, QuerySet

from accounts.models import Alias, Domain, Mailbox, Membership, Tenant, User


class Need(Enum):
    """What the actor wants to do with the row."""

    SEE = "see"
    CHANGE = "change"


class Actor(Protocol):
    """Whoever makes the request: a User, or Django's AnonymousUser (whose `pk` is None)."""

    @property
    def pk(self) -> int | None: ...

    @property
    def is_active(self) -> bool: ...


_RULERS = (Membership.Role.OWNER, Membership.Role.ADMIN)


def tenants(actor: Actor, need: Need = Need.SEE) -> QuerySet[Tenant]:
    """Every tenant the actor may see (or change)."""
    return Tenant.objects.filter(_reach(actor, need, "pk"))


def domains(actor: Actor, need: Need = Need.SEE) -> QuerySet[Domain]:
    return Domain.objects.select_related("tenant").filter(_reach(actor, need, "tenant_id"))


def mailboxes(actor: Actor, need: Need = Need.SEE) -> QuerySet[Mailbox]:
    """Those of the tenants within reach, and the actor's own (which only its rulers change)."""
    reach = _reach(actor, need, "domain__tenant_id")
    if need is Need.SEE and actor.pk is not None and actor.is_active:
        reach |= Q(user_id=actor.pk)
    return Mailbox.objects.select_related("domain__tenant").filter(reach)


def aliases(actor: Actor, need: Need = Need.SEE) -> QuerySet[Alias]:
    rows = Alias.objects.select_related("domain__tenant")
    return rows.filter(_reach(actor, need, "domain__tenant_id"))


def tenant(actor: Actor, id_: int, need: Need = Need.SEE) -> Tenant | None:
    return tenants(actor, need).filter(pk=id_).first()


def domain(actor: Actor, id_: int, need: Need = Need.SEE) -> Domain | None:
    return domains(actor, need).filter(pk=id_).first()


def mailbox(actor: Actor, id_: int, need: Need = Need.SEE) -> Mailbox | None:
    return mailboxes(actor, need).filter(pk=id_).first()


def alias(actor: Actor, id_: int, need: Need = Need.SEE) -> Alias | None:
    return aliases(actor, need).filter(pk=id_).first()


def _reach(actor: Actor, need: Need, column: str) -> Q:
    """The condition on `column` (a tenant's id) that holds the actor's tenants."""
    if actor.pk is None or not actor.is_active:
        return Q(pk__in=())
    if User.objects.filter(pk=actor.pk, is_superuser=True, is_active=True).exists():
        return Q()
    roles = dict(Membership.objects.filter(user_id=actor.pk).values_list("tenant_id", "role"))
    reached = _with_those_below(pk for pk, role in roles.items() if role in _RULERS)
    if need is Need.SEE:
        reached |= roles.keys()
    return Q(**{f"{column}__in": reached})


def _with_those_below(tenant_ids: Iterable[int]) -> set[int]:
    """One query a level of resellers."""
    reached: set[int] = set()
    level = set(tenant_ids)
    while level:
        reached |= level
        below = Tenant.objects.filter(parent_id__in=level).values_list("pk", flat=True)
        level = set(below) - reached
    return reached
