"""`manage.py alias`: addresses that hand their mail on."""

from argparse import ArgumentParser
from collections.abc import Callable

from accounts import directory
from accounts.management.verbs import NounCommand, Options, Verb
from accounts.models import Alias


class Command(NounCommand):
    help = "Add, list and remove aliases; *@DOMAIN is the catch-all of a domain."

    def add_verbs(self, add: Callable[[str, Verb, str], ArgumentParser]) -> None:
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
        aliases = Alias.objects.select_related("domain").order_by("domain__name", "local_part")
        if options["domain"]:
            aliases = aliases.filter(domain=directory.find_domain(options["domain"]))
        rows = [_row(alias) for alias in aliases.prefetch_related("targets__mailbox__domain")]
        self.show(rows, as_json=options["json"])

    def remove(self, options: Options) -> None:
        alias = directory.find_alias(options["address"])
        directory.remove_alias(alias)
        self.say(f"{alias} is gone.")


def _row(alias: Alias) -> dict[str, object]:
    return {
        "address": alias.address,
        "targets": [str(target) for target in alias.targets.all()],
        "state": "enabled" if alias.is_enabled else "disabled",
    }
