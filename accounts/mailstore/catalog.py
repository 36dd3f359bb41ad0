"""Keep catalogs of mailboxes: own folders and subscriptions at one moment, shared by watchers.

`catalog` answers with the state of the database: one small query where nothing changed, else the
folders above the known MODSEQ, and everything where the change log says that names changed. A
catalog lives as long as somebody holds it.

A `Sight` adds the folders of others that the mailbox may look up. What somebody else shares is not
in the mailbox's own log, so those are read each time, by one query, with the rights as they are.

Invariant: a catalog is at least as new as its MODSEQ; rows read later than the counter are kept,
and found unchanged the next time.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from django.db.models import Exists, Q

from accounts.mailstore.folder_info import (
    FolderInfo,
    changed_folders,
    list_folders,
    list_others_seen,
)
from accounts.mailstore.subscriptions import list_subscriptions
from accounts.models import Change, Mailbox


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Catalog:
    """A mailbox's own folders by key, and the names it is subscribed to; it never changes."""

    mailbox_id: int
    modseq: int
    folders: Mapping[int, FolderInfo]
    subscribed: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What one mailbox sees at one moment: its own catalog, and folders of others by key."""

    own: Catalog
    others: Mapping[int, FolderInfo]
    folders: Mapping[int, FolderInfo]

    @property
    def subscribed(self) -> frozenset[str]:
        """The names that the mailbox is subscribed to, its own and others'."""
        return self.own.subscribed


_lock = threading.Lock()
_catalogs: WeakValueDictionary[int, Catalog] = WeakValueDictionary()


def catalog(mailbox_id: int, known: Catalog | None = None) -> Catalog:
    """The mailbox as the database has it now; `known` is the newest that the caller has."""
    modseq = highest_modseq(mailbox_id)
    with _lock:
        shared = _catalogs.get(mailbox_id)
    newest = max(filter(None, (shared, known)), key=lambda each: each.modseq, default=None)
    if newest is not None and newest.modseq == modseq:
        return newest
    fresh = _read(mailbox_id, modseq, newest)
    with _lock:
        shared = _catalogs.get(mailbox_id)
        if shared is None or shared.modseq < modseq:
            _catalogs[mailbox_id] = fresh
    return fresh


def sight(mailbox_id: int, known: Sight | None = None, *, with_others: bool) -> Sight:
    """What the mailbox sees now; `known` itself where nothing is new."""
    own = catalog(mailbox_id, known.own if known else None)
    if not with_others:
        return known if known and known.own is own else Sight(own, {}, own.folders)
    found = {folder.id: folder for folder in list_others_seen(mailbox_id)}
    if known and known.own is own and known.others == found:
        return known
    before = known.others if known else {}
    # What did not change is the same object, as in a catalog.
    others = {
        key: before[key] if before.get(key) == folder else folder for key, folder in found.items()
    }
    return Sight(own, others, {**own.folders, **others})


def highest_modseq(mailbox_id: int) -> int:
    """The MODSEQ of the newest change in the mailbox; 0 when the mailbox is gone."""
    found = Mailbox.objects.filter(pk=mailbox_id).values_list("highest_modseq", flat=True).first()
    return found or 0


def _read(mailbox_id: int, modseq: int, known: Catalog | None) -> Catalog:
    if known is None or _has_new_names(mailbox_id, known.modseq):
        found = {folder.id: folder for folder in list_folders(mailbox_id)}
        subscribed = frozenset(list_subscriptions(mailbox_id))
        return Catalog(mailbox_id, modseq, found, subscribed)
    changed = changed_folders(mailbox_id, known.modseq)
    merged = {**known.folders, **{folder.id: folder for folder in changed}}
    return Catalog(mailbox_id, modseq, merged, known.subscribed)


def _has_new_names(mailbox_id: int, after_modseq: int) -> bool:
    """Whether names may have changed; what was pruned may have said so."""
    log = Change.objects.filter(mailbox_id=mailbox_id, modseq__gt=after_modseq)
    says_so = Exists(log.filter(kind=Change.Kind.FOLDER)) | Q(pruned_modseq__gt=after_modseq)
    return Mailbox.objects.filter(says_so, pk=mailbox_id).exists()


def forget() -> None:
    """Drop every catalog of this process (between tests)."""
    with _lock:
        _catalogs.clear()
