"""Subscriptions of a mailbox: names, whether or not a folder has them (RFC 9051 §6.3.7)."""

from django.db.models import Count, Sum, Value
from django.db.models.functions import Length, Replace
from django.utils import timezone

from accounts.mailstore import shared_names
from accounts.mailstore.locked import run_locked
from accounts.mailstore.names import SEPARATOR, checked
from accounts.mailstore.quota import MAX_FOLDERS
from accounts.mailstore.refusals import TooManyFolders
from accounts.models import Change, Subscription
from accounts.rows import Rows

# Levels above all subscribed names together: LIST and LSUB may have to tell of each, though no
# folder has its name.
MAX_LEVELS = 10 * MAX_FOLDERS


def subscribe(mailbox_id: int, name: str) -> None:
    """Subscribe to a name, whether or not a folder has it. BadFolderName, TooManyFolders."""
    name = checked(shared_names.as_seen(name))
    _require_room(mailbox_id, name)

    def write(rows: Rows) -> None:
        rows.direct()
        _, is_new = Subscription.objects.get_or_create(mailbox_id=mailbox_id, name=name)
        if is_new:
            _changed(rows, mailbox_id)

    run_locked(mailbox_id, write)


def _require_room(mailbox_id: int, name: str) -> None:
    without = Replace("name", Value(SEPARATOR), Value(""))
    held = Subscription.objects.filter(mailbox_id=mailbox_id).aggregate(
        names=Count("pk"), levels=Sum(Length("name") - Length(without))
    )
    if held["names"] >= MAX_FOLDERS:
        raise TooManyFolders(f"A mailbox has at most {MAX_FOLDERS} subscriptions.")
    if (held["levels"] or 0) + name.count(SEPARATOR) > MAX_LEVELS:
        raise TooManyFolders("The mailbox has too many subscriptions so deep.")


def unsubscribe(mailbox_id: int, name: str) -> None:
    """Forget a subscription; a name that was none is no error."""

    def write(rows: Rows) -> None:
        rows.direct()
        named = Subscription.objects.filter(mailbox_id=mailbox_id, name=shared_names.as_seen(name))
        gone, _ = named.delete()
        if gone:
            _changed(rows, mailbox_id)

    run_locked(mailbox_id, write)


def list_subscriptions(mailbox_id: int) -> list[str]:
    """The subscribed names, in code point order."""
    names = Subscription.objects.filter(mailbox_id=mailbox_id).values_list("name", flat=True)
    return sorted(names)


def _changed(rows: Rows, mailbox_id: int) -> None:
    """Subscriptions belong to no folder, for they may outlive it."""
    modseq = rows.list_changed(mailbox_id)
    kind = Change.Kind.FOLDER
    Change.objects.create(mailbox_id=mailbox_id, kind=kind, modseq=modseq, at=timezone.now())
