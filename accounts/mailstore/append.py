"""Put a message into a folder: for deliveries inside their own Units, and for IMAP APPEND."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from accounts import commit
from accounts.blobs import Spool
from accounts.mailstore import lately, overview
from accounts.mailstore.deeds import Came
from accounts.mailstore.expunge import remove_entries
from accounts.mailstore.flags import Flag, flags_within, keyword_bits
from accounts.mailstore.lately import Arrival
from accounts.mailstore.locked import (
    locked_folder,
    locked_with_rights,
    mailbox_of,
    require_name,
)
from accounts.mailstore.quota import require_room
from accounts.mailstore.refusals import NoSuchFolder, NoSuchMessage
from accounts.mailstore.rights import ALL, Right
from accounts.mailstore.tally import tally
from accounts.models import Change, Entry, Message, Overview
from accounts.rows import Rows
from protocols.wire.message import Prepared, prepare
from protocols.wire.message.octets import Buffer

_MESSAGE = (
    "mailbox_id",
    "blob_id",
    "prefix",
    "size",
    "internal_date",
    "zone_minutes",
    "envelope",
    "bodystructure",
    "body",
    "headers",
    "sent_at",
    "preview",
    "prepared_version",
)
_OVERVIEW = ("message_id", "octets")
# As a number: to make a Flag of each message's bits takes longer than to look at them.
_SEEN = int(Flag.SEEN)
_ENTRY = ("folder_id", "message_id", "uid", "flags", "keywords", "modseq", "saved_at")


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a message went (RFC 9051 §7.1, APPENDUID)."""

    folder_id: int
    uidvalidity: int
    uid: int
    modseq: int
    has_replaced: bool = False


def add_entry(
    rows: Rows,
    *,
    mailbox_id: int,
    folder_id: int | None,
    blob_id: int,
    prefix: bytes,
    prepared: Prepared,
    octets_size: int,
    octets: Buffer | None = None,
    flags: int = 0,
    keywords: Sequence[str] = (),
    internal_date: int | None = None,
    zone_minutes: int = 0,
    actor: int | None = None,
) -> Appended:
    """Add a message to a folder (None: INBOX) from inside a Unit that names the mailbox.

    `actor` is the mailbox that adds it (None: the folder's own), and flags that it may not set are
    left out.

    `prefix` are this recipient's trace headers, `octets_size` the octets of the blob's message, and
    `octets` themselves, where they are in memory, are kept there for the first who reads them;
    `internal_date` is in Unix seconds (None: now). The quota is not asked: what was accepted is
    stored. MailboxGone, FolderGone, NoSuchFolder, NotPermitted, TooManyKeywords.
    """
    now = int(time.time())
    mailbox = rows.mailbox(mailbox_id)
    if folder_id is None:
        folder, held = rows.inbox(mailbox_id, is_settled=False), ALL
    else:
        folder, held = locked_with_rights(
            rows, folder_id, actor or mailbox_id, Right.INSERT, is_settled=False
        )
    if folder.mailbox_id != mailbox_id:
        raise NoSuchFolder("The folder belongs to another mailbox.")
    if held != ALL:
        flags &= flags_within(held)
        keywords = keywords if Right.WRITE in held else ()
    bits = keyword_bits(folder, keywords) if keywords else 0
    size = len(prefix) + octets_size
    received_at = now if internal_date is None else internal_date
    uid = folder.take_uids()
    flags = int(flags)
    modseq = rows.changed(folder, Change.Kind.APPENDED, (uid,), Came(uid, flags, bits))
    message = rows.insert_values(
        Message,
        _MESSAGE,
        (
            mailbox_id,
            blob_id,
            prefix,
            size,
            received_at,
            zone_minutes,
            prepared.envelope,
            prepared.bodystructure,
            prepared.body,
            prepared.headers,
            prepared.sent_at,
            prepared.preview,
            prepared.version,
        ),
    )
    shown = overview.pack(prepared, size=size, seconds=received_at, zone_minutes=zone_minutes)
    if shown is not None:
        rows.insert_values(Overview, _OVERVIEW, (message, shown))
    rows.insert_values(Entry, _ENTRY, (folder.id, message, uid, flags, bits, modseq, now))
    folder.exists_count += 1
    folder.unseen_count += not flags & _SEEN
    folder.octets += size
    mailbox.use(size, 1)
    # Copied behind the commit, one by one: a thousand recipients share the octets until then.
    came = Arrival(prepared, size, received_at, zone_minutes, prefix, octets)
    rows.after_commit(partial(lately.keep, folder.id, folder.uidvalidity, uid, came))
    return Appended(folder.id, folder.uidvalidity, uid, modseq)


def append_message(
    mailbox_id: int,
    folder_id: int,
    octets: bytes | Spool,
    *,
    folder_name: str | None = None,
    flags: int = 0,
    keywords: Sequence[str] = (),
    internal_date: int | None = None,
    zone_minutes: int = 0,
    replaced: tuple[int, int] | None = None,
    actor: int | None = None,
) -> Future[Appended]:
    """Append a message (RFC 9051 §6.3.12); resolved once it is durable.

    `mailbox_id` is the folder's owner, `actor` the mailbox that appends (None: the owner).
    `folder_name` is what the owner must still call the folder (None: anything).
    `replaced` names a folder and a UID that goes in the same commit (RFC 8508). The Future raises
    NoSuchFolder, NotPermitted, NoSuchMessage, OverQuota, TooManyKeywords, CommitUnavailable or
    OutOfSpace. A spool is left to the caller to discard.
    """
    data = octets.octets() if isinstance(octets, Spool) else octets
    size = len(data)
    prepared = prepare(data)

    def write(rows: Rows, blob_id: int | None) -> Appended:
        assert blob_id is not None
        if folder_name is not None:
            require_name(rows, folder_id, folder_name)
        if replaced is not None:
            # First, for its room may be needed; all of it fails or holds together.
            _remove(rows, *replaced, actor or mailbox_id)
        require_room(rows.mailbox(mailbox_id), size, 1)
        appended = add_entry(
            rows,
            mailbox_id=mailbox_id,
            folder_id=folder_id,
            blob_id=blob_id,
            prefix=b"",
            prepared=prepared,
            octets_size=size,
            octets=data,
            flags=flags,
            keywords=keywords,
            internal_date=internal_date,
            zone_minutes=zone_minutes,
            actor=actor,
        )
        return appended if replaced is None else replace(appended, has_replaced=True)

    mailboxes = {mailbox_id} if replaced is None else {mailbox_id, mailbox_of(replaced[0])}
    return commit.submit(commit.Unit(frozenset(mailboxes), write, octets, frozenset((folder_id,))))


def _remove(rows: Rows, folder_id: int, uid: int, actor: int) -> None:
    folder = locked_folder(rows, folder_id, actor, Right.MARK_DELETED | Right.EXPUNGE)
    rows.direct()
    found = tally(folder, [uid])
    if not found:
        raise NoSuchMessage("The message is gone.")
    remove_entries(rows, folder, found)
