"""Who may receive mail: where an address leads, and the verbs that change it.

Every verb that changes an answer ends with `version.touch`, so that no process keeps an old one.
"""

from accounts.directory.aliases import (
    create_alias,
    enable_alias,
    find_alias,
    remove_alias,
)
from accounts.directory.cache import AddressLike, cached, is_local_domain, resolve
from accounts.directory.domains import (
    create_domain,
    find_domain,
    keep_deleted_mail,
    remove_domain,
    suspend_domain,
)
from accounts.directory.mailboxes import (
    ask_purge,
    create_mailbox,
    find_mailbox,
    purge_due,
    purge_mailbox,
    remove_mailbox,
    require_owner,
    restorable_until,
    restore_mailbox,
    set_password,
    set_pop,
    set_quota,
    shut_sessions,
    suspend_mailbox,
)
from accounts.directory.names import DirectoryError, split_address
from accounts.directory.quota_setters import set_quota_setter, set_quotas_of, settable_mailbox
from accounts.directory.routes import MailboxRef, Route
from accounts.directory.senders import may_send_as
from accounts.directory.sharing import check_sharing, delegates, set_shared, share_mailbox
from accounts.directory.tenants import (
    create_tenant,
    join,
    suspend_tenant,
)
from accounts.directory.version import forget, touch

__all__ = [
    "AddressLike",
    "DirectoryError",
    "MailboxRef",
    "Route",
    "ask_purge",
    "cached",
    "check_sharing",
    "create_alias",
    "create_domain",
    "create_mailbox",
    "create_tenant",
    "delegates",
    "enable_alias",
    "find_alias",
    "find_domain",
    "find_mailbox",
    "forget",
    "is_local_domain",
    "join",
    "keep_deleted_mail",
    "may_send_as",
    "purge_due",
    "purge_mailbox",
    "remove_alias",
    "remove_domain",
    "remove_mailbox",
    "require_owner",
    "resolve",
    "restorable_until",
    "restore_mailbox",
    "set_password",
    "set_pop",
    "set_quota",
    "set_quota_setter",
    "set_quotas_of",
    "set_shared",
    "settable_mailbox",
    "share_mailbox",
    "shut_sessions",
    "split_address",
    "suspend_domain",
    "suspend_mailbox",
    "suspend_tenant",
    "touch",
]
