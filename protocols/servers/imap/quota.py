"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): how full the mailbox is.

A mailbox has one quota root, over all its folders. Its limits are an administrator's to set, and
those do not log in to mailboxes: so QUOTASET is not announced, and SETQUOTA always refused.
"""

from accounts.mailstore import quota
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
    if command.root != ROOT:
        return no(command.tag, "There is no such quota root.", code=b"NONEXISTENT")
    return ok(command.tag, "Done.", untagged=_told(client) + client.news(may_expunge=True))


def get_quota_root(client: Client, command: wire.GetQuotaRoot) -> Tagged:
    """RFC 9208 §4.1.2: of a folder that is not there, too, for it could be made."""
    lines = wire.quota_root(command.name, (ROOT,), is_utf8=client.tells_utf8) + _told(client)
    return ok(command.tag, "Done.", untagged=lines + client.news(may_expunge=True))


def set_quota(client: Client, command: wire.SetQuota) -> Tagged:
    """RFC 9208 §4.1.3."""
    if command.root != ROOT:
        return no(command.tag, "There is no such quota root.", code=b"NONEXISTENT")
    return no(command.tag, "Quotas are set by administrators.", code=b"NOPERM")


def _told(client: Client) -> bytes:
    usage = quota.usage(client.mailbox_id)
    limits = []
    if usage.quota_bytes:
        used = -(-usage.used_bytes // STORAGE_UNIT)
        limits.append(Limit("STORAGE", used, usage.quota_bytes // STORAGE_UNIT))
    if usage.quota_messages:
        limits.append(Limit("MESSAGE", usage.used_messages, usage.quota_messages))
    limits.append(Limit("MAILBOX", *quota.folders(client.mailbox_id)))
    return wire.quota(ROOT, limits)
