"""`manage.py alias`: addresses that hand their mail on."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from accounts import directory
from accounts.management.verbs import Add, NounCommand, Options
from accounts.models import Alias

_COLUMNS = (
    "domain__name",
    "local_part",
    "is_enabled",
    "targets__forward_to",
    "targets__mailbox__local_part",
    "targets__mailbox__domain__name",
)


class Command(NounCommand):
    help = "Add, list and remove aliases; *@DOMAIN is the catch-all of a domain."

    def add_verbs(self, add: Add) -> None:
        verb = add("add", self.add, "Make ADDRESS lead to one or many other addresses.")
        verb.add_argument("address", metavar="ADDRESS", help="*@DOMAIN for the catch-all")
        verb.add_argument("targets", metavar="TARGET", nargs="+", help="here or anywhere else")
        verb = add("list", self.list, "List the aliases.")
        verb.add_argument("--domain", default="", metavar="NAME", help="only this domain's")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("remove", self.remove, "Remove an alias.")
        verb.add_argument("address", metavar="ADDRESS")

    def add(self, options: Options) -> None:
        alias = directory.create_alias(options["address"], options["targets"])
        self.say(f"{alias} leads to {', '.join(options['targets'])}.")

    def list(self, options: Options) -> None:
        aliases = Alias.objects.all()
        if options["domain"]:
            aliases = aliases.filter(domain=directory.find_domain(options["domain"]))
        # Plain values of one query: a house has hundreds of thousands, each leading to many.
        rows = aliases.order_by("domain__name", "local_part", "targets__pk").values_list(*_COLUMNS)
        listed = [_row(list(each)) for _, each in groupby(rows.iterator(), lambda row: row[:2])]
        self.show(listed, as_json=options["json"])

    def remove(self, options: Options) -> None:
        alias = directory.find_alias(options["address"])
        directory.remove_alias(alias)
        self.say(f"{alias} is gone.")


def _row(rows: Sequence[tuple[Any, ...]]) -> dict[str, object]:
    """One alias, from a row for each of its targets, or one where it has none."""
    domain, local_part, is_enabled, *_rest = rows[0]
    targets = [
        forward or f"{local}@{name}" for *_alias, forward, local, name in rows if forward or local
    ]
    return {
        "address": f"{local_part or '*'}@{domain}",
        "targets": targets,
        "state": "enabled" if is_enabled else "disabled",
    }
