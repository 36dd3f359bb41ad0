"""Answers to LIST and LSUB, kept: mail programs ask for the same list whenever they connect.

Only of mailboxes that see no folder of others: what others call theirs and whom they share it with
is not in a mailbox's own stamp. That somebody has begun to share is (`accounts.mailstore.acl`).
"""

from accounts.mailstore import name_stamps
from accounts.mailstore.folders import FolderInfo
from protocols.servers.imap.client import Client
from protocols.wire.imap.folder_commands import List

CAPACITY = 2_000
# Octets of an answer, and characters of what it was asked with.
LONGEST = 8 << 10

_Key = tuple[object, ...]

_kept: dict[_Key, tuple[int, bytes]] = {}


def lines_at_hand(client: Client, command: List) -> bytes | None:
    """The lines of an answer, where nothing that they tell of has changed since it was given."""
    if command.status_items or command.entries:
        return None
    stamp, lines = _kept.get(_key(client, command), (0, None))
    if lines is None or not name_stamps.are_current(client.mailbox_id, stamp):
        return None
    return lines


def keep(
    client: Client, command: List, stamp: int | None, folders: list[FolderInfo], lines: bytes
) -> None:
    """Keep the lines that tell of folders which were read after the stamp was taken."""
    if stamp is None or command.status_items or command.entries:
        return
    asked = len(command.reference) + sum(map(len, command.patterns))
    is_own = all(folder.mailbox_id == client.mailbox_id for folder in folders)
    if is_own and asked + len(lines) <= LONGEST:
        if len(_kept) >= CAPACITY:
            forget()
        _kept[_key(client, command)] = stamp, lines


def forget() -> None:
    """Lose the memory of all answers."""
    _kept.clear()


def _key(client: Client, command: List) -> _Key:
    return (
        client.mailbox_id,
        client.tells_utf8,
        client.tells_uses,
        command.reference,
        command.patterns,
        command.select_options,
        command.return_options,
        command.is_lsub,
        command.is_extended,
    )
