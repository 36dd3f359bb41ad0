"""What a Unit sees of the database inside a group commit: locked counters, and rows to insert.

Rules of the file:

1. The Mailbox row is the only lock. All mailboxes of a batch are locked by one query, ascending.
2. Counters live in memory during the commit and are written back once, with few statements.
3. Plain inserts wait and go out in bulk, in dependency order. A unit that needs to run statements
   of its own says `direct()` first: then everything before it is written out, and what it does is
   undone with it if it fails.
4. A unit that fails leaves nothing: its inserts are dropped, its counters put back.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any

from django.db import models, transaction

from accounts import flag_deeds
from accounts.counters import (
    Counters,
    FolderState,
    MailboxState,
    load_folders,
    load_inboxes,
    lock_mailboxes,
    write_back,
)
from accounts.inserts import Inserts, PendingRow, insert_rows
from accounts.kept_counters import KeptCounters
from accounts.models import Change
from accounts.statements import own_database
from accounts.uid_sets import sequence_set


class MailboxGone(LookupError):
    """The mailbox was removed meanwhile."""


class FolderGone(LookupError):
    """The folder was deleted meanwhile."""


_CHANGE = ("mailbox_id", "folder_id", "kind", "modseq", "uids", "at")


class Rows:
    """One batch's view of the database; each unit gets it in turn (see the module's rules)."""

    def __init__(self, kept: KeptCounters, now: object, *, is_alone: bool = False) -> None:
        self._kept = kept
        # When it is, as the database stores it.
        self._now = now
        # The only unit of a transaction needs no savepoint: it fails with the whole.
        self._is_alone = is_alone
        self._has_gone_direct = False
        self.mailboxes: dict[int, MailboxState] = {}
        self.folders: dict[int, FolderState] = {}
        self._inboxes: dict[int, int] | None = None
        self._inserts = Inserts()
        self._changes: dict[tuple[FolderState, str], list[Sequence[int]]] = {}
        self._deeds: dict[FolderState, list[object]] = {}
        self._lists: set[int] = set()
        self._announced: list[Callable[[], None]] = []
        self._callbacks: list[Callable[[], None]] = []
        # Of the unit at work only:
        self._own = Inserts()
        self._undo: dict[Counters, tuple[Any, ...]] = {}
        # Of no kind: it is told to who follows the commits alone.
        self._own_changes: list[tuple[FolderState, str | None, Sequence[int], object]] = []
        self._own_lists: set[int] = set()
        self._own_announced: list[Callable[[], None]] = []
        self._own_callbacks: list[Callable[[], None]] = []
        self._forgotten: list[FolderState] = []
        self._savepoint: ExitStack | None = None

    # What units call.

    def mailbox(self, mailbox_id: int) -> MailboxState:
        """A locked mailbox's counters; the Unit must have named it. MailboxGone."""
        try:
            state = self.mailboxes[mailbox_id]
        except KeyError:
            raise MailboxGone(f"mailbox {mailbox_id} is gone") from None
        if state not in self._undo:
            self._undo[state] = state.values()
        return state

    def folder(self, folder_id: int, *, is_settled: bool = True) -> FolderState:
        """A folder's counters; its mailbox must be among the Unit's. FolderGone.

        Its entries say what became of their flags, unless the unit can do without (`is_settled`;
        see the second invariant of `accounts.flag_deeds`).
        """
        state = self.folders.get(folder_id)
        if state is None:
            self._load_folders([folder_id])
            state = self.folders.get(folder_id)
        if state is None or state.mailbox_id not in self.mailboxes:
            raise FolderGone(f"folder {folder_id} is gone")
        if state not in self._undo:
            self._undo[state] = state.values()
        if is_settled:
            self.settle(state)
        return state

    def settle(self, folder: FolderState) -> None:
        """Have a folder's entries say what became of their flags."""
        if folder.has_flag_deeds:
            self.direct()
            flag_deeds.settle(folder.id)
            folder.has_flag_deeds = False

    def folders_of(self, folder_ids: Sequence[int]) -> list[FolderState]:
        """As `folder`, of many at once: one query, whatever their number."""
        self._load_folders([key for key in folder_ids if key not in self.folders])
        return [self.folder(key) for key in folder_ids]

    def inbox(self, mailbox_id: int, *, is_settled: bool = True) -> FolderState:
        """The mailbox's INBOX, as `folder` gives it. FolderGone when it has none."""
        self.mailbox(mailbox_id)
        if self._inboxes is None:
            self._inboxes = self._kept.inboxes()
            if missing := [key for key in self.mailboxes if key not in self._inboxes]:
                for state in load_inboxes(missing):
                    self._inboxes[state.mailbox_id] = state.id
                    self.folders.setdefault(state.id, state)
        try:
            return self.folder(self._inboxes[mailbox_id], is_settled=is_settled)
        except KeyError:
            raise FolderGone(f"mailbox {mailbox_id} has no INBOX") from None

    def modseq(self, mailbox_id: int) -> int:
        """The MODSEQ of this commit in a mailbox: what commits together changes together."""
        state = self.mailbox(mailbox_id)
        if not state.modseq:
            state.highest_modseq += 1
            state.modseq = state.highest_modseq
        return state.modseq

    def changed(
        self, folder: FolderState, kind: str, uids: Sequence[int] = (), deed: object = None
    ) -> int:
        """Say that a folder, and which UIDs in it, changed (`Change.Kind`); the MODSEQ to write.

        UIDs are ascending and each named once. `deed` says all that happened to them, for whoever
        follows the commits of this process; without one, they hear only that something did.
        """
        modseq = self.modseq(folder.mailbox_id)
        folder.highest_modseq = modseq
        self._own_changes.append((folder, kind, uids, deed))
        return modseq

    def tell(self, folder: FolderState, deed: object) -> None:
        """Tell whoever follows the commits of a deed that no client needs to hear of."""
        self._own_changes.append((folder, None, (), deed))

    def list_changed(self, mailbox_id: int) -> int:
        """Say that something of the mailbox changed that is no folder; the MODSEQ to write."""
        self._own_lists.add(mailbox_id)
        return self.modseq(mailbox_id)

    def insert(self, row: models.Model) -> None:
        """Insert a row when the batch is written; it may point at rows inserted before it."""
        self._own.add(row)

    def insert_values(
        self, model: type[models.Model], columns: tuple[str, ...], values: tuple[Any, ...]
    ) -> PendingRow:
        """As `insert`, for the hot path: plain database values, a PendingRow for a key to come."""
        return self._own.add_values(model, columns, values)

    def direct(self) -> None:
        """From here on this unit may run statements of its own, through Django's default database.

        What came before is written out first (but not the counters of locked rows).
        """
        self._has_gone_direct = True
        if self._savepoint is None:
            self._inserts.write()
            self._savepoint = ExitStack()
            if not self._is_alone:
                self._savepoint.enter_context(transaction.atomic())
        self._own.write()

    def forget_folder(self, folder: FolderState) -> None:
        """The unit has deleted this folder's row."""
        del self.folders[folder.id]
        self._forgotten.append(folder)

    def before_commit(self, callback: Callable[[], None]) -> None:
        """Call this when nothing is left to be done but the COMMIT: it must be quick."""
        self._own_announced.append(callback)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this soon after the commit, in the committer thread: it must be quick."""
        self._own_callbacks.append(callback)

    # What the committer calls.

    def load(self, mailbox_ids: Iterable[int], folder_ids: Iterable[int] = ()) -> None:
        """Lock mailboxes and load the folders asked for."""
        missing = []
        for key in set(mailbox_ids):
            if (kept := self._kept.mailbox(key)) is not None:
                self.mailboxes[key] = kept
            else:
                missing.append(key)
        if missing:
            self.mailboxes.update((state.id, state) for state in lock_mailboxes(missing))
        self._load_folders(set(folder_ids))

    def _load_folders(self, keys: Collection[int]) -> None:
        missing = []
        for key in keys:
            if (kept := self._kept.folder(key)) is not None:
                self.folders[key] = kept
            else:
                missing.append(key)
        if missing:
            self.folders.update((state.id, state) for state in load_folders(missing))

    def finish_unit(self) -> None:
        """The unit at work succeeded: keep what it did."""
        if self._savepoint is None:
            self._inserts.take(self._own)
        else:
            self._own.write()
            self._savepoint.close()
        for folder, kind, uids, deed in self._own_changes:
            if kind is not None:
                self._changes.setdefault((folder, kind), []).append(uids)
            self._deeds.setdefault(folder, []).append(deed)
        self._lists |= self._own_lists
        self._announced += self._own_announced
        self._callbacks += self._own_callbacks
        self._clear_unit()

    def fail_unit(self, error: BaseException) -> None:
        """The unit at work failed: undo what it did."""
        for state, values in self._undo.items():
            state.restore(values)
        for folder in self._forgotten:
            self.folders[folder.id] = folder
        savepoint = self._savepoint
        self._clear_unit()
        if savepoint is not None:
            savepoint.__exit__(type(error), error, error.__traceback__)

    def write(self) -> None:
        """Write all that waits: inserts, counters, the change log."""
        self._inserts.write()
        write_back(self.mailboxes.values(), self.folders.values())
        log = [
            PendingRow(
                (
                    folder.mailbox_id,
                    folder.id if folder.id in self.folders else None,
                    str(kind),
                    folder.highest_modseq,
                    sequence_set(_together(sets)),
                    self._now,
                )
            )
            for (folder, kind), sets in self._changes.items()
            if _is_logged(kind)
        ]
        if log:
            insert_rows(Change, _CHANGE, log)
        if not self._has_gone_direct:
            # Else the counters may not be all that was changed.
            self._kept.prepare(self.mailboxes, self.folders)

    def announce(self) -> None:
        """Nothing is left to be done but the COMMIT."""
        for callback in self._announced:
            callback()

    @property
    def notices(self) -> list[tuple[int, int, int]]:
        """(mailbox id, folder id, MODSEQ) of what changed; folder 0: more than one folder."""
        found: dict[tuple[int, int, int], None] = {}
        for folder, kind in self._changes:
            found[folder.mailbox_id, folder.id, folder.highest_modseq] = None
            if kind == Change.Kind.FOLDER:
                found[folder.mailbox_id, 0, folder.highest_modseq] = None
        for mailbox_id in self._lists:
            found[mailbox_id, 0, self.mailboxes[mailbox_id].highest_modseq] = None
        return list(found)

    @property
    def renamed(self) -> set[int]:
        """The mailboxes of which more has changed than messages."""
        named = {folder.mailbox_id for folder, kind in self._changes if kind == Change.Kind.FOLDER}
        return named | self._lists

    @property
    def deeds(self) -> list[tuple[FolderState, list[object]]]:
        """By folder, what happened to it, in order; None for what is not told."""
        return list(self._deeds.items())

    @property
    def callbacks(self) -> list[Callable[[], None]]:
        return self._callbacks

    def _clear_unit(self) -> None:
        self._own = Inserts()
        self._undo = {}
        self._own_changes = []
        self._own_lists = set()
        self._own_announced = []
        self._own_callbacks = []
        self._forgotten = []
        self._savepoint = None


def _is_logged(kind: str) -> bool:
    """Whether the change log says so.

    What came is found in the folder, above the highest UID that was there: a row about it, with its
    keys, would be a sixth of what a delivery writes. On PostgreSQL servers of two versions may run
    side by side while one is replaced, and the older one looks into the log.
    """
    return kind != Change.Kind.APPENDED or own_database().vendor != "sqlite"


def _together(sets: Sequence[Sequence[int]]) -> Sequence[int]:
    """Ascending UIDs of several sets, each once."""
    return sets[0] if len(sets) == 1 else sorted(set(chain.from_iterable(sets)))
