"""`manage.py mailbox restore` and `forget`: what was deleted comes back, or goes for good."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from accounts import directory, effects, limits
from accounts.directory import DirectoryError
from accounts.mailstore import forgetting, recovery
from accounts.mailstore.recovery import Batch
from accounts.mailstore.refusals import StoreRefusal
from accounts.management.verbs import Add, NounCommand, Options, parse_span
from accounts.models import Mailbox


def add_recovery_verbs(command: NounCommand, add: Add) -> None:
    verb = add(
        "restore",
        lambda options: _restore(command, options),
        "Bring a removed mailbox back, or deleted messages into a mailbox that is there.",
    )
    verb.add_argument("address", metavar="ADDRESS")
    verb.add_argument(
        "--since", metavar="WHEN", help="messages deleted since then: 30m, 2h, 3d, 2026-11-20"
    )
    verb.add_argument("--folder", default="", metavar="NAME", help="messages of this folder")
    verb.add_argument("--list", action="store_true", help="show what would come back")
    verb.add_argument("--json", action="store_true", help="print JSON")

    verb = add(
        "forget",
        lambda options: _forget(command, options),
        "Delete for good what could be brought back into a mailbox.",
    )
    verb.add_argument("address", metavar="ADDRESS")


def _restore(command: NounCommand, options: Options) -> None:
    mailbox = directory.find_mailbox(options["address"], or_removed=True)
    since = None if options["since"] is None else _moment(options["since"], timezone.now())
    is_choosing = since is not None or bool(options["folder"])
    if mailbox.removed_at is not None and not options["list"]:
        if is_choosing:
            raise DirectoryError(f"The mailbox “{mailbox}” was removed; restore it as a whole.")
        directory.restore_mailbox(mailbox)
        command.say(f"{mailbox} is back.")
        return
    batches = recovery.recoverable(mailbox.pk, since=since, folder=options["folder"])
    if options["list"]:
        command.show([_row(mailbox, batch) for batch in batches], as_json=options["json"])
    elif not batches:
        text = "nothing deleted there" if is_choosing else "was not removed, and nothing deleted"
        raise DirectoryError(f"“{mailbox}”: {text} can be brought back.")
    else:
        _bring_back(command, mailbox, batches, as_json=options["json"])


def _bring_back(
    command: NounCommand, mailbox: Mailbox, batches: list[Batch], *, as_json: bool
) -> None:
    try:
        came = recovery.restore(mailbox.pk, [batch.id for batch in batches])
    except StoreRefusal as refusal:
        raise DirectoryError(str(refusal)) from None
    # Mail programs that watch hear of it from a thread that ends with this process.
    effects.wait_idle()
    command.show(
        [{"folder": name, "messages": number} for name, number in sorted(came.items())],
        as_json=as_json,
    )


def _forget(command: NounCommand, options: Options) -> None:
    mailbox = directory.find_mailbox(options["address"], or_removed=True)
    number = forgetting.forget_mailbox(mailbox.pk)
    command.say(f"{number} deleted messages of {mailbox} can no longer be brought back.")


def _row(mailbox: Mailbox, batch: Batch) -> dict[str, object]:
    kept_for = timedelta(days=mailbox.domain.recoverable_days)
    return {
        "deleted": f"{batch.at:%Y-%m-%dT%H:%M:%SZ}",
        "folder": batch.folder,
        "into": recovery.RESTORED if batch.is_folder_gone else batch.folder,
        "messages": batch.messages,
        "size": limits.format_size(batch.octets),
        "until": f"{batch.at + kept_for:%Y-%m-%d}",
    }


def _moment(text: str, now: datetime) -> datetime:
    """`2h` before `now`, or a day or moment as ISO 8601 writes it (UTC where it says nothing)."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_span(text)
    except (DirectoryError, OverflowError):
        raise DirectoryError(
            f"“{text}” is no time; write 30m, 2h, 3d, 2026-11-20 or 2026-11-20T08:00."
        ) from None
