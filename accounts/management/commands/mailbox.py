"""`manage.py mailbox`: the addresses that log in and store mail."""

import sys
from argparse import ArgumentParser
from datetime import date
from io import StringIO

from django.db import transaction
from django.db.models import QuerySet

from accounts import directory, limits
from accounts.directory import DirectoryError
from accounts.management.login_verbs import add_login_verbs
from accounts.management.mailbox_file import import_file
from accounts.management.recovery_verbs import add_recovery_verbs
from accounts.management.sharing_verb import add_sharing_verb
from accounts.management.verbs import (
    Add,
    NounCommand,
    Options,
    add_password_options,
    choose_tenant,
    read_password,
)
from accounts.models import Mailbox, PopDeletion

# Lines of a file.
TOLD_EVERY = 1000


class Command(NounCommand):
    help = "Add, import, list, suspend, remove and restore mailboxes, and set their passwords."

    def add_verbs(self, add: Add) -> None:
        verb = add("add", self.add, "Make a mailbox.")
        verb.add_argument("address", metavar="ADDRESS")
        add_password_options(verb)
        verb.add_argument("--quota", default="0", metavar="SIZE", help="5G, 500M; 0: unlimited")
        verb.add_argument("--name", default="", help="the owner's name")
        verb.add_argument(
            "--shared", action="store_true", help="nobody logs in to it; see the verb share"
        )
        _add_domain_options(verb)

        verb = add("import", self.import_, "Make a mailbox of every line of a CSV file.")
        verb.add_argument(
            "file",
            metavar="FILE.csv",
            help="columns address,password,quota,name; the password in clear, or as "
            "{SHA512-CRYPT}, {BLF-CRYPT}, {SSHA}, {PBKDF2-SHA256} or {ARGON2ID}",
        )
        _add_domain_options(verb)

        verb = add("list", self.list, "List the mailboxes.")
        verb.add_argument("--domain", default="", metavar="NAME", help="only this domain's")
        verb.add_argument("--removed", action="store_true", help="those that can be restored")
        verb.add_argument("--json", action="store_true", help="print JSON")

        verb = add("password", self.password, "Set the password; open sessions end.")
        verb.add_argument("address", metavar="ADDRESS")
        add_password_options(verb)

        verb = add("quota", self.quota, "Set how much it may hold; what is not named stays.")
        verb.add_argument("address", metavar="ADDRESS")
        verb.add_argument("size", metavar="SIZE", nargs="?", help="5G, 500M; 0: unlimited")
        verb.add_argument("--messages", type=int, metavar="N", help="in all folders; 0: unlimited")
        verb.add_argument("--folders", type=int, metavar="N", help="0: as many as there may be")
        verb.add_argument(
            "--setter",
            choices=("yes", "no"),
            help="whether it sets the quotas of its domain's mailboxes, by IMAP SETQUOTA",
        )

        verb = add("pop", self.pop, "Set what POP3 programs see, and what their deleting does.")
        verb.add_argument("address", metavar="ADDRESS")
        verb.add_argument(
            "--deleting",
            choices=PopDeletion.values,
            help="remove deletes as usual, read keeps the message and marks it as read,"
            " trash moves it to Trash",
        )
        verb.add_argument(
            "--since", metavar="DAY", help="show mail from that day on, such as 2026-11-20; or all"
        )

        add_login_verbs(self, add)
        add_sharing_verb(self, add)

        verb = add("suspend", self.suspend, "Refuse its mail and logins; nothing is deleted.")
        verb.add_argument("address", metavar="ADDRESS")
        verb.add_argument("--undo", action="store_true", help="accept them again")

        days = limits.RESTORABLE_FOR.days
        verb = add("remove", self.remove, f"Remove it; for {days} days it can be restored.")
        verb.add_argument("address", metavar="ADDRESS")
        verb.add_argument("--purge", action="store_true", help="delete it and its mail for good")

        add_recovery_verbs(self, add)

    def add(self, options: Options) -> None:
        quota = _quota(options["quota"])
        is_given = options["password_stdin"] or options["password"] is not None
        password = read_password(options) if is_given or not options["shared"] else None
        with transaction.atomic():
            _make_domain(options, options["address"])
            mailbox = directory.create_mailbox(
                options["address"],
                password,
                quota_bytes=quota,
                name=options["name"],
                is_shared=options["shared"],
            )
        self.say(f"{mailbox} is ready.")

    def import_(self, options: Options) -> None:
        seen = made = 0
        for outcome in import_file(
            self._text_of(options["file"]), lambda address: _make_domain(options, address)
        ):
            seen += 1
            if outcome.mistake:
                self.stderr.write(f"line {outcome.line}: {outcome.mistake}")
            else:
                made += 1
            if seen % TOLD_EVERY == 0:
                self.tell(f"{seen} lines, {made} mailboxes made")
        self.say(f"{made} of {seen} mailboxes were made.")
        if made < seen:
            sys.exit(1)

    def _text_of(self, name: str) -> StringIO:
        """All of a file, before anything is made of its first line."""
        try:
            # utf-8-sig: spreadsheets put a byte order mark in front of the first column's name.
            with open(name, encoding="utf-8-sig", newline="") as lines:
                return StringIO(lines.read(), newline="")
        except OSError as error:
            self.refuse(f"“{name}” cannot be read: {error.strerror}.")
        except UnicodeDecodeError:
            self.refuse(f"“{name}” is not UTF-8 text.")

    def list(self, options: Options) -> None:
        mailboxes = Mailbox.objects.filter(removed_at__isnull=not options["removed"])
        if options["domain"]:
            mailboxes = mailboxes.filter(domain=directory.find_domain(options["domain"]))
        self.show(
            [_row(mailbox) for mailbox in _ordered(mailboxes).iterator()], as_json=options["json"]
        )

    def password(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        directory.set_password(mailbox, read_password(options))
        self.say(f"The password of {mailbox} is set.")

    def quota(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        octets = None if options["size"] is None else _quota(options["size"])
        messages, folders = options["messages"], options["folders"]
        directory.set_quota(mailbox, octets, messages=messages, folders=folders)
        if options["setter"]:
            directory.set_quota_setter(mailbox, is_one=options["setter"] == "yes")
        allowed = [_size(mailbox.quota_bytes)]
        if mailbox.quota_messages:
            allowed.append(f"{mailbox.quota_messages} messages")
        if mailbox.quota_folders:
            allowed.append(f"{mailbox.quota_folders} folders")
        self.say(f"{mailbox} may hold {', '.join(allowed)}.")
        if mailbox.sets_quotas:
            self.say(f"It may set the quotas of {mailbox.domain}.")

    def pop(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        since = mailbox.pop_since
        if options["since"] is not None:
            since = _day(options["since"])
        directory.set_pop(mailbox, options["deleting"] or mailbox.pop_deletion, since)
        seen = f"mail since {since}" if since else "all of the inbox"
        done = PopDeletion(mailbox.pop_deletion).label
        self.say(f"POP3 shows {seen} of {mailbox}; when a program deletes a message, {done}.")

    def suspend(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        directory.suspend_mailbox(mailbox, is_suspended=not options["undo"])
        state = "takes mail and logins again" if options["undo"] else "is suspended"
        self.say(f"{mailbox} {state}.")

    def remove(self, options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"], or_removed=True)
        if options["purge"]:
            directory.purge_mailbox(mailbox, self.tell)
            self.say(f"{mailbox} and its mail are gone.")
            return
        if mailbox.removed_at is not None:
            raise DirectoryError(f"The mailbox “{mailbox}” is removed already.")
        directory.remove_mailbox(mailbox)
        until = directory.restorable_until(mailbox)
        self.say(f"{mailbox} is removed; until {until:%d %b %Y} it can be restored.")


def _add_domain_options(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--create-domain", action="store_true", help="host the address's domain if it is not yet"
    )
    verb.add_argument(
        "--tenant", default="", metavar="SLUG", help="the tenant of a domain that is made"
    )


def _make_domain(options: Options, address: str) -> None:
    domain = directory.split_address(address)[1]
    if options["create_domain"] and domain and not directory.is_local_domain(domain):
        directory.create_domain(choose_tenant(options["tenant"]), domain)


def _quota(text: str) -> int:
    try:
        return limits.parse_size(text)
    except ValueError as error:
        raise DirectoryError(f"{error}.") from None


def _day(text: str) -> date | None:
    if text == "all":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DirectoryError(f"“{text}” is no day; write for example 2026-11-20, or all.") from None


def _size(octets: int) -> str:
    return limits.format_size(octets) if octets else "any amount"


def _ordered(mailboxes: QuerySet[Mailbox]) -> QuerySet[Mailbox]:
    return mailboxes.select_related("domain").order_by("domain__name", "local_part")


def _row(mailbox: Mailbox) -> dict[str, object]:
    return {
        "address": mailbox.address,
        "name": mailbox.name,
        "quota_bytes": mailbox.quota_bytes,
        "used_bytes": mailbox.used_bytes,
        "quota_messages": mailbox.quota_messages,
        "used_messages": mailbox.used_messages,
        "quota_folders": mailbox.quota_folders,
        "state": _state(mailbox),
    }


def _state(mailbox: Mailbox) -> str:
    if mailbox.purge_asked_at:
        return "purging"
    if mailbox.removed_at:
        return "removed"
    if mailbox.is_suspended:
        return "suspended"
    return "shared" if mailbox.is_shared else "active"
