"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): how full the mailbox is.

A mailbox has one quota root, over all its folders. Its limits are an administrator's to set, and
those do not log in to mailboxes: so QUOTASET is not announced, and SETQUOTA always refused.
Folders of others count for their owner, whose root has the name that the folders lie below.
"""

from accounts.mailstore import folders, quota, shared_names
from accounts.mailstore.names import SEPARATOR
from accounts.mailstore.rights import Right
from protocols.servers.imap.answers import no, ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import quota as wire
from protocols.wire.imap.quota import Limit
from protocols.wire.imap.responses import Tagged

# The one root of whoever asks: a name of its own would tell strangers what exists.
ROOT = b""
# RFC 9208 §5.1.
STORAGE_UNIT = 1024


def get_quota(client: Client, command: wire.GetQuota) -> Tagged:
    """RFC 9208 §4.1.1."""
    owner = client.mailbox_id if command.root == ROOT else _owner(client, command.root)
    if owner is None:
        return no(command.tag, "There is no such quota root.", code=b"NONEXISTENT")
    lines = _told(command.root, owner)
    return ok(command.tag, "Done.", untagged=lines + client.news(may_expunge=True))


def _owner(client: Client, root: bytes) -> int | None:
    """Whose root that is, if the client may read one of the folders below it."""
    above = root.decode("utf-8", "replace") + SEPARATOR
    if shared_names.split(above) is None:
        return None
    owners = (
        folder.mailbox_id
        for folder in folders.list_all_seen(client.mailbox_id)
        if folder.name.startswith(above) and Right.READ in folder.rights
    )
    return next(owners, None)


def get_quota_root(client: Client, command: wire.GetQuotaRoot) -> Tagged:
    """RFC 9208 §4.1.2: of a folder that is not there, too, for it could be made."""
    owner, root = client.mailbox_id, ROOT
    shared = shared_names.split(command.name)
    if shared is not None:
        owner = folders.find_folder(client.mailbox_id, command.name).mailbox_id
        root = shared_names.join(shared.address).encode()
    lines = wire.quota_root(command.name, (root,), is_utf8=client.tells_utf8)
    lines += _told(root, owner)
    return ok(command.tag, "Done.", untagged=lines + client.news(may_expunge=True))


def set_quota(client: Client, command: wire.SetQuota) -> Tagged:
    """RFC 9208 §4.1.3."""
    if command.root != ROOT:
        return no(command.tag, "There is no such quota root.", code=b"NONEXISTENT")
    return no(command.tag, "Quotas are set by administrators.", code=b"NOPERM")


def _told(root: bytes, mailbox_id: int) -> bytes:
    usage = quota.usage(mailbox_id)
    limits = []
    if usage.quota_bytes:
        used = -(-usage.used_bytes // STORAGE_UNIT)
        limits.append(Limit("STORAGE", used, usage.quota_bytes // STORAGE_UNIT))
    if usage.quota_messages:
        limits.append(Limit("MESSAGE", usage.used_messages, usage.quota_messages))
    limits.append(Limit("MAILBOX", *quota.folders(mailbox_id)))
    return wire.quota(root, limits)
