"""How full a mailbox is: octets and messages of every entry (copies too), and folders."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Sum

from accounts.counters import MailboxState
from accounts.mailstore.flags import Flag
from accounts.mailstore.refusals import OverQuota
from accounts.mailstore.settling import settle
from accounts.models import Entry, Folder, Mailbox
from accounts.rows import MailboxGone
from accounts.statements import fetch

# Nobody has more, whatever the mailbox's own limit.
MAX_FOLDERS = 5000


# By hand, as every APPEND asks it, some of them twice.
_ROOM = (
    "SELECT used_bytes, quota_bytes, used_messages, quota_messages"  # noqa: S608
    f" FROM {Mailbox._meta.db_table} WHERE id = %s"
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a mailbox holds and may hold (0: unlimited), and since when it has been full."""

    used_bytes: int
    quota_bytes: int
    used_messages: int
    quota_messages: int
    full_since: datetime | None

    def has_room(self, octets: int, messages: int) -> bool:
        """True when that much more would stay within the quotas."""
        return _fits(self, octets) and _fits_in_number(self, messages)


def _fits(held: Usage | MailboxState, octets: int) -> bool:
    return not held.quota_bytes or held.used_bytes + octets <= held.quota_bytes


def _fits_in_number(held: Usage | MailboxState, messages: int) -> bool:
    return not held.quota_messages or held.used_messages + messages <= held.quota_messages


def usage(mailbox_id: int) -> Usage:
    """What the mailbox holds now. MailboxGone."""
    row = (
        Mailbox.objects.filter(pk=mailbox_id)
        .values_list("used_bytes", "quota_bytes", "used_messages", "quota_messages", "full_since")
        .first()
    )
    if row is None:
        raise MailboxGone(f"mailbox {mailbox_id} is gone")
    return Usage(*row)


def would_fit(mailbox_id: int, octets: int, messages: int = 1) -> bool:
    """True when messages of so many octets together may be stored, as things are. MailboxGone."""
    found = fetch(_ROOM, (mailbox_id,))
    if not found:
        raise MailboxGone(f"mailbox {mailbox_id} is gone")
    used_bytes, quota_bytes, used_messages, quota_messages = found[0]
    held = Usage(used_bytes, quota_bytes, used_messages, quota_messages, full_since=None)
    return held.has_room(octets, messages)


def require_room(mailbox: MailboxState, octets: int, messages: int) -> None:
    """OverQuota unless so many more messages of so many octets fit into a locked mailbox."""
    if not _fits(mailbox, octets):
        raise OverQuota("The mailbox is full.")
    if not _fits_in_number(mailbox, messages):
        raise OverQuota(f"The mailbox holds at most {mailbox.quota_messages} messages.")


def deleted_octets(folder_id: int) -> int:
    """The octets of the messages that have \\Deleted set."""
    settle(folder_id)
    marked = Entry.objects.alias(deleted=F("flags").bitand(Flag.DELETED)).filter(
        folder_id=folder_id, deleted__gt=0
    )
    total: int | None = marked.aggregate(total=Sum("message__size"))["total"]
    return total or 0


def folders(mailbox_id: int) -> tuple[int, int]:
    """How many folders the mailbox has, and how many it may have (never 0). MailboxGone."""
    quota = Mailbox.objects.filter(pk=mailbox_id).values_list("quota_folders", flat=True).first()
    if quota is None:
        raise MailboxGone(f"mailbox {mailbox_id} is gone")
    return Folder.objects.filter(mailbox_id=mailbox_id).count(), min(
        quota or MAX_FOLDERS, MAX_FOLDERS
    )


def require_folders(mailbox_id: int, more: int) -> None:
    """OverQuota unless the mailbox may have so many more folders."""
    used, quota = folders(mailbox_id)
    if used + more > quota:
        raise OverQuota(f"The mailbox has at most {quota} folders.")
