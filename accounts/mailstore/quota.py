"""How full a mailbox is. `used_bytes` counts every entry's message, copies too."""

from dataclasses import dataclass
from datetime import datetime

from accounts.counters import MailboxState
from accounts.mailstore.refusals import OverQuota
from accounts.models import Mailbox
from accounts.rows import MailboxGone


@dataclass(frozen=True, slots=True)
class Usage:
    """Octets used and allowed (0: unlimited), and since when the mailbox has been full."""

    used_bytes: int
    quota_bytes: int
    full_since: datetime | None

    def has_room(self, octets: int) -> bool:
        """True when that many more octets would stay within the quota."""
        return not self.quota_bytes or self.used_bytes + octets <= self.quota_bytes


def usage(mailbox_id: int) -> Usage:
    """What the mailbox holds now. MailboxGone."""
    row = (
        Mailbox.objects.filter(pk=mailbox_id)
        .values_list("used_bytes", "quota_bytes", "full_since")
        .first()
    )
    if row is None:
        raise MailboxGone(f"mailbox {mailbox_id} is gone")
    return Usage(*row)


def would_fit(mailbox_id: int, octets: int) -> bool:
    """True when a message of that many octets may be stored, as things are. MailboxGone."""
    return usage(mailbox_id).has_room(octets)


def require_room(mailbox: MailboxState, octets: int) -> None:
    """OverQuota unless that many more octets fit into a locked mailbox."""
    if not mailbox.has_room(octets):
        raise OverQuota("The mailbox is full.")
