"""Aliases: create, enable, disable, remove."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import limits
from accounts.directory import version
from accounts.directory.domains import find_domain
from accounts.directory.names import (
    DirectoryError,
    check_address,
    check_local_part,
    fold_domain,
    split_address,
)
from accounts.models import Alias, AliasTarget, Domain, Mailbox


def find_alias(address: str) -> Alias:
    """The alias with that address; `*@domain` (or `@domain`) is the domain's catch-all."""
    local_part, domain = split_address(address)
    key = "" if local_part == "*" else local_part
    rows = Alias.objects.select_related("domain__tenant")
    if (found := rows.filter(local_part=key, domain__name=domain).first()) is None:
        raise DirectoryError(_("There is no alias “%(address)s”.") % {"address": address})
    return found


@transaction.atomic
def create_alias(address: str, targets: Sequence[str]) -> Alias:
    """`targets` are addresses: a mailbox of ours is kept by key, anything else by name."""
    local_part, at, domain_name = address.strip().rpartition("@")
    if not at:
        raise DirectoryError(
            _("“%(address)s” is no address; write it as name@domain.") % {"address": address}
        )
    domain = find_domain(domain_name)
    if domain.alias_of is not None:
        text = _("“%(domain)s” stands for “%(alias_of)s”; add the alias there.") % {
            "domain": domain,
            "alias_of": domain.alias_of,
        }
        raise DirectoryError(text)
    key = "" if local_part in ("", "*") else check_local_part(local_part)
    if Alias.objects.filter(domain=domain, local_part=key).exists():
        raise DirectoryError(_("The alias “%(address)s” exists already.") % {"address": address})
    if key and Mailbox.objects.filter(domain=domain, local_part=key).exists():
        raise DirectoryError(
            _("“%(address)s” is a mailbox; an alias cannot have its address.")
            % {"address": address}
        )
    alias = Alias.objects.create(domain=domain, local_part=key)
    _write_targets(alias, targets)
    version.touch()
    return alias


@transaction.atomic
def enable_alias(alias: Alias, *, is_enabled: bool = True) -> None:
    alias.is_enabled = is_enabled
    alias.save(update_fields=["is_enabled"])
    version.touch()


@transaction.atomic
def remove_alias(alias: Alias) -> None:
    alias.delete()
    version.touch()


def _write_targets(alias: Alias, targets: Sequence[str]) -> None:
    if not targets:
        raise DirectoryError(_("An alias needs at least one address to lead to."))
    if len(targets) > limits.ALIAS_TARGETS:
        raise DirectoryError(
            _("An alias leads to at most %(alias_targets)s addresses.")
            % {"alias_targets": limits.ALIAS_TARGETS}
        )
    keys = {address: _key(alias, address) for address in (each.strip() for each in targets)}
    mailboxes = _mailboxes(keys.values())
    AliasTarget.objects.bulk_create(
        _target(alias, address, mailboxes.get(key)) for address, key in keys.items()
    )


def _key(alias: Alias, address: str) -> tuple[str, str]:
    key = check_address(address)
    if key == (alias.local_part, alias.domain.name):
        raise DirectoryError(_("“%(address)s” cannot lead to itself.") % {"address": address})
    return key


def _mailboxes(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Those of the addresses that are mailboxes of ours; a query for each of our domains."""
    by_domain: dict[str, list[str]] = {}
    for local_part, name in keys:
        by_domain.setdefault(name, []).append(local_part)
    found: dict[tuple[str, str], int] = {}
    hosted = Domain.objects.filter(name__in=by_domain).order_by()
    for domain_id, name in hosted.values_list("pk", "name"):
        rows = Mailbox.objects.filter(domain_id=domain_id, local_part__in=by_domain[name])
        for local_part, pk in rows.order_by().values_list("local_part", "pk"):
            found[local_part, name] = pk
    return found


def _target(alias: Alias, address: str, mailbox_id: int | None) -> AliasTarget:
    if mailbox_id is not None:
        return AliasTarget(alias=alias, mailbox_id=mailbox_id)
    # Case is kept: the local part is another host's to read.
    local_part, _at, domain = address.rpartition("@")
    return AliasTarget(alias=alias, forward_to=f"{local_part.strip()}@{fold_domain(domain)}")
