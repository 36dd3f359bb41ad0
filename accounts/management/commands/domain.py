"""`manage.py domain`: the domains that are hosted here."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from accounts import directory, figures
from accounts.dns_records import records_for
from accounts.management.verbs import Add, NounCommand, Options, choose_tenant
from accounts.models import Domain


class Command(NounCommand):
    help = "Add, list, show and remove domains, and tell the DNS records they need."

    def add_verbs(self, add: Add) -> None:
        verb = add("add", self.add, "Host a domain.")
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("--tenant", default="", metavar="SLUG", help="the tenant it belongs to")
        verb.add_argument(
            "--alias-of",
            default="",
            metavar="DOMAIN",
            help="every address in NAME means the same address in DOMAIN",
        )
        verb = add("list", self.list, "List the domains.")
        verb.add_argument("--tenant", default="", metavar="SLUG", help="only this tenant's")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("show", self.show_one, "Show one domain with its counts.")
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("dns", self.dns, "Print the DNS records the domain needs.")
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("suspend", self.suspend, "Refuse the domain's mail and logins.")
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("--undo", action="store_true", help="accept them again")
        verb = add("keep-deleted", self.keep_deleted, "Set how long deleted mail can come back.")
        verb.add_argument("name", metavar="NAME")
        verb.add_argument("days", type=int, metavar="DAYS", help="0: not at all")
        verb = add("remove", self.remove, "Remove a domain that has no mailboxes.")
        verb.add_argument("name", metavar="NAME")

    def add(self, options: Options) -> None:
        alias_of = options["alias_of"] and directory.find_domain(options["alias_of"])
        tenant = alias_of.tenant if alias_of else choose_tenant(options["tenant"])
        domain = directory.create_domain(tenant, options["name"], alias_of=alias_of or None)
        self.say(f"{domain} is hosted here for {tenant}.")

    def list(self, options: Options) -> None:
        domains = Domain.objects.order_by("name")
        if options["tenant"]:
            domains = domains.filter(tenant=choose_tenant(options["tenant"]))
        self.show([_row(domain) for domain in _counted(domains)], as_json=options["json"])

    def show_one(self, options: Options) -> None:
        found = directory.find_domain(options["name"])
        [domain] = _counted(Domain.objects.filter(pk=found.pk))
        self.show([_row(domain)], as_json=options["json"])

    def dns(self, options: Options) -> None:
        domain = directory.find_domain(options["name"])
        config = settings.MAILHOST
        ports = {
            "submissions": config.submissions_port,
            "imaps": config.imaps_port,
            "pop3s": config.pop3s_port,
        }
        keys = domain.dkim_keys.filter(is_active=True).order_by("selector")
        key_rows = list(keys.values_list("selector", "algorithm", "public_key"))
        records = records_for(domain.name, config.hostname, ports, key_rows)
        self.show([asdict(record) for record in records], as_json=options["json"])

    def suspend(self, options: Options) -> None:
        domain = directory.find_domain(options["name"])
        directory.suspend_domain(domain, is_suspended=not options["undo"])
        state = "takes mail again" if options["undo"] else "is suspended"
        self.say(f"{domain} {state}.")

    def keep_deleted(self, options: Options) -> None:
        domain = directory.find_domain(options["name"])
        directory.keep_deleted_mail(domain, options["days"])
        days = options["days"]
        kept = f"can be brought back for {days} days" if days else "cannot be brought back"
        self.say(f"Deleted mail of {domain} {kept}.")

    def remove(self, options: Options) -> None:
        domain = directory.find_domain(options["name"])
        directory.remove_domain(domain)
        self.say(f"{domain.name} is no longer hosted here.")


def _counted(domains: QuerySet[Domain]) -> QuerySet[Any]:
    return figures.with_counts(domains.select_related("tenant", "alias_of"))


def _row(domain: Domain) -> dict[str, object]:
    return {
        "name": domain.name,
        "tenant": domain.tenant.slug,
        "mailboxes": getattr(domain, "mailbox_count", 0),
        "aliases": getattr(domain, "alias_count", 0),
        "alias_of": domain.alias_of.name if domain.alias_of else None,
        "recoverable_days": domain.recoverable_days,
        "state": "suspended" if domain.is_suspended else "active",
    }
