"""The admin pages of the directory and, to look at only, of the mail store.

What has rules is changed through `accounts.directory`, never by saving a row behind its back.
"""

from accounts.admin.aliases import AliasAdmin
from accounts.admin.domains import DomainAdmin
from accounts.admin.mailboxes import MailboxAdmin
from accounts.admin.recoverable import RecoverableAdmin
from accounts.admin.store import (
    BlobAdmin,
    ChangeAdmin,
    EntryAdmin,
    FolderAdmin,
    MessageAdmin,
    SegmentAdmin,
    VanishedAdmin,
)
from accounts.admin.switchboard import ClientRuleAdmin
from accounts.admin.tenants import TenantAdmin
from accounts.admin.users import UserAdmin

__all__ = [
    "AliasAdmin",
    "BlobAdmin",
    "ChangeAdmin",
    "ClientRuleAdmin",
    "DomainAdmin",
    "EntryAdmin",
    "FolderAdmin",
    "MailboxAdmin",
    "MessageAdmin",
    "RecoverableAdmin",
    "SegmentAdmin",
    "TenantAdmin",
    "UserAdmin",
    "VanishedAdmin",
]
