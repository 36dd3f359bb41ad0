"""Remove entries, and remember which UIDs vanished at which MODSEQ.

What is not moved is recorded, so that it can be brought back while its domain keeps it. The Message
rows stay until the collector (`accounts.garbage`) finds that nothing points at them: an expunge
touches only narrow rows, and octets shared with others stay whole.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from django.db.models import F

from accounts import commit
from accounts.counters import FolderState
from accounts.entry_sql import uids_sql
from accounts.mailstore.deeds import Removed
from accounts.mailstore.flags import Flag
from accounts.mailstore.locked import locked_folder, mailbox_of
from accounts.mailstore.recording import record
from accounts.mailstore.rights import Right
from accounts.mailstore.settling import settle
from accounts.mailstore.tally import Tally, tally
from accounts.mailstore.uids import chunked
from accounts.models import Change, Entry, Vanished
from accounts.rows import Rows
from accounts.statements import execute
from accounts.uid_sets import sequence_set

# By hand: nothing hangs on an entry, and Django's way to find that out costs more than the rest.
_DELETE = f"DELETE FROM {Entry._meta.db_table} WHERE folder_id = %s"  # noqa: S608
_VANISHED = ("folder_id", "modseq", "uids")


@dataclass(frozen=True, slots=True)
class Expunged:
    """The MODSEQ of the last removal and the UIDs that went, ascending."""

    modseq: int
    uids: tuple[int, ...]


def expunge_uids(
    folder_id: int, uids: Sequence[int] | None, *, actor: int, only_deleted: bool = True
) -> Expunged:
    """Remove the UIDs (None: all) that are \\Deleted, or all of them without `only_deleted`.

    Large sets go in chunks, each a commit of its own. `actor` is the mailbox that removes them.
    NoSuchFolder, NotPermitted.
    """
    mailbox_id = mailbox_of(folder_id)
    if uids is None:
        settle(folder_id)
        wanted = Entry.objects.filter(folder_id=folder_id)
        if only_deleted:
            wanted = wanted.alias(deleted=F("flags").bitand(Flag.DELETED)).filter(deleted__gt=0)
        uids = list(wanted.order_by("uid").values_list("uid", flat=True))
    modseq = 0
    gone: list[int] = []
    units = (
        _unit(mailbox_id, _Expunge(actor, folder_id, chunk, only_deleted))
        for chunk in chunked(uids, commit.MAX_ROWS)
    )
    for done in commit.run_each(units):
        modseq = max(modseq, done.modseq)
        gone += done.uids
    return Expunged(modseq, tuple(gone))


def submit_expunge(
    mailbox_id: int, folder_id: int, uids: Sequence[int], *, actor: int
) -> "Future[Expunged]":
    """Remove those of a few UIDs that are \\Deleted from a mailbox's folder; nobody waits for it,
    and it never asks the database in the caller's thread.
    """
    return commit.submit(_unit(mailbox_id, _Expunge(actor, folder_id, uids, only_deleted=True)))


def _unit(mailbox_id: int, doing: "_Expunge") -> commit.Unit[Expunged]:
    own, folders = frozenset((mailbox_id,)), frozenset((doing.folder_id,))
    return commit.Unit(own, doing, folder_ids=folders, rows=len(doing.uids))


@dataclass(frozen=True, slots=True)
class _Expunge:
    """One chunk of an EXPUNGE."""

    actor: int
    folder_id: int
    uids: Sequence[int]
    only_deleted: bool

    def __call__(self, rows: Rows, blob_id: int | None) -> Expunged:
        needed = Right.EXPUNGE
        if not self.only_deleted:
            needed |= Right.MARK_DELETED
        folder = locked_folder(rows, self.folder_id, self.actor, needed)
        rows.direct()
        flags = int(Flag.DELETED) if self.only_deleted else 0
        gone = tally(folder, self.uids, flags=flags)
        if not gone:
            return Expunged(folder.highest_modseq, ())
        modseq = remove_entries(rows, folder, gone)
        return Expunged(modseq, tuple(gone.uids))


def remove_entries(rows: Rows, folder: FolderState, gone: Tally, *, is_move: bool = False) -> int:
    """Delete entries from inside a direct Unit.

    Keeps the counters and writes what vanished; returns the MODSEQ. `is_move`: they stand in
    another folder now, and nothing is lost that could be brought back.
    """
    uids = gone.uids
    if not is_move:
        record(folder, uids, messages=len(gone), octets=gone.octets)
    modseq = rows.changed(folder, Change.Kind.VANISHED, uids, Removed(uids))
    condition, chosen = uids_sql(uids)
    execute(f"{_DELETE} AND {condition}", [folder.id, *chosen])
    rows.insert_values(Vanished, _VANISHED, (folder.id, modseq, sequence_set(uids)))
    folder.exists_count -= len(gone)
    folder.unseen_count -= gone.unseen
    folder.octets -= gone.octets
    rows.mailbox(folder.mailbox_id).use(-gone.octets, -len(gone))
    return modseq
