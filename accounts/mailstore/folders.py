"""Folders and subscriptions of a mailbox: list, create, delete, rename.

Rules: every name's parents exist (as folders, or as names that only hold others); a UIDVALIDITY is
taken from the mailbox's counter and never used twice, so name and UIDVALIDITY together never mean
two different folders (RFC 9051 §2.3.1.1).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Substr

from accounts import commit
from accounts.counters import INBOX, FolderState
from accounts.mailstore.annotations import forget_folder
from accounts.mailstore.copy import copy_entries, count_in
from accounts.mailstore.expunge import remove_entries
from accounts.mailstore.locked import locked_folder
from accounts.mailstore.names import SEPARATOR, canonical, checked, parents
from accounts.mailstore.picture import Counters
from accounts.mailstore.quota import MAX_FOLDERS, require_folders
from accounts.mailstore.refusals import (
    BadFolderName,
    FolderError,
    FolderExists,
    FolderHasChildren,
    InboxIsFixed,
    NoSuchFolder,
    TooManyFolders,
)
from accounts.models import Blob, Change, Entry, Folder, Mailbox, Subscription, Vanished
from accounts.rows import Rows

__all__ = [
    "BadFolderName",
    "FolderError",
    "FolderExists",
    "FolderHasChildren",
    "FolderInfo",
    "InboxIsFixed",
    "NoSuchFolder",
    "TooManyFolders",
    "create_folder",
    "delete_folder",
    "find_folder",
    "get_folder",
    "list_folders",
    "list_subscriptions",
    "provision",
    "rename_folder",
    "subscribe",
    "take_recent",
    "unsubscribe",
]

# RFC 6154; every new mailbox has them.
FIRST_FOLDERS = (
    (INBOX, ""),
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
    ("Archive", "\\Archive"),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """A folder as it stands. `recent_from_uid`: that UID and those above it are \\Recent."""

    id: int
    mailbox_id: int
    name: str
    special_use: str
    is_selectable: bool
    uidvalidity: int
    uidnext: int
    highest_modseq: int
    recent_from_uid: int
    exists: int
    unseen: int
    octets: int
    keywords: tuple[str, ...]

    @property
    def counters(self) -> Counters:
        """What a picture of the folder is made from."""
        return Counters(
            self.mailbox_id,
            self.uidvalidity,
            self.uidnext,
            self.highest_modseq,
            self.recent_from_uid,
            self.exists,
            self.keywords,
        )


_COLUMNS = (
    "id",
    "mailbox_id",
    "name",
    "special_use",
    "is_selectable",
    "uidvalidity",
    "uidnext",
    "highest_modseq",
    "recent_from_uid",
    "exists_count",
    "unseen_count",
    "octets",
    "keywords",
)


_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM {Folder._meta.db_table} WHERE "  # noqa: S608


def _info(row: tuple[Any, ...]) -> FolderInfo:
    return FolderInfo(*(*row[:-1], tuple(row[-1])))


def _read(condition: str, parameters: Sequence[int | str]) -> FolderInfo | None:
    """One folder, by a written query: SELECT, STATUS and APPEND ask nothing else of note."""
    with connection.cursor() as cursor:
        cursor.execute(_SELECT + condition, parameters)
        row = cursor.fetchone()
    if row is None:
        return None
    keywords = row[-1]
    return _info((*row[:-1], json.loads(keywords) if isinstance(keywords, str) else keywords))


def list_folders(mailbox_id: int) -> list[FolderInfo]:
    """All folders of a mailbox, by name (code point order, the same on every database)."""
    rows = Folder.objects.filter(mailbox_id=mailbox_id).order_by().values_list(*_COLUMNS)
    return sorted((_info(row) for row in rows), key=lambda folder: folder.name)


def find_folder(mailbox_id: int, name: str) -> FolderInfo:
    """The folder of that name. NoSuchFolder."""
    found = _read("mailbox_id = %s AND name = %s", (mailbox_id, canonical(name)))
    if found is None:
        raise NoSuchFolder("There is no folder of that name.")
    return found


def get_folder(folder_id: int) -> FolderInfo:
    """The folder with that id. NoSuchFolder."""
    found = _read("id = %s", (folder_id,))
    if found is None:
        raise NoSuchFolder("The folder no longer exists.")
    return found


def create_folder(mailbox_id: int, name: str, special_use: str = "") -> FolderInfo:
    """Create a folder and the parents it lacks (RFC 9051 §6.3.4).

    InboxIsFixed, FolderExists, BadFolderName, OverQuota.
    """
    name = checked(name)
    if name == INBOX:
        raise InboxIsFixed("INBOX always exists.")
    _run(mailbox_id, partial(_create, mailbox_id, name, special_use))
    return find_folder(mailbox_id, name)


def _create(mailbox_id: int, name: str, special_use: str, rows: Rows) -> int:
    rows.direct()
    existing = dict(
        Folder.objects.filter(mailbox_id=mailbox_id, name__in=[*parents(name), name]).values_list(
            "name", "pk"
        )
    )
    if name in existing:
        return _revive(rows, existing[name], special_use)
    missing = [parent for parent in parents(name) if parent not in existing]
    require_folders(mailbox_id, len(missing) + 1)
    mailbox = rows.mailbox(mailbox_id)
    modseq = rows.modseq(mailbox_id)
    made = Folder.objects.bulk_create(
        Folder(
            mailbox_id=mailbox_id,
            name=each,
            special_use=special_use if each == name else "",
            uidvalidity=mailbox.take_uidvalidity(),
            highest_modseq=modseq,
        )
        for each in (*missing, name)
    )
    for folder in made:
        rows.changed(rows.folder(folder.pk), Change.Kind.FOLDER)
    return made[-1].pk


def _revive(rows: Rows, folder_id: int, special_use: str) -> int:
    """Make a name that only holds others a folder again, with a UIDVALIDITY of its own."""
    folder = rows.folder(folder_id)
    if folder.is_selectable:
        raise FolderExists("There is already a folder of that name.")
    uidvalidity = rows.mailbox(folder.mailbox_id).take_uidvalidity()
    Folder.objects.filter(pk=folder_id).update(
        is_selectable=True, uidvalidity=uidvalidity, special_use=special_use
    )
    folder.is_selectable, folder.uidvalidity = True, uidvalidity
    folder.uidnext = folder.recent_from_uid = 1
    rows.changed(folder, Change.Kind.FOLDER)
    return folder_id


def delete_folder(mailbox_id: int, name: str) -> None:
    """Delete a folder with its entries; with folders below it, its name stays to hold them.

    NoSuchFolder, InboxIsFixed, FolderHasChildren (RFC 9051 §6.3.5).
    """
    name = canonical(name)
    if name == INBOX:
        raise InboxIsFixed("INBOX cannot be deleted.")
    _run(mailbox_id, partial(_delete, mailbox_id, name))


def _delete(mailbox_id: int, name: str, rows: Rows) -> None:
    rows.direct()
    folder = _named(rows, mailbox_id, name)
    has_children = _below(mailbox_id, name).exists()
    if has_children and not folder.is_selectable:
        raise FolderHasChildren("Delete the folders below it first.")
    rows.changed(folder, Change.Kind.FOLDER)
    rows.mailbox(mailbox_id).use(-folder.octets, -folder.exists_count)
    if not has_children:
        Entry.objects.filter(folder_id=folder.id).delete()
        Folder.objects.filter(pk=folder.id).delete()
        rows.forget_folder(folder)
        return
    Entry.objects.filter(folder_id=folder.id).delete()
    Vanished.objects.filter(folder_id=folder.id).delete()
    forget_folder(folder.id)
    Folder.objects.filter(pk=folder.id).update(is_selectable=False, special_use="")
    folder.is_selectable = False
    folder.exists_count = folder.unseen_count = folder.octets = 0


def rename_folder(mailbox_id: int, old: str, new: str) -> None:
    """Rename a folder and all below it. INBOX gives its messages to the new folder and stays.

    NoSuchFolder, FolderExists, BadFolderName, InboxIsFixed, OverQuota (RFC 9051 §6.3.6).
    """
    old, new = canonical(old), checked(new)
    if new == INBOX:
        raise FolderExists("There is already a folder of that name.")
    if old == INBOX:
        _run(mailbox_id, partial(_rename_inbox, mailbox_id, new))
        return
    if new.startswith(old + SEPARATOR):
        raise BadFolderName("A folder cannot be moved below itself.")
    _run(mailbox_id, partial(_rename, mailbox_id, old, new))


def _rename(mailbox_id: int, old: str, new: str, rows: Rows) -> None:
    rows.direct()
    folder = _named(rows, mailbox_id, old)
    if Folder.objects.filter(mailbox_id=mailbox_id, name=new).exists():
        raise FolderExists("There is already a folder of that name.")
    below = list(_below(mailbox_id, old).only("pk", "name"))
    for child in below:
        child.name = checked(new + child.name[len(old) :])
    if above := parents(new):
        top = Folder.objects.filter(mailbox_id=mailbox_id, name=above[-1])
        if not top.exists():
            _create(mailbox_id, above[-1], "", rows)
    Folder.objects.filter(pk=folder.id).update(name=new)
    Folder.objects.bulk_update(below, ["name"], batch_size=200)
    folder.name = new
    rows.changed(folder, Change.Kind.FOLDER)
    for child in below:
        state = rows.folder(child.pk)
        state.name = child.name
        rows.changed(state, Change.Kind.FOLDER)


def _rename_inbox(mailbox_id: int, new: str, rows: Rows) -> None:
    inbox = rows.inbox(mailbox_id)
    target = rows.folder(_create(mailbox_id, new, "", rows))
    found = list(
        Entry.objects.filter(folder_id=inbox.id)
        .order_by("uid")
        .values_list("uid", "flags", "message__size")
    )
    if not found:
        return
    target.keywords = inbox.keywords
    copy_entries(rows, inbox, target, [row[0] for row in found], "keywords")
    count_in(rows, target, found)
    remove_entries(rows, inbox, found)


def take_recent(folder_id: int) -> int:
    """Claim \\Recent for one session: the first UID that is recent for it (and now for no other).

    NoSuchFolder.
    """
    row = Folder.objects.filter(pk=folder_id).values_list(
        "mailbox_id", "recent_from_uid", "uidnext"
    )
    found = row.first()
    if found is None:
        raise NoSuchFolder("The folder no longer exists.")
    mailbox_id, recent, uidnext = found
    if recent == uidnext:
        return recent

    def take(rows: Rows) -> int:
        folder = locked_folder(rows, folder_id)
        first, folder.recent_from_uid = folder.recent_from_uid, folder.uidnext
        return first

    return _run(mailbox_id, take)


def subscribe(mailbox_id: int, name: str) -> None:
    """Subscribe to a name, whether or not a folder has it. BadFolderName, TooManyFolders."""
    name = checked(name)
    if Subscription.objects.filter(mailbox_id=mailbox_id).count() >= MAX_FOLDERS:
        raise TooManyFolders(f"A mailbox has at most {MAX_FOLDERS} subscriptions.")

    def write(rows: Rows) -> None:
        rows.direct()
        Subscription.objects.get_or_create(mailbox_id=mailbox_id, name=name)

    _run(mailbox_id, write)


def unsubscribe(mailbox_id: int, name: str) -> None:
    """Forget a subscription; a name that was none is no error."""

    def write(rows: Rows) -> None:
        rows.direct()
        Subscription.objects.filter(mailbox_id=mailbox_id, name=canonical(name)).delete()

    _run(mailbox_id, write)


def list_subscriptions(mailbox_id: int) -> list[str]:
    """The subscribed names, in code point order."""
    names = Subscription.objects.filter(mailbox_id=mailbox_id).values_list("name", flat=True)
    return sorted(names)


def provision(mailbox_id: int) -> None:
    """Give a new mailbox its first folders, all subscribed, in the caller's own transaction.

    The one write that is no Unit: nobody else can see the mailbox yet.
    """
    with transaction.atomic():
        mailbox = Mailbox.objects.select_for_update().get(pk=mailbox_id)
        first = mailbox.next_uidvalidity
        Folder.objects.bulk_create(
            Folder(mailbox=mailbox, name=name, special_use=use, uidvalidity=first + place)
            for place, (name, use) in enumerate(FIRST_FOLDERS)
        )
        Subscription.objects.bulk_create(
            Subscription(mailbox=mailbox, name=name) for name, _ in FIRST_FOLDERS
        )
        mailbox.next_uidvalidity = first + len(FIRST_FOLDERS)
        mailbox.save(update_fields=["next_uidvalidity"])


def _run(mailbox_id: int, work: Callable[[Rows], T]) -> T:
    def write(rows: Rows, blob: Blob | None) -> T:
        return work(rows)

    return commit.run(commit.Unit(frozenset((mailbox_id,)), write))


def _named(rows: Rows, mailbox_id: int, name: str) -> FolderState:
    key = Folder.objects.filter(mailbox_id=mailbox_id, name=name).values_list("pk", flat=True)
    found = key.first()
    if found is None:
        raise NoSuchFolder("There is no folder of that name.")
    return rows.folder(found)


def _below(mailbox_id: int, name: str) -> QuerySet[Folder]:
    # Not startswith: SQLite's LIKE takes "work/" for "Work/".
    head = name + SEPARATOR
    return (
        Folder.objects.filter(mailbox_id=mailbox_id)
        .alias(head=Substr("name", 1, len(head)))
        .filter(head=head)
    )
