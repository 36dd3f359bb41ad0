"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314): who may do what in a folder.

Identifiers are addresses of mailboxes of the tenant, and `anyone` for all of them; with a dash in
front they take rights away. The owner is listed with every right and cannot be changed.
"""

from accounts.mailstore import acl, folders, rights
from accounts.mailstore.folders import FolderInfo
from accounts.mailstore.refusals import NoSuchFolder
from accounts.mailstore.rights import NONE, Right
from protocols.servers.imap.answers import done, ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import acl as wire
from protocols.wire.imap.responses import Tagged


def set_acl(client: Client, command: wire.SetAcl) -> Tagged:
    """RFC 4314 §3.1."""
    folder = folders.find_folder(client.mailbox_id, command.name, Right.ADMINISTER)
    who = acl.identified(folder.mailbox_id, command.identifier)
    given = rights.parse(command.rights)
    acl.set_rights(client.mailbox_id, folder, who, command.change, given)
    return done(client, command.tag)


def delete_acl(client: Client, command: wire.DeleteAcl) -> Tagged:
    """RFC 4314 §3.2: nothing of an identifier's entry is left."""
    folder = folders.find_folder(client.mailbox_id, command.name, Right.ADMINISTER)
    who = acl.identified(folder.mailbox_id, command.identifier)
    acl.set_rights(client.mailbox_id, folder, who, "", NONE)
    return done(client, command.tag)


def get_acl(client: Client, command: wire.GetAcl) -> Tagged:
    """RFC 4314 §3.3."""
    folder = folders.find_folder(client.mailbox_id, command.name, Right.ADMINISTER)
    listed = [(each.name, rights.spell_for_clients(each.rights)) for each in acl.entries(folder)]
    return _told(client, command.tag, wire.acl(command.name, listed, is_utf8=client.tells_utf8))


def list_rights(client: Client, command: wire.ListRights) -> Tagged:
    """RFC 4314 §3.4: no rights are tied together."""
    folder = folders.find_folder(client.mailbox_id, command.name, Right.ADMINISTER)
    who = acl.identified(folder.mailbox_id, command.identifier)
    everything = rights.spell_for_clients(rights.ALL)
    always, optional = "", tuple(everything)
    if who.mailbox_id == folder.mailbox_id and not who.is_negative:
        always, optional = everything, ()
    line = wire.list_rights(
        command.name, command.identifier, always, optional, is_utf8=client.tells_utf8
    )
    return _told(client, command.tag, line)


def my_rights(client: Client, command: wire.MyRights) -> Tagged:
    """RFC 4314 §3.5."""
    folder = folders.find_folder(client.mailbox_id, command.name, NONE)
    if not folder.rights & rights.TELLING:
        raise NoSuchFolder(rights.GONE)
    return _told(client, command.tag, my_rights_line(client, folder))


def my_rights_line(client: Client, folder: FolderInfo) -> bytes:
    """The MYRIGHTS response of a folder; after LIST too (RFC 8440)."""
    spelt = rights.spell_for_clients(folder.rights)
    return wire.my_rights(folder.name, spelt, is_utf8=client.tells_utf8)


def _told(client: Client, tag: bytes, lines: bytes) -> Tagged:
    return ok(tag, "Done.", untagged=lines + client.news(may_expunge=True))
