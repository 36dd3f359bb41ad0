"""What a Unit sees of the database inside a group commit: locked counters, and rows to insert.

Rules of the file:

1. The Mailbox row is the only lock. All mailboxes of a batch are locked by one query, ascending.
2. Counters live in memory during the commit and are written back once, with few statements.
3. Plain inserts wait and go out in bulk, in dependency order. A unit that needs to run statements
   of its own says `direct()` first: then everything before it is written out, and what it does is
   undone with it if it fails.
4. A unit that fails leaves nothing: its inserts are dropped, its counters put back.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar

from django.db import connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.inserts import Inserts, PendingRow, insert_rows
from accounts.key_lists import listed
from accounts.models import Change, Folder, Mailbox

INBOX = "INBOX"


class MailboxGone(LookupError):
    """The mailbox was removed meanwhile."""


class FolderGone(LookupError):
    """The folder was deleted meanwhile."""


class _Counters:
    """A locked row's counters, and what they were when loaded."""

    FIELDS: ClassVar[tuple[str, ...]]
    __slots__ = ("id", "loaded")
    id: int
    loaded: tuple[Any, ...]

    def values(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def restore(self, values: tuple[Any, ...]) -> None:
        for name, value in zip(self.FIELDS, values, strict=True):
            setattr(self, name, value)


class MailboxState(_Counters):
    """The counters of a locked Mailbox row. MODSEQ is taken with `Rows.modseq`."""

    FIELDS = ("used_bytes", "highest_modseq", "next_uidvalidity", "full_since", "modseq")
    WRITTEN = FIELDS[:3]
    __slots__ = (*FIELDS, "quota_bytes")
    LOADED = ("id", "quota_bytes", "used_bytes", "highest_modseq", "next_uidvalidity", "full_since")

    def __init__(
        self,
        pk: int,
        quota_bytes: int,
        used_bytes: int,
        highest_modseq: int,
        next_uidvalidity: int,
        full_since: datetime | None,
    ) -> None:
        self.id = pk
        self.quota_bytes = quota_bytes
        self.used_bytes = used_bytes
        self.highest_modseq = highest_modseq
        self.next_uidvalidity = next_uidvalidity
        self.full_since = full_since
        self.modseq = 0
        self.loaded = self.values()

    def values(self) -> tuple[Any, ...]:
        return _mailbox_values(self)

    def has_room(self, octets: int) -> bool:
        """True when that many more octets stay within the quota."""
        return not self.quota_bytes or self.used_bytes + octets <= self.quota_bytes

    def use(self, octets: int) -> None:
        """Account for octets that came (or, negative, went), and since when it is full."""
        self.used_bytes += octets
        if not self.quota_bytes or self.used_bytes < self.quota_bytes:
            self.full_since = None
        elif self.full_since is None:
            self.full_since = timezone.now()

    def take_uidvalidity(self) -> int:
        """A UIDVALIDITY this mailbox has never used."""
        value = self.next_uidvalidity
        self.next_uidvalidity += 1
        return value


class FolderState(_Counters):
    """The counters of a Folder row whose mailbox is locked."""

    FIELDS = (
        "uidnext",
        "highest_modseq",
        "recent_from_uid",
        "exists_count",
        "unseen_count",
        "octets",
        "keywords",
    )
    WRITTEN = FIELDS[:6]
    __slots__ = (*FIELDS, "is_selectable", "mailbox_id", "name", "uidvalidity")
    LOADED = ("id", "mailbox_id", "name", "is_selectable", "uidvalidity", *FIELDS)

    def __init__(
        self,
        pk: int,
        mailbox_id: int,
        name: str,
        is_selectable: bool,
        uidvalidity: int,
        uidnext: int,
        highest_modseq: int,
        recent_from_uid: int,
        exists_count: int,
        unseen_count: int,
        octets: int,
        keywords: Iterable[str],
    ) -> None:
        self.id = pk
        self.mailbox_id = mailbox_id
        self.name = name
        self.is_selectable = is_selectable
        self.uidvalidity = uidvalidity
        self.uidnext = uidnext
        self.highest_modseq = highest_modseq
        self.recent_from_uid = recent_from_uid
        self.exists_count = exists_count
        self.unseen_count = unseen_count
        self.octets = octets
        self.keywords = tuple(keywords)
        self.loaded = self.values()

    def values(self) -> tuple[Any, ...]:
        return _folder_values(self)

    def take_uids(self, count: int = 1) -> int:
        """The first of `count` fresh UIDs."""
        first = self.uidnext
        self.uidnext += count
        return first


_CHANGE = ("mailbox_id", "folder_id", "kind", "modseq", "at")
_mailbox_values = attrgetter(*MailboxState.FIELDS)
_folder_values = attrgetter(*FolderState.FIELDS)


class Rows:
    """One batch's view of the database; each unit gets it in turn (see the module's rules)."""

    def __init__(self) -> None:
        self.mailboxes: dict[int, MailboxState] = {}
        self.folders: dict[int, FolderState] = {}
        self._inboxes: dict[int, int] = {}
        self._inserts = Inserts()
        self._changes: dict[tuple[int, str], FolderState] = {}
        self._callbacks: list[Callable[[], None]] = []
        # Of the unit at work only:
        self._own = Inserts()
        self._undo: dict[_Counters, tuple[Any, ...]] = {}
        self._own_changes: dict[tuple[int, str], FolderState] = {}
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

    def folder(self, folder_id: int) -> FolderState:
        """A folder's counters; its mailbox must be among the Unit's. FolderGone."""
        state = self.folders.get(folder_id)
        if state is None:
            self._load_folders(Q(pk=folder_id))
            state = self.folders.get(folder_id)
        if state is None or state.mailbox_id not in self.mailboxes:
            raise FolderGone(f"folder {folder_id} is gone")
        if state not in self._undo:
            self._undo[state] = state.values()
        return state

    def inbox(self, mailbox_id: int) -> FolderState:
        """The mailbox's INBOX. FolderGone when it has none."""
        self.mailbox(mailbox_id)
        try:
            return self.folder(self._inboxes[mailbox_id])
        except KeyError:
            raise FolderGone(f"mailbox {mailbox_id} has no INBOX") from None

    def modseq(self, mailbox_id: int) -> int:
        """The MODSEQ of this commit in a mailbox: what commits together changes together."""
        state = self.mailbox(mailbox_id)
        if not state.modseq:
            state.highest_modseq += 1
            state.modseq = state.highest_modseq
        return state.modseq

    def changed(self, folder: FolderState, kind: str) -> int:
        """Say that a folder changed (`Change.Kind`); returns the MODSEQ to write."""
        modseq = self.modseq(folder.mailbox_id)
        folder.highest_modseq = modseq
        self._own_changes[folder.id, kind] = folder
        return modseq

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
        if self._savepoint is None:
            self._inserts.write()
            self._savepoint = ExitStack()
            self._savepoint.enter_context(transaction.atomic())
        self._own.write()

    def forget_folder(self, folder: FolderState) -> None:
        """The unit has deleted this folder's row."""
        del self.folders[folder.id]
        self._forgotten.append(folder)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this soon after the commit, in the committer thread: it must be quick."""
        self._own_callbacks.append(callback)

    # What the committer calls.

    def load(self, mailbox_ids: Iterable[int], folder_ids: Iterable[int] = ()) -> None:
        """Lock mailboxes and load their INBOXes and the folders asked for."""
        wanted = sorted(set(mailbox_ids))
        if not wanted:
            return
        query = Mailbox.objects.select_for_update(no_key=_can_lock_weakly())
        query = query.filter(pk__in=listed(wanted))
        for row in query.order_by("pk").values_list(*MailboxState.LOADED):
            self.mailboxes[row[0]] = MailboxState(*row)
        self._load_folders(Q(mailbox_id__in=listed(wanted), name=INBOX))
        if missing := set(folder_ids) - self.folders.keys():
            self._load_folders(Q(pk__in=missing))

    def finish_unit(self) -> None:
        """The unit at work succeeded: keep what it did."""
        if self._savepoint is None:
            self._inserts.take(self._own)
        else:
            self._own.write()
            self._savepoint.close()
        self._changes.update(self._own_changes)
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
        _write_back(Mailbox, self.mailboxes.values(), MailboxState.WRITTEN)
        _write_back(Folder, self.folders.values(), FolderState.WRITTEN)
        for mailbox in self.mailboxes.values():
            if mailbox.full_since != mailbox.loaded[3]:
                Mailbox.objects.filter(pk=mailbox.id).update(full_since=mailbox.full_since)
        for folder in self.folders.values():
            if folder.keywords != folder.loaded[6]:
                Folder.objects.filter(pk=folder.id).update(keywords=list(folder.keywords))
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        log = [
            PendingRow(
                (
                    folder.mailbox_id,
                    folder_id if folder_id in self.folders else None,
                    str(kind),
                    folder.highest_modseq,
                    now,
                )
            )
            for (folder_id, kind), folder in self._changes.items()
        ]
        if log:
            insert_rows(Change, _CHANGE, log)

    @property
    def notices(self) -> list[tuple[int, int, int]]:
        """(mailbox id, folder id, MODSEQ) of what changed; folder 0 is the list of folders."""
        found: dict[tuple[int, int, int], None] = {}
        for (_, kind), folder in self._changes.items():
            found[folder.mailbox_id, folder.id, folder.highest_modseq] = None
            if kind == Change.Kind.FOLDER:
                found[folder.mailbox_id, 0, folder.highest_modseq] = None
        return list(found)

    @property
    def callbacks(self) -> list[Callable[[], None]]:
        return self._callbacks

    def _clear_unit(self) -> None:
        self._own = Inserts()
        self._undo = {}
        self._own_changes = {}
        self._own_callbacks = []
        self._forgotten = []
        self._savepoint = None

    def _load_folders(self, condition: Q) -> None:
        for row in Folder.objects.filter(condition).order_by().values_list(*FolderState.LOADED):
            state = FolderState(*row)
            self.folders.setdefault(state.id, state)
            if state.name == INBOX:
                self._inboxes[state.mailbox_id] = state.id


@cache
def _can_lock_weakly() -> bool:
    # FOR NO KEY UPDATE does not stand in the way of inserts that point at the mailbox.
    return bool(connection.features.has_select_for_no_key_update)


def _write_back(
    model: type[models.Model], states: Iterable[_Counters], names: tuple[str, ...]
) -> None:
    get = attrgetter(*names)
    width = len(names)
    dirty = [(*get(s), s.id) for s in states if get(s) != s.loaded[:width]]
    if not dirty:
        return
    columns = ", ".join(f"{name} = %s" for name in names)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {model._meta.db_table} SET {columns} WHERE id = %s",  # noqa: S608
            dirty,
        )
