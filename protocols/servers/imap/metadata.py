"""GETMETADATA and SETMETADATA (RFC 5464), and LIST's annotations (RFC 9590).

The server's own shared entries say whom to turn to; they are an operator's, so clients read them
only. Everything else is the mailbox's.
"""

from collections.abc import Collection, Iterable, Sequence

from django.conf import settings

from accounts.mailstore import annotations, folders, special_uses
from accounts.mailstore.folder_info import FolderInfo
from accounts.mailstore.rights import Right
from protocols.servers.imap import filters
from protocols.servers.imap.answers import done, no, ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import metadata as wire
from protocols.wire.imap.responses import Tagged

_LEVELS: dict[wire.Depth, int | None] = {"0": 0, "1": 1, "INFINITY": None}


def get_metadata(client: Client, command: wire.GetMetadata) -> Tagged:
    """RFC 5464 §4.2. An entry that was asked for by name and is not there is NIL."""
    found = _found(client, command)
    limit = command.max_size
    too_long = [len(value) for value in found.values() if limit is not None and len(value) > limit]
    told: dict[str, bytes | None] = {
        name: value for name, value in found.items() if limit is None or len(value) <= limit
    }
    for name in command.entries:
        if name not in found and command.depth == "0":
            told[name] = None
    lines = _told(client, command.name, told.items()) if told else b""
    code = b"METADATA LONGENTRIES %d" % max(too_long) if too_long else b""
    return ok(command.tag, "Done.", code=code, untagged=lines + client.news(may_expunge=True))


def _told(client: Client, name: str, values: Iterable[tuple[str, bytes | None]]) -> bytes:
    return wire.metadata(name, values, is_utf8=client.tells_utf8)


def _found(client: Client, command: wire.GetMetadata) -> dict[str, bytes]:
    mailbox_id, levels = client.mailbox_id, _LEVELS[command.depth]
    if command.name:
        folder = folders.find_folder(mailbox_id, command.name)
        found = annotations.read(
            mailbox_id, folder.id, command.entries, levels=levels, owner_id=folder.mailbox_id
        )
        use = special_uses.annotation(folder)
        return found | annotations.chosen(use, command.entries, levels)
    found = annotations.read(mailbox_id, annotations.SERVER, command.entries, levels=levels)
    return found | annotations.chosen(_of_this_host(), command.entries, levels)


def _of_this_host() -> dict[str, bytes]:
    """RFC 5464 §6.2.1.2: /shared/admin is a URI."""
    config = settings.MAILHOST
    contact = config.postmaster or f"postmaster@{config.hostname}"
    return {"/shared/admin": f"mailto:{contact}".encode()}


def set_metadata(client: Client, command: wire.SetMetadata) -> Tagged:
    """RFC 5464 §4.3: all entries are set, or none."""
    values = dict(command.values)
    if (entry := filters.first_wrong(values)) is not None:
        return no(command.tag, f"The value of {entry} is no search.", code=b"CANNOT")
    is_shared = any(name.startswith(annotations.SHARED) for name in values)
    folder_id = owner_id = None
    if command.name:
        # RFC 5464 §3.3: who only reads a folder notes down what it likes, for itself.
        needed = Right.READ | Right.WRITE if is_shared else Right.READ
        folder = folders.find_folder(client.mailbox_id, command.name, needed)
        folder_id, owner_id = folder.id, folder.mailbox_id
    elif is_shared:
        return no(command.tag, "What the server shares is its operator's.", code=b"NOPERM")
    modseq = annotations.write(client.mailbox_id, folder_id, values, owner_id=owner_id)
    if client.annotations is not None:
        client.annotations.note_own(folder_id, values, modseq)
    return done(client, command.tag)


def listed_lines(
    client: Client, entries: Sequence[str], found: Collection[FolderInfo]
) -> dict[str, bytes]:
    """By folder name: the METADATA response that follows its LIST (RFC 9590 §3).

    Who may not ask for annotations with GETMETADATA is not told of them here either.
    """
    if not entries:
        return {}
    readable = [folder for folder in found if Right.READ in folder.rights]
    kept = annotations.read_of_folders(client.mailbox_id, readable, entries)
    lines = {}
    for folder in readable:
        values = kept[folder.id] | special_uses.annotation(folder)
        told = [(name, values.get(name)) for name in entries]
        lines[folder.name] = _told(client, folder.name, told)
    return lines
