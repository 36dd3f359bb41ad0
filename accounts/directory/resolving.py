"""From a recipient's address to its Route, read from the rows.

The order for one address: its mailbox, its alias, the same two without the detail after the
separator, the domain it stands for, the postmaster and abuse rule, the catch-all; else 550 5.1.1.
Aliases are followed level by level with two queries a level, so a list of a thousand targets costs
no more queries than a list of one, where its addresses are in no more than a few hundred domains of
ours. A loop ends where it would begin again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import limits
from accounts.directory.names import fold_domain, fold_local, split_address
from accounts.directory.routes import REMOTE, MailboxRef, Route, refuse
from accounts.models import Alias, AliasTarget, Domain, Mailbox, Membership, Tenant
from accounts.suspension import is_tenant_suspended

# RFC 5321 §4.5.1 and RFC 2142 §4: these reach a person in every domain.
ALWAYS_ACCEPTED = frozenset({"postmaster", "abuse"})
# And at the name of this host, which reports about mail come from (RFC 3464 §2: a reply reaches a
# person).
HOST_ACCEPTED = ALWAYS_ACCEPTED | {"mailer-daemon"}

# Octets. Where the number of messages is limited, each that may still come counts as one so big.
SMALL_MESSAGE = 32 << 10

# SQLite takes no thousand ORs.
_DOMAINS_AT_ONCE = 200

UNKNOWN = "This address does not exist"


class _Domain(NamedTuple):
    id: int
    name: str
    tenant_id: int
    alias_of: str | None
    separator: str
    is_suspended: bool


class _Mailbox(NamedTuple):
    id: int
    local_part: str
    domain_id: int
    domain: str
    tenant_id: int
    quota: int
    used: int
    quota_messages: int
    used_messages: int
    full_since: datetime | None
    is_suspended: bool

    @property
    def ref(self) -> MailboxRef:
        return MailboxRef(self.id, f"{self.local_part}@{self.domain}", self.tenant_id)

    @property
    def is_full(self) -> bool:
        return limits.is_full((self.quota, self.used), (self.quota_messages, self.used_messages))

    def headroom(self) -> Iterator[int]:
        """Octets left until it is full, one answer for each quota it has."""
        if self.quota:
            yield self.quota - self.used
        if self.quota_messages:
            yield (self.quota_messages - self.used_messages) * SMALL_MESSAGE


_MAILBOX = (
    "id",
    "local_part",
    "domain_id",
    "domain__name",
    "domain__tenant_id",
    "quota_bytes",
    "used_bytes",
    "quota_messages",
    "used_messages",
    "full_since",
    "is_suspended",
)


class Resolved(NamedTuple):
    """A route, and the least room left (octets) in a mailbox with a quota: None without quotas."""

    route: Route
    headroom: int | None


@dataclass
class _Found:
    """What one recipient has come to so far."""

    mailboxes: dict[int, _Mailbox] = field(default_factory=dict)
    forwards: dict[str, None] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    has_alias: bool = False
    has_suspended: bool = False
    is_too_deep: bool = False
    is_too_wide: bool = False

    @property
    def is_too_large(self) -> bool:
        return self.is_too_wide or len(self.mailboxes) + len(self.forwards) > limits.ALIAS_TARGETS


def resolve_rows(local_part: str, domain_name: str, *, even_full: bool = False) -> Resolved:
    """The route of one recipient, given as keys (`names.split_address`).

    With `even_full` a full mailbox is no reason to refuse.
    """
    if not domain_name:
        return _bare(local_part)
    is_host = domain_name == fold_domain(settings.MAILHOST.hostname)
    is_accepted = local_part in (HOST_ACCEPTED if is_host else ALWAYS_ACCEPTED)
    domains = _load_domains({domain_name})
    domain = domains.get(domain_name)
    if domain is None:
        if is_host and is_accepted:
            return _as_route(_platform_postmaster(), None)
        return Resolved(REMOTE, None)
    found = _Found()
    if not domain.is_suspended:
        _follow(found, [(local_part, domain_name)], domains)
    if found.is_too_large or found.is_too_deep:
        text = "This address leads to too many others"
        return Resolved(refuse(451, "4.3.5", text, domain.tenant_id), None)
    if is_accepted and not found.mailboxes and not found.forwards:
        return _postmaster(domain)
    if domain.is_suspended:
        text = "This domain does not accept mail at present"
        return Resolved(refuse(550, "5.2.1", text, domain.tenant_id), None)
    return _route(found, domain, is_refusable=not even_full and not is_accepted)


def leads_to(local_part: str, domain_name: str, mailbox_ids: Iterable[int]) -> bool:
    """Whether an address, given as keys, is one of these mailboxes': its own in any spelling, or an
    alias that leads there. Unlike a route it does not ask whether the mailbox has room."""
    domains = _load_domains({domain_name})
    domain = domains.get(domain_name)
    if domain is None or domain.is_suspended:
        return False
    found = _Found()
    _follow(found, [(local_part, domain_name)], domains)
    return not found.mailboxes.keys().isdisjoint(mailbox_ids)


def _route(found: _Found, domain: _Domain, *, is_refusable: bool) -> Resolved:
    boxes = list(found.mailboxes.values())
    forwards = tuple(found.forwards)
    if not boxes and not forwards:
        if found.has_suspended:
            text = "This mailbox does not accept mail at present"
            return Resolved(refuse(550, "5.2.1", text, domain.tenant_id), None)
        if found.has_alias:
            text = "This address leads nowhere at present"
            return Resolved(refuse(550, "5.1.1", text, domain.tenant_id), None)
        return Resolved(refuse(550, "5.1.1", UNKNOWN, domain.tenant_id), None)
    now = timezone.now()
    rooms = {limits.room(box.is_full, box.full_since, now) for box in boxes}
    # One of several targets that is full does not cost the others their mail.
    if is_refusable and boxes and not forwards and limits.Room.YES not in rooms:
        if limits.Room.NOT_NOW in rooms:
            refusal = refuse(452, "4.2.2", "This mailbox is full; try again later")
        else:
            refusal = refuse(552, "5.2.2", "This mailbox is full")
        return Resolved(refusal, 0)
    headroom = min((left for box in boxes for left in box.headroom()), default=None)
    refs = tuple(box.ref for box in boxes)
    route = Route("local" if boxes else "forward", refs, forwards, domain.tenant_id)
    return Resolved(route, headroom)


def _follow(
    found: _Found, addresses: list[tuple[str, str]], domains: dict[str, _Domain | None]
) -> None:
    """Walk from `addresses` through aliases and domain aliases to mailboxes and other hosts."""
    for _depth in range(limits.ALIAS_DEPTH):
        addresses = [each for each in dict.fromkeys(addresses) if each not in found.seen]
        if not addresses or found.is_too_large:
            return
        found.seen.update(addresses)
        addresses = _step(found, addresses, domains)
    found.is_too_deep = any(each not in found.seen for each in addresses)


def _step(
    found: _Found, addresses: list[tuple[str, str]], domains: dict[str, _Domain | None]
) -> list[tuple[str, str]]:
    """One level: what each address is, and the addresses it leads to."""
    _load_missing(domains, {name for _local, name in addresses})
    hosted: list[tuple[str, _Domain]] = []
    for local, name in addresses:
        if domain := domains[name]:
            # By its own name or by an alias that leads there: who is refused hears the same.
            found.has_suspended |= domain.is_suspended
            hosted.append((fold_local(local), domain))
        else:
            # The local part stays as it was written: it is another host's to read.
            found.forwards[f"{local}@{name}"] = None
    boxes, aliases = _load(hosted)
    further: list[tuple[str, str]] = []
    wanted: list[int] = []
    for local, domain in hosted:
        match _pick(local, domain, boxes, aliases):
            case _Mailbox() as box:
                _add(found, box)
            case int(alias_id):
                found.has_alias = True
                wanted.append(alias_id)
            case str(name):
                further.append((local, name))
    return further + _targets(found, wanted)


def _pick(
    local: str,
    domain: _Domain,
    boxes: dict[tuple[int, str], _Mailbox],
    aliases: dict[tuple[int, str], int],
) -> _Mailbox | int | str | None:
    """A mailbox, an alias's id, or the name of the domain to ask instead."""
    if domain.is_suspended:
        return None
    for spelling in _spellings(local, domain.separator):
        if box := boxes.get((domain.id, spelling)):
            return box
        if alias_id := aliases.get((domain.id, spelling)):
            return alias_id
    if domain.alias_of:
        return domain.alias_of
    # The rule for postmaster and abuse stands before the catch-all: a catch-all may well lead to
    # another host, and these must reach somebody here.
    if local in ALWAYS_ACCEPTED:
        return None
    return aliases.get((domain.id, ""))


def _spellings(local: str, separator: str) -> tuple[str, ...]:
    """The local part as written, then without its detail (RFC 5233 §1)."""
    head, found, _detail = local.partition(separator) if separator else (local, "", "")
    return (local, head) if found and head else (local,)


def _add(found: _Found, box: _Mailbox) -> None:
    if box.is_suspended:
        found.has_suspended = True
    else:
        found.mailboxes[box.id] = box


def _load(
    hosted: Iterable[tuple[str, _Domain]],
) -> tuple[dict[tuple[int, str], _Mailbox], dict[tuple[int, str], int]]:
    """Mailboxes and enabled aliases that any of the addresses may mean, catch-alls included."""
    spellings: dict[int, set[str]] = {}
    for local, domain in hosted:
        names = spellings.setdefault(domain.id, {""})
        names.update(_spellings(local, domain.separator))
    if not spellings:
        return {}, {}
    boxes: dict[tuple[int, str], _Mailbox] = {}
    aliases: dict[tuple[int, str], int] = {}
    remaining = iter(spellings.items())
    while some := list(islice(remaining, _DOMAINS_AT_ONCE)):
        condition = Q()
        for domain_id, names in some:
            condition |= Q(domain_id=domain_id, local_part__in=names)
        rows = Mailbox.objects.filter(condition, removed_at=None).order_by()
        for box in (_Mailbox(*row) for row in rows.values_list(*_MAILBOX)):
            boxes[box.domain_id, box.local_part] = box
        alias_rows = Alias.objects.filter(condition, is_enabled=True).order_by()
        columns = ("id", "domain_id", "local_part")
        for alias_id, domain_id, local in alias_rows.values_list(*columns):
            aliases[domain_id, local] = alias_id
    return boxes, aliases


def _targets(found: _Found, alias_ids: list[int]) -> list[tuple[str, str]]:
    """Take the mailboxes that aliases name by key; give back the addresses they name by name."""
    if not alias_ids:
        return []
    rows = AliasTarget.objects.filter(alias_id__in=alias_ids).order_by("id")
    further: list[tuple[str, str]] = []
    columns = [f"mailbox__{name}" for name in _MAILBOX]
    names = ("forward_to", "mailbox__domain__is_suspended", "mailbox__removed_at", *columns)
    some = list(rows.values_list(*names)[: limits.ALIAS_WIDTH + 1])
    if len(some) > limits.ALIAS_WIDTH:
        found.is_too_wide = True
        return []
    for forward_to, domain_is_suspended, removed_at, *box in some:
        if forward_to:
            local, _at, domain = forward_to.rpartition("@")
            further.append((local, fold_domain(domain)))
        elif removed_at is None and not domain_is_suspended:
            _add(found, _Mailbox(*box))
        else:
            found.has_suspended = True
    return further


def _load_missing(domains: dict[str, _Domain | None], names: set[str]) -> None:
    if missing := names - domains.keys():
        domains.update(dict.fromkeys(missing))
        domains.update(_load_domains(missing))


# By hand, as every recipient elsewhere and every author asks it: preparing it through the ORM costs
# several times what the database asks for it.
_DOMAINS = (
    "SELECT d.id, d.name, d.tenant_id, a.name, d.plus_separator, d.is_suspended, t.is_suspended,"  # noqa: S608
    f" t.parent_id FROM {Domain._meta.db_table} d"
    f" JOIN {Tenant._meta.db_table} t ON t.id = d.tenant_id"
    f" LEFT JOIN {Domain._meta.db_table} a ON a.id = d.alias_of_id WHERE d.name IN "
)


def _load_domains(names: set[str]) -> dict[str, _Domain | None]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_DOMAINS}({','.join(['%s'] * len(names))})", list(names))
        rows = cursor.fetchall()
    found: dict[str, _Domain | None] = {}
    for id_, name, tenant_id, alias_of, separator, *off, reseller in rows:
        is_off = any(off) or is_tenant_suspended(reseller)
        found[name] = _Domain(id_, name, tenant_id, alias_of, separator, is_off)
    return found


def _bare(local_part: str) -> Resolved:
    """`<postmaster>` without a domain (RFC 5321 §4.5.1): whoever runs this host."""
    if local_part != "postmaster":
        return Resolved(refuse(550, "5.1.3", "This address has no domain"), None)
    return _as_route(_platform_postmaster(), None)


def _postmaster(domain: _Domain) -> Resolved:
    """The tenant's first owner or admin with a mailbox, the domain's oldest, the platform's."""
    people = Membership.objects.filter(
        tenant_id=domain.tenant_id, role__in=(Membership.Role.OWNER, Membership.Role.ADMIN)
    )
    # "owner" sorts after "admin", hence the descending order.
    user_ids = people.order_by("-role", "id").values_list("user_id", flat=True)
    usable = _usable()
    by_user = dict(usable.filter(user_id__in=list(user_ids)).values_list("user_id", "id"))
    chosen = next((by_user[user_id] for user_id in user_ids if user_id in by_user), None)
    if chosen is None:
        oldest = usable.filter(domain_id=domain.id).order_by("id")
        chosen = oldest.values_list("id", flat=True).first()
    return _as_route(chosen or _platform_postmaster(), domain.tenant_id)


def names_postmaster() -> bool:
    """Whether `MAILHOST_POSTMASTER` is a mailbox that may get what is for the postmaster."""
    return _named_postmaster(_usable()).exists()


def _platform_postmaster() -> int | None:
    """The mailbox named by MAILHOST_POSTMASTER, else a hosting admin's, else the oldest of all."""
    usable = _usable().order_by("id")
    for choice in (_named_postmaster(usable), usable.filter(user__is_superuser=True), usable):
        if (found := choice.values_list("id", flat=True).first()) is not None:
            return found
    return None


def _usable() -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(removed_at=None, is_suspended=False)


def _named_postmaster(usable: QuerySet[Mailbox]) -> QuerySet[Mailbox]:
    local_part, domain = split_address(settings.MAILHOST.postmaster)
    return usable.filter(local_part=local_part, domain__name=domain)


def _as_route(mailbox_id: int | None, tenant_id: int | None) -> Resolved:
    if mailbox_id is None:
        text = "No mailbox exists here yet"
        return Resolved(refuse(451, "4.3.5", text, tenant_id), None)
    box = _Mailbox(*Mailbox.objects.values_list(*_MAILBOX).get(pk=mailbox_id))
    return Resolved(Route("local", (box.ref,), (), box.tenant_id), None)
