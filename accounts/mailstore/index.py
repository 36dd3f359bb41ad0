"""Keep pictures of folders: what the process knows of UIDs and flags, refreshed cheaply.

`picture` always answers with the state of the database: no query where a stamp (`accounts.stamps`)
says that nothing has changed, one small query where nothing did all the same, else only the rows
above the known MODSEQ; the first load of a large folder starts from a snapshot.
What this process commits itself is laid over its picture, where that is of the state before.

Invariants: a row read later than the counters is kept all the same (else a lower UID could turn up
after a higher one and sequence numbers would lie); Vanished rows are read after entries, so an
entry that went in between is gone from the picture too, and a history pruned in between is noticed.
A picture that is handed out holds all that happened up to its MODSEQ and nothing later: two of one
MODSEQ are the same. A picture is kept with a stamp only where that was taken before the counters
were read that the picture is of, or where it is the one that the commit itself left.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from accounts import effects, flag_deeds, stamps
from accounts.counters import FolderState
from accounts.entry_sql import uids_sql
from accounts.mailstore.deeds import Came, Deed, followed
from accounts.mailstore.history import vanished_after
from accounts.mailstore.picture import (
    Counters,
    Picture,
    Row,
    advanced,
    empty,
)
from accounts.mailstore.snapshots import read_snapshot, save_snapshot
from accounts.models import Change, Entry, Folder
from accounts.rows import FolderGone
from accounts.statements import fetch
from accounts.uid_sets import runs_in, uids_in

CACHE_OCTETS = 64 << 20
# Reading this many rows to make a picture is worth a snapshot for the next process, and so is the
# arrival of as many messages.
SNAPSHOT_AFTER = 2_000
# To copy the arrays of a larger folder for each message that comes would take longer than to read
# what has come when somebody looks.
COPIED_FOR_ONE = 5_000


class _Shelf:
    """The process's pictures, least recently used first out, and one lock a folder for loading."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._octets = 0
        self._pictures: OrderedDict[int, Picture] = OrderedDict()
        # Of pictures as they were kept: a stamp of when they were the state of the database.
        self._stamps: dict[int, tuple[Picture, int]] = {}
        self._loading: dict[int, threading.Lock] = {}
        # Folders whose picture a commit was laid over, and nobody has asked for it since.
        self._unasked: set[int] = set()
        self._lock = threading.Lock()

    def is_unasked(self, folder_id: int) -> bool:
        return folder_id in self._unasked

    def peek(self, folder_id: int) -> Picture | None:
        """As `get`, for who has no use for the picture unless others have."""
        return self._pictures.get(folder_id)

    def get(self, folder_id: int) -> Picture | None:
        with self._lock:
            found = self._pictures.get(folder_id)
            if found is not None:
                self._pictures.move_to_end(folder_id)
                self._unasked.discard(folder_id)
            return found

    def get_current(self, folder_id: int) -> Picture | None:
        """The picture, where its stamp says that it is the state of the database."""
        picture, stamp = self._stamps.get(folder_id, (None, 0))
        if picture is None or not stamps.is_current(picture.mailbox_id, stamp):
            return None
        with self._lock:
            # Not where another has taken its place or it has made room.
            if self._pictures.get(folder_id) is not picture:
                return None
            self._pictures.move_to_end(folder_id)
            self._unasked.discard(folder_id)
            return picture

    def stamp(self, picture: Picture, stamp: int | None) -> None:
        """The picture was the state of the database after the stamp was taken."""
        if stamp is not None:
            with self._lock:
                if self._pictures.get(picture.folder_id) is picture:
                    self._stamps[picture.folder_id] = picture, stamp

    def put(self, picture: Picture) -> None:
        with self._lock:
            self._drop(picture.folder_id)
            self._pictures[picture.folder_id] = picture
            self._octets += picture.octets
            while self._octets > self.limit and len(self._pictures) > 1:
                oldest = next(iter(self._pictures))
                self._drop(oldest)
                self._loading.pop(oldest, None)

    def replace(self, old: Picture, new: Picture, stamp: int | None) -> None:
        """Put `new` where `old` is still the latest that is kept; `stamp` is of its state."""
        with self._lock:
            if self._pictures.get(old.folder_id) is old:
                self._octets += new.octets - old.octets
                self._pictures[old.folder_id] = new
                self._unasked.add(old.folder_id)
                self._stamps.pop(old.folder_id, None)
                if stamp is not None:
                    self._stamps[old.folder_id] = new, stamp

    def drop(self, folder_id: int) -> None:
        with self._lock:
            self._drop(folder_id)
            self._loading.pop(folder_id, None)

    def clear(self) -> None:
        with self._lock:
            self._pictures.clear()
            self._unasked.clear()
            self._stamps.clear()
            self._loading.clear()
            self._octets = 0

    def loading(self, folder_id: int) -> threading.Lock:
        with self._lock:
            return self._loading.setdefault(folder_id, threading.Lock())

    def _drop(self, folder_id: int) -> None:
        self._stamps.pop(folder_id, None)
        self._unasked.discard(folder_id)
        old = self._pictures.pop(folder_id, None)
        if old is not None:
            self._octets -= old.octets


_shelf = _Shelf(CACHE_OCTETS)


def picture(folder_id: int, counters: Counters | None = None, stamp: int | None = None) -> Picture:
    """The folder as the database has it now. Raises FolderGone.

    `counters` are those of a folder row that the caller has only just read, which saves a query;
    `stamp` is one of its mailbox that was taken before that.
    """
    if counters is None:
        if (found := current(folder_id)) is not None:
            return found
        last = _shelf.get(folder_id)
        stamp = None if last is None else stamps.take(last.mailbox_id)
        counters = _read_counters(folder_id)
    known = _shelf.get(folder_id)
    if known is not None and _is_current(known, counters):
        _shelf.stamp(known, stamp)
        return known
    # One thread reads the rows, the others wait for its picture.
    with _shelf.loading(folder_id):
        known = _shelf.get(folder_id)
        if known is not None and known.highest_modseq > counters.highest_modseq:
            return known
        fresh = _refreshed(folder_id, known, counters)
        if fresh is not known:
            _shelf.put(fresh)
        _shelf.stamp(fresh, stamp)
        return fresh


def current(folder_id: int) -> Picture | None:
    """The folder as the database has it now, where that is known without asking it."""
    return _shelf.get_current(folder_id)


def is_at_hand(folder_id: int, modseq: int) -> bool:
    """Whether `picture_after` needs no look at the database."""
    known = _shelf.get(folder_id)
    return known is not None and modseq <= known.highest_modseq


def picture_after(folder_id: int, modseq: int) -> Picture:
    """The folder as it is now, or as it was at `modseq` or later if that is at hand. FolderGone.

    For who has just committed something, and looks again with the next command.
    """
    known = _shelf.get(folder_id)
    if known is not None and modseq <= known.highest_modseq:
        return known
    return picture(folder_id)


def kept(folder: FolderState) -> Picture | None:
    """The picture of a folder under its mailbox's lock, if one is at hand and still true."""
    return _kept_before(folder) if folder.highest_modseq == folder.loaded_modseq else None


def _kept_before(folder: FolderState) -> Picture | None:
    """The picture of the state before this commit, if it is at hand."""
    known = _shelf.peek(folder.id)
    state = folder.uidvalidity, folder.loaded_modseq
    return (
        known if known is not None and (known.uidvalidity, known.highest_modseq) == state else None
    )


def follow(folder: FolderState, deeds: Sequence[Deed | None], step: stamps.Step | None) -> None:
    """Take the picture, if one is kept of the state before, past a commit of this process.

    `step` is the commit's for the stamps of the mailbox. Where many messages have come, a picture
    is made of them before anybody asks.
    """
    # Told by the last UID, which all processes share: it does not matter who took what in.
    before, after = folder.loaded_uidnext - 1, folder.uidnext - 1
    is_due = after // SNAPSHOT_AFTER > before // SNAPSHOT_AFTER
    if is_due and folder.exists_count >= SNAPSHOT_AFTER:
        _keep_soon(folder.id)
    told = [deed for deed in deeds if deed is not None]
    if len(told) == len(deeds):
        _lay_over(folder, told, step)


def _lay_over(folder: FolderState, deeds: Sequence[Deed], step: stamps.Step | None) -> None:
    known = _kept_before(folder)
    if known is None:
        return
    has_come = any(isinstance(deed, Came) for deed in deeds)
    # A mailbox that takes mail in all night is not copied all night.
    if has_come and (len(known) > COPIED_FOR_ONE or _shelf.is_unasked(folder.id)):
        return
    fresh = followed(known, _counters_of(folder), deeds)
    if fresh is not None and len(fresh) == folder.exists_count:
        _shelf.replace(known, fresh, step and step.after)


def forget() -> None:
    """Drop every picture of this process (after a restore, and between tests)."""
    _shelf.clear()


# The columns of a folder `f` that `counters_in` reads.
COUNTERS = (
    "f.mailbox_id, f.uidvalidity, f.uidnext, f.highest_modseq, f.recent_from_uid, f.exists_count,"
    " f.keywords"
)
# By hand, as every command in selected state begins with it.
_COUNTERS_OF = f"SELECT {COUNTERS}, f.is_selectable FROM {Folder._meta.db_table} f WHERE f.id = %s"  # noqa: S608


def counters_in(row: Sequence[Any]) -> Counters:
    """What the database says in COUNTERS."""
    keywords = json.loads(row[6]) if isinstance(row[6], str) else row[6]
    return Counters(*(*row[:6], keywords))


def _read_counters(folder_id: int) -> Counters:
    rows = fetch(_COUNTERS_OF, (folder_id,))
    # A name that only holds other folders has lost its messages without a Vanished row.
    if not rows or not rows[0][-1]:
        _shelf.drop(folder_id)
        raise FolderGone(f"folder {folder_id}")
    return counters_in(rows[0][:-1])


def _counters_of(folder: FolderState) -> Counters:
    return Counters(
        mailbox_id=folder.mailbox_id,
        uidvalidity=folder.uidvalidity,
        uidnext=folder.uidnext,
        highest_modseq=folder.highest_modseq,
        recent_from_uid=folder.recent_from_uid,
        exists_count=folder.exists_count,
        keywords=folder.keywords,
    )


def _is_current(known: Picture, counters: Counters) -> bool:
    return (
        known.highest_modseq == counters.highest_modseq
        and known.uidvalidity == counters.uidvalidity
        and known.recent_from_uid == counters.recent_from_uid
        and known.uidnext == counters.uidnext
        and len(known.keyword_names) == len(counters.keywords)
    )


def _refreshed(folder_id: int, known: Picture | None, counters: Counters) -> Picture:
    if known is not None and known.uidvalidity == counters.uidvalidity:
        return _caught_up(known, counters)[0]
    start = read_snapshot(folder_id, counters) or empty(folder_id, counters)
    current, counters, rows_read = _caught_up(start, counters)
    if len(current) != counters.exists_count:
        # A snapshot that does not add up (a restored database) is not trusted.
        counters = _read_counters(folder_id)
        current, counters, more = _caught_up(empty(folder_id, counters), counters)
        rows_read += more
    if rows_read >= SNAPSHOT_AFTER:
        _keep_soon(folder_id)
    return current


def _keep_soon(folder_id: int) -> None:
    effects.soon(f"snapshot:{folder_id}", partial(_keep, folder_id), lane="snapshots")


def _keep(folder_id: int) -> None:
    """Have a picture of the folder here, and a snapshot for the next process that opens it."""
    with suppress(FolderGone):
        save_snapshot(picture(folder_id)).result()


def _caught_up(current: Picture, counters: Counters) -> tuple[Picture, Counters, int]:
    """`current` with all that happened since; the counters it is of now, and the rows it took."""
    rows_read = 0
    # Twice at most in practice: another turn only where a commit fell between two reads.
    while not _is_current(current, counters):
        is_first = not current.highest_modseq
        rows = _read_entries(current, counters)
        vanished = _read_vanished(current.folder_id, current.highest_modseq)
        rows_read += len(rows)
        if vanished is None:
            # What is known is older than the history that was kept: all of it is read again.
            current = empty(current.folder_id, counters)
            continue
        gone, last_gone = vanished
        current = advanced(current, counters, rows, gone)
        # What went while a first picture was read has left no trace in it but in the counters.
        if is_first or max(last_gone, *(row[3] for row in rows), 0) > counters.highest_modseq:
            counters = _read_counters(current.folder_id)
    return current, counters, rows_read


_ENTRIES = (
    f"SELECT uid, flags, keywords, modseq FROM {Entry._meta.db_table}"  # noqa: S608
    " WHERE folder_id = %s AND "
)


_CHANGED = (
    f"SELECT uids FROM {Change._meta.db_table}"  # noqa: S608
    " WHERE folder_id = %s AND modseq > %s AND kind <> %s"
)


def _read_entries(known: Picture, counters: Counters) -> list[Row]:
    """What changed in the folder since `known`, and what came, up to `counters` or beyond."""
    # Before the rows: what is settled in between has the deed's MODSEQ in its row.
    deeds = flag_deeds.left(known.folder_id)
    last = known.uids[-1] if known.uids else 0
    parts: list[tuple[str, list[Any]]] = []
    if changed := _read_changed(known, last):
        parts.append(uids_sql(changed))
    if counters.uidnext != known.uidnext:
        parts.append(("uid > %s", [last]))
    if not parts:
        return []
    statement = " UNION ALL ".join(_ENTRIES + condition for condition, _ in parts)
    parameters = [each for _, chosen in parts for each in (known.folder_id, *chosen)]
    # By hand: a STORE reads ten thousand rows here, and the ORM's tuples cost three times as much.
    rows: list[Row] = fetch(f"{statement} ORDER BY uid", parameters)
    return flag_deeds.laid_over(rows, deeds)


def _read_changed(known: Picture, last: int) -> list[int]:
    """The UIDs up to `last` that the change log names since."""
    if not known.highest_modseq:
        return []
    kind = str(Change.Kind.VANISHED)
    texts = fetch(_CHANGED, (known.folder_id, known.highest_modseq, kind))
    return sorted({uid for (text,) in texts for uid in uids_in(text) if uid <= last})


def _read_vanished(folder_id: int, after_modseq: int) -> tuple[list[range], int] | None:
    """What went, and the last MODSEQ at which something did; None when it is not known."""
    if not after_modseq:
        return [], 0
    found = vanished_after(folder_id, after_modseq)
    if found is None:
        return None
    runs = [run for _, text in found for run in runs_in(text)]
    return runs, max((modseq for modseq, _ in found), default=0)
