"""`manage.py switchboard`: capabilities masked for broken mail programs."""

from accounts import directory
from accounts.directory import DirectoryError, switchboard
from accounts.management.verbs import Add, NounCommand, Options
from accounts.models import ClientRule

_PROGRAM = "FIELD~PART, FIELD=VALUE or a part of its name; * is any field of ID (RFC 2971)"


class Command(NounCommand):
    help = "Mask IMAP capabilities for broken mail programs or for single mailboxes."

    def add_verbs(self, add: Add) -> None:
        verb = add("add", self.add, "Mask capabilities for a program, a mailbox, or both.")
        verb.add_argument("name", metavar="NAME", help="what is broken, for your colleagues")
        verb.add_argument(
            "capabilities", metavar="CAPABILITY", nargs="+", help="such as COMPRESS or QRESYNC"
        )
        verb.add_argument("--client", default="", metavar="PROGRAM", help=_PROGRAM)
        verb.add_argument("--mailbox", default="", metavar="ADDRESS", help="only this mailbox")
        verb = add("list", self.list, "List the rules.")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = add("show", self.show_masked, "Tell what is masked for a program and a mailbox.")
        verb.add_argument(
            "--client", action="append", default=[], metavar="FIELD=VALUE", help="what it says"
        )
        verb.add_argument("--mailbox", default="", metavar="ADDRESS", help="who has logged in")
        verb.add_argument("--json", action="store_true", help="print JSON")
        for name, run, summary in (
            ("enable", self.enable, "Apply a rule again."),
            ("disable", self.disable, "Keep a rule without applying it."),
            ("remove", self.remove, "Remove a rule."),
        ):
            verb = add(name, run, summary)
            verb.add_argument("name", metavar="NAME")

    def add(self, options: Options) -> None:
        field, value, is_exact = _program(options["client"])
        rule = switchboard.create_rule(
            options["name"],
            options["capabilities"],
            field=field,
            value=value,
            is_exact=is_exact,
            mailbox=directory.find_mailbox(options["mailbox"]) if options["mailbox"] else None,
        )
        self.say(f"“{rule}” masks {rule.capabilities} for sessions that begin from now on.")

    def list(self, options: Options) -> None:
        rules = ClientRule.objects.select_related("mailbox__domain").order_by("name")
        self.show([_row(rule) for rule in rules], as_json=options["json"])

    def show_masked(self, options: Options) -> None:
        said = {}
        for text in options["client"]:
            field, equals, value = text.partition("=")
            if not equals:
                raise DirectoryError(f"“{text}” is no FIELD=VALUE.")
            said[field.lower()] = value
        mailbox = directory.find_mailbox(options["mailbox"]) if options["mailbox"] else None
        masked = switchboard.masked_by(
            switchboard.rules_about(said), None if mailbox is None else mailbox.pk
        )
        self.show([{"capability": name} for name in sorted(masked)], as_json=options["json"])

    def enable(self, options: Options) -> None:
        rule = switchboard.find_rule(options["name"])
        switchboard.enable_rule(rule)
        self.say(f"“{rule}” is on.")

    def disable(self, options: Options) -> None:
        rule = switchboard.find_rule(options["name"])
        switchboard.enable_rule(rule, is_enabled=False)
        self.say(f"“{rule}” is off.")

    def remove(self, options: Options) -> None:
        rule = switchboard.find_rule(options["name"])
        switchboard.remove_rule(rule)
        self.say(f"“{rule}” is gone.")


def _program(text: str) -> tuple[str, str, bool]:
    """(field, value, whether the value is all of it) of `--client`."""
    for sign in ("=", "~"):
        field, found, value = text.partition(sign)
        if found and (field == "*" or field.replace("-", "").isalnum()):
            return "" if field == "*" else field, value, sign == "="
    return "name", text, False


def _row(rule: ClientRule) -> dict[str, object]:
    return {
        "name": rule.name,
        "program": rule.program,
        "mailbox": str(rule.mailbox or ""),
        "masks": rule.capabilities.split(),
        "state": "enabled" if rule.is_enabled else "disabled",
    }
