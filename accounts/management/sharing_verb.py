"""`manage.py mailbox share`: who else uses a mailbox, with which rights, and who sends as it."""

from accounts import directory
from accounts.directory import DirectoryError
from accounts.directory.sharing import PRESETS
from accounts.management.verbs import Add, NounCommand, Options
from accounts.models import Mailbox


def add_sharing_verb(command: NounCommand, add: Add) -> None:
    def share(options: Options) -> None:
        mailbox = directory.find_mailbox(options["address"])
        if options["with"]:
            _change(mailbox, options)
        elif options["rights"] is not None or options["send_as"] or options["no_send_as"]:
            raise DirectoryError("Say with whom: --with ADDRESS, or --with anyone.")
        rows = _rows(mailbox, options["folder"])
        if options["with"] and not options["json"]:
            command.say(_sentence(mailbox, options["with"], rows, options["folder"]))
            return
        command.show(rows, as_json=options["json"])

    verb = add("share", share, "Share it with other mailboxes of the tenant, or list with whom.")
    verb.add_argument("address", metavar="ADDRESS")
    verb.add_argument(
        "--with", default="", metavar="ADDRESS", help="a mailbox, or anyone: all of the tenant"
    )
    words = ", ".join(f"{name} ({letters})" for name, letters in PRESETS.items() if letters)
    verb.add_argument(
        "--rights",
        metavar="RIGHTS",
        help=f"{words} or none, or letters of RFC 4314; if left out they stay",
    )
    verb.add_argument("--folder", default="", metavar="NAME", help="in this one only, not in all")
    senders = verb.add_mutually_exclusive_group()
    senders.add_argument("--send-as", action="store_true", help="they may send mail as it")
    senders.add_argument("--no-send-as", action="store_true", help="they may not any more")
    verb.add_argument("--json", action="store_true", help="print JSON")


def _change(mailbox: Mailbox, options: Options) -> None:
    send = True if options["send_as"] else False if options["no_send_as"] else None
    directory.share_mailbox(
        mailbox, options["with"], options["rights"], folder=options["folder"], send=send
    )


def _sentence(mailbox: Mailbox, name: str, rows: list[dict[str, object]], folder: str) -> str:
    row = next((row for row in rows if row["with"] == name.lower()), {})
    letters = f"has the rights {row['rights']} in" if row.get("rights") else "has no rights in"
    where = f"“{folder}” of {mailbox}" if folder else f"{mailbox}"
    sends = "and sends as it" if row.get("sends_as") else "and does not send as it"
    return f"{name} {letters} {where} {sends}."


def _rows(mailbox: Mailbox, folder: str) -> list[dict[str, object]]:
    return [
        {"with": each.name, "rights": each.letters, "sends_as": each.may_send}
        for each in directory.delegates(mailbox, folder)
    ]
