"""Copy and move entries between folders; within a mailbox the messages themselves are shared.

What goes to a folder of another mailbox becomes a message of that one's, on the same octets.

A COPY is one transaction, however large (RFC 9051 §6.4.7: all or nothing). A MOVE goes in chunks:
each message is in exactly one of the two folders at any moment (RFC 6851 §3.3).
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from django.db import connection

from accounts import commit
from accounts.counters import FolderState
from accounts.entry_sql import uids_sql
from accounts.mailstore.expunge import remove_entries
from accounts.mailstore.flags import ALL_FLAGS, Flag, flags_within, keyword_bits
from accounts.mailstore.locked import locked_folder, locked_with_rights, mailbox_of
from accounts.mailstore.quota import require_room
from accounts.mailstore.rights import Right
from accounts.mailstore.tally import Tally, tally
from accounts.mailstore.uids import chunked, in_uids
from accounts.models import Change, Entry, Message, Overview
from accounts.rows import Rows
from accounts.uid_sets import is_range

# Messages whose rows are in memory at once: a row has some kilobytes.
ADOPT_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Copied:
    """COPYUID (RFC 9051 §7.1): the n-th source became the n-th target."""

    uidvalidity: int
    sources: tuple[int, ...]
    targets: tuple[int, ...]


def copy_uids(folder_id: int, uids: Sequence[int], target_folder_id: int, *, actor: int) -> Copied:
    """Copy the UIDs that are there, ascending; flags go along where mailbox `actor` may set them.

    NoSuchFolder, NotPermitted, OverQuota, TooManyKeywords.
    """
    return start_copy(folder_id, uids, target_folder_id, actor=actor).result()


def start_copy(
    folder_id: int, uids: Sequence[int], target_folder_id: int, *, actor: int
) -> Future[Copied]:
    """Begin what `copy_uids` does; the Future gives or raises what that does."""
    wanted = sorted(set(uids))
    return commit.submit(_unit(_Copy(actor, folder_id, wanted, target_folder_id, is_move=False)))


def move_uids(folder_id: int, uids: Sequence[int], target_folder_id: int, *, actor: int) -> Copied:
    """Move the UIDs that are there, ascending. As `copy_uids`; OverQuota between mailboxes only."""
    sources: list[int] = []
    targets: list[int] = []
    done = Copied(0, (), ())
    units = (
        _unit(_Copy(actor, folder_id, chunk, target_folder_id, is_move=True))
        for chunk in chunked(uids)
    )
    for done in commit.run_each(units):
        sources += done.sources
        targets += done.targets
    return Copied(done.uidvalidity, tuple(sources), tuple(targets))


@dataclass(frozen=True, slots=True)
class _Copy:
    """Copy UIDs in one transaction; with `is_move` the originals go in the same one."""

    actor: int
    folder_id: int
    uids: Sequence[int]
    target_folder_id: int
    is_move: bool

    def __call__(self, rows: Rows, blob_id: int | None) -> Copied:
        needed = Right.READ
        if self.is_move:
            # RFC 6851 §4.2: as COPY, STORE \Deleted and EXPUNGE.
            needed |= Right.MARK_DELETED | Right.EXPUNGE
        source = locked_folder(rows, self.folder_id, self.actor, needed)
        target, held = locked_with_rights(rows, self.target_folder_id, self.actor, Right.INSERT)
        rows.direct()
        found = tally(source, self.uids)
        if not found:
            return Copied(target.uidvalidity, (), ())
        is_elsewhere = source.mailbox_id != target.mailbox_id
        if is_elsewhere or not self.is_move:
            require_room(rows.mailbox(target.mailbox_id), found.octets, len(found))
        may_have_keywords = bool(source.keywords) and Right.WRITE in held
        used = _keywords_in_use(source.id, found.uids) if may_have_keywords else 0
        mask = int(flags_within(held))
        keywords = translated(source.keywords, target, used)
        first = copy_entries(rows, source, target, found.uids, keywords, mask)
        if is_elsewhere:
            _adopt(target, first)
        keeps_seen = mask & Flag.SEEN
        count_in(rows, target, found if keeps_seen else replace(found, unseen=len(found)))
        if self.is_move:
            # What went to another's mailbox its owner may still want back.
            remove_entries(rows, source, found, is_move=not is_elsewhere)
        targets = tuple(range(first, first + len(found)))
        return Copied(target.uidvalidity, tuple(found.uids), targets)


def _keywords_in_use(folder_id: int, uids: Sequence[int]) -> int:
    """The bits of the keywords that any of the entries has."""
    entries = Entry.objects.filter(in_uids(uids), folder_id=folder_id)
    used = 0
    for bits in entries.values_list("keywords", flat=True).distinct():
        used |= bits
    return used


def _unit(work: _Copy) -> commit.Unit[Copied]:
    return commit.Unit(
        frozenset((mailbox_of(work.folder_id), mailbox_of(work.target_folder_id))),
        work,
        folder_ids=frozenset((work.folder_id, work.target_folder_id)),
        rows=len(work.uids),
    )


def translated(names: Sequence[str], target: FolderState, used: int, *, create: bool = True) -> str:
    """SQL for an entry's keywords in the target's bits, of which it gets those it lacks.

    `names` are the entry's folder's, `used` their bits that matter. TooManyKeywords.
    """
    terms = []
    for place in range(used.bit_length()):
        if used >> place & 1:
            bit = keyword_bits(target, [names[place]], create=create)
            terms.append(f"((keywords >> {place}) & 1) * {bit}")
    return " + ".join(terms) or "0"


def copy_entries(
    rows: Rows,
    source: FolderState,
    target: FolderState,
    uids: Sequence[int],
    keywords: str,
    flags: int = ALL_FLAGS,
) -> int:
    """Insert copies of existing, ascending `uids` from inside a direct Unit; the first new UID.

    `keywords` is SQL over the entry's columns, made of our own integers; `flags` are those kept.
    """
    first = target.take_uids(len(uids))
    modseq = rows.changed(target, Change.Kind.APPENDED, range(first, first + len(uids)))
    table = Entry._meta.db_table
    condition, chosen = uids_sql(uids)
    # Numbering row by row costs a third of the statement: without gaps it is a sum.
    place = f"uid - {uids[0]:d} + 1" if is_range(uids) else "row_number() OVER (ORDER BY uid)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table}"  # noqa: S608
            " (folder_id, message_id, uid, flags, keywords, modseq, saved_at)"
            f" SELECT %s, message_id, {place} + %s,"
            f" flags & {flags:d}, {keywords},"
            f" %s, %s FROM {table} WHERE folder_id = %s AND {condition} ORDER BY uid",
            [target.id, first - 1, modseq, int(time.time()), source.id, *chosen],
        )
    return first


def _adopt(target: FolderState, first: int) -> None:
    """Give entries from UID `first` on, just copied, messages of their own mailbox."""
    copied = Entry.objects.filter(folder_id=target.id, uid__gte=first)
    keys = sorted(set(copied.values_list("message_id", flat=True)))
    statement = (
        f"UPDATE {Entry._meta.db_table} SET message_id = %s"  # noqa: S608
        " WHERE message_id = %s AND folder_id = %s AND uid >= %s"
    )
    for start in range(0, len(keys), ADOPT_CHUNK):
        messages = Message.objects.in_bulk(keys[start : start + ADOPT_CHUNK])
        old = list(messages)
        for message in messages.values():
            message.pk, message.mailbox_id = None, target.mailbox_id
            message._state.adding = True
        new = dict(zip(old, Message.objects.bulk_create(messages.values()), strict=True))
        shown = Overview.objects.filter(pk__in=old).values_list("pk", "octets")
        Overview.objects.bulk_create(
            Overview(message_id=new[key].pk, octets=octets) for key, octets in shown
        )
        pairs = [(message.pk, key, target.id, first) for key, message in new.items()]
        with connection.cursor() as cursor:
            cursor.executemany(statement, pairs)


def count_in(rows: Rows, target: FolderState, came: Tally) -> None:
    """Count entries into a folder and its mailbox."""
    target.exists_count += len(came)
    target.unseen_count += came.unseen
    target.octets += came.octets
    rows.mailbox(target.mailbox_id).use(came.octets, len(came))
