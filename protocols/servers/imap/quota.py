"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1)."""

from accounts import directory
from accounts.directory import DirectoryError
from accounts.mailstore import folders, quota, shared_names
from accounts.mailstore.names import SEPARATOR
from accounts.mailstore.refusals import NoSuchFolder, NotPermitted
from accounts.mailstore.rights import Right
from protocols.servers.imap.answers import done, no, ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import quota as wire
from protocols.wire.imap.quota import Limit
from protocols.wire.imap.responses import Tagged

# The one root of whoever asks: a name of its own would tell strangers what exists.
ROOT = b""
# RFC 9208 §5.1.
STORAGE_UNIT = 1024
RESOURCES = ("STORAGE", "MESSAGE", "MAILBOX")
# What a column of octets holds.
MAX_STORAGE = ((1 << 63) - 1) // STORAGE_UNIT


def get_quota(client: Client, command: wire.GetQuota) -> Tagged:
    """RFC 9208 §4.1.1."""
    owner = _owner(client, command.root)
    if owner is None:
        return no(command.tag, "There is no such quota root.", code=b"NONEXISTENT")
    lines = _told(command.root, owner)
    return ok(command.tag, "Done.", untagged=lines + client.news(may_expunge=True))


def _owner(client: Client, root: bytes) -> int | None:
    """Whose root that is: of who asks, or may read a folder below it, or sets its quotas."""
    if root == ROOT:
        return client.mailbox_id
    settable = _settable(client, root)
    if settable is not None:
        return settable
    above = root.decode("utf-8", "replace") + SEPARATOR
    if shared_names.split(above) is None:
        return None
    owners = (
        folder.mailbox_id
        for folder in folders.list_all_seen(client.mailbox_id)
        if folder.name.startswith(above) and Right.READ in folder.rights
    )
    return next(owners, None)


def _settable(client: Client, root: bytes) -> int | None:
    """The mailbox of a root whose quotas this client may set."""
    assert client.identity is not None
    if root == ROOT:
        return directory.settable_mailbox(client.mailbox_id, client.identity.address)
    shared = shared_names.split(root.decode("utf-8", "replace"))
    if shared is None or shared.inner:
        return None
    return directory.settable_mailbox(client.mailbox_id, shared.address)


def get_quota_root(client: Client, command: wire.GetQuotaRoot) -> Tagged:
    """RFC 9208 §4.1.2: of a folder that is not there, too, for it could be made."""
    owner, root = client.mailbox_id, ROOT
    shared = shared_names.split(command.name)
    if shared is not None:
        root = shared_names.join(shared.address).encode()
        try:
            owner = folders.find_folder(client.mailbox_id, command.name).mailbox_id
        except (NoSuchFolder, NotPermitted):
            settable = _settable(client, root)
            if settable is None:
                raise
            owner = settable
    lines = wire.quota_root(command.name, (root,), is_utf8=client.tells_utf8)
    lines += _told(root, owner)
    return ok(command.tag, "Done.", untagged=lines + client.news(may_expunge=True))


def set_quota(client: Client, command: wire.SetQuota) -> Tagged:
    """RFC 9208 §4.1.3: all limits are those named now; what is not named is unlimited."""
    mailbox_id = _settable(client, command.root)
    if mailbox_id is None:
        if _owner(client, command.root) is None:
            return no(command.tag, "There is no such quota root.", code=b"NONEXISTENT")
        return no(command.tag, "Quotas are set by administrators.", code=b"NOPERM")
    limits = dict(command.limits)
    if not limits.keys() <= set(RESOURCES):
        return no(command.tag, "There is no such resource.", code=b"CANNOT")
    if 0 in limits.values():
        # Our models take 0 for “unlimited”.
        return no(command.tag, "A limit is 1 at least.", code=b"CANNOT")
    if limits.get("STORAGE", 0) > MAX_STORAGE or limits.get("MAILBOX", 0) > quota.MAX_FOLDERS:
        return no(command.tag, "That is more than anybody may have.", code=b"LIMIT")
    octets = limits.get("STORAGE", 0) * STORAGE_UNIT
    messages, most = limits.get("MESSAGE", 0), limits.get("MAILBOX", 0)
    try:
        directory.set_quotas_of(mailbox_id, octets, messages, most)
    except DirectoryError:
        return no(command.tag, "That is more than anybody may have.", code=b"LIMIT")
    return done(client, command.tag, untagged=_told(command.root, mailbox_id))


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
