"""Domains: create, suspend, resume, remove; domains that stand for another."""

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.directory import version
from accounts.directory.names import DirectoryError, check_domain, fold_domain
from accounts.key_lists import listed
from accounts.models import Alias, AliasTarget, Domain, Tenant
from accounts.models.domain import MAX_RECOVERABLE_DAYS

# Aliases that go in one transaction.
_AT_ONCE = 1000


def find_domain(name: str) -> Domain:
    """The domain of that name, in any spelling; DirectoryError when it is not hosted here."""
    domain = Domain.objects.select_related("tenant", "alias_of").filter(name=fold_domain(name))
    if (found := domain.first()) is None:
        raise DirectoryError(_("The domain “%(name)s” is not hosted here.") % {"name": name})
    return found


@transaction.atomic
def create_domain(tenant: Tenant, name: str, *, alias_of: Domain | None = None) -> Domain:
    folded = check_domain(name)
    if Domain.objects.filter(name=folded).exists():
        raise DirectoryError(_("The domain “%(name)s” is hosted here already.") % {"name": name})
    if alias_of is not None:
        check_alias_of(folded, alias_of)
    domain = Domain.objects.create(tenant=tenant, name=folded, alias_of=alias_of)
    version.touch()
    return domain


def check_alias_of(name: str, alias_of: Domain) -> None:
    """DirectoryError unless a domain called `name` may stand for `alias_of`."""
    if alias_of.alias_of_id is not None or alias_of.name == name:
        raise DirectoryError(
            _("“%(alias_of)s” itself stands for another domain; name that one.")
            % {"alias_of": alias_of}
        )


@transaction.atomic
def suspend_domain(domain: Domain, *, is_suspended: bool = True) -> None:
    """Its mail is refused with 550 5.2.1 and its mailboxes cannot log in until it is resumed."""
    domain.is_suspended = is_suspended
    domain.save(update_fields=["is_suspended"])
    version.touch()


def keep_deleted_mail(domain: Domain, days: int) -> None:
    """So long can deleted mail of its mailboxes be brought back; 0: not at all."""
    if not 0 <= days <= MAX_RECOVERABLE_DAYS:
        text = _("Deleted mail is kept for 0 to %(most)d days.")
        raise DirectoryError(text % {"most": MAX_RECOVERABLE_DAYS})
    domain.recoverable_days = days
    domain.save(update_fields=["recoverable_days"])


def remove_domain(domain: Domain) -> None:
    """Its aliases, domain aliases and keys go with it; a domain with mailboxes stays.

    The aliases go first, some at a time: thousands must not hold up everybody's mail.
    """
    require_no_mailboxes(domain)
    aliases = Alias.objects.filter(Q(domain=domain) | Q(domain__alias_of=domain)).order_by()
    while keys := list(aliases.values_list("pk", flat=True)[:_AT_ONCE]):
        with transaction.atomic():
            targets = AliasTarget.objects.filter(alias_id__in=listed(keys))
            targets._raw_delete(targets.db)
            some = Alias.objects.filter(pk__in=listed(keys))
            some._raw_delete(some.db)
    with transaction.atomic():
        require_no_mailboxes(domain)
        domain.delete()
        version.touch()


def require_no_mailboxes(domain: Domain) -> None:
    """DirectoryError for a domain that cannot be removed yet."""
    if count := domain.mailboxes.count():
        text = ngettext(
            "“%(domain)s” still has %(count)d mailbox, removed ones included; purge it first.",
            "“%(domain)s” still has %(count)d mailboxes, removed ones included; purge them first.",
            count,
        )
        raise DirectoryError(text % {"domain": domain, "count": count})
