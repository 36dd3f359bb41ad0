"""Folders of a mailbox: create, delete, rename.

Rules: a verb names the mailbox that acts and a folder as that mailbox knows it, perhaps one of
another's (`shared_names`); every name's parents exist (as folders, or as names that only hold
others); a UIDVALIDITY is taken from the mailbox's counter and never used twice, so name and
UIDVALIDITY together never mean two different folders (RFC 9051 §2.3.1.1).
"""

from concurrent.futures import Future
from functools import partial

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat, Substr

from accounts import commit, stamps
from accounts.counters import INBOX, FolderState
from accounts.mailstore import acl, rights, special_uses
from accounts.mailstore.copy import copy_entries, count_in
from accounts.mailstore.deeds import Shown
from accounts.mailstore.expunge import remove_entries
from accounts.mailstore.folder_info import (
    FolderInfo,
    find_at_hand,
    find_folder,
    find_while_valid,
    get_folder,
    list_all_readable,
    list_all_seen,
    list_folders,
)
from accounts.mailstore.locked import locked_with_rights, run_locked
from accounts.mailstore.names import SEPARATOR, parents
from accounts.mailstore.picture import Picture
from accounts.mailstore.places import Place, mailbox_named, place_of
from accounts.mailstore.quota import require_folders
from accounts.mailstore.recording import record
from accounts.mailstore.refusals import (
    BadFolderName,
    FolderExists,
    FolderHasChildren,
    InboxIsFixed,
    NoSuchFolder,
    NotPermitted,
)
from accounts.mailstore.rights import Right
from accounts.mailstore.shared_names import checked_own
from accounts.mailstore.tally import tally
from accounts.models import Change, Entry, Folder, Mailbox, Subscription
from accounts.rows import Rows
from accounts.statements import fetch

__all__ = [
    "FolderInfo",
    "create_folder",
    "delete_folder",
    "find_at_hand",
    "find_folder",
    "find_while_valid",
    "get_folder",
    "give_inbox",
    "list_all_readable",
    "list_all_seen",
    "list_folders",
    "note_shown",
    "provision",
    "rename_folder",
    "take_recent",
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

# By hand, as most sessions ask it twice.
_RECENT = (
    "SELECT mailbox_id, recent_from_uid, uidnext"  # noqa: S608
    f" FROM {Folder._meta.db_table} WHERE id = %s"
)


def create_folder(
    mailbox_id: int, name: str, special_use: str = "", *, is_private: bool = False
) -> FolderInfo:
    """Create a folder and the parents it lacks (RFC 9051 §6.3.4).

    A private one takes over no rights of others from what lies above it.

    FolderExists, BadFolderName, OverQuota, NotPermitted, SpecialUseRefused.
    """
    place = place_of(mailbox_id, name)
    own_name = checked_own(place.name)
    if own_name == INBOX:
        raise FolderExists("INBOX always exists.")
    if special_use and not place.is_own:
        raise NotPermitted("Only its owner gives a folder a special use.")
    run_locked(place.owner, partial(_create_for, place, own_name, special_use, is_private))
    return find_folder(mailbox_id, name, rights.NONE)


def _create_for(place: Place, name: str, special_use: str, is_private: bool, rows: Rows) -> int:
    place.require_create(name)
    return _create(place.owner, name, special_use, rows, is_private=is_private)


def _create(
    mailbox_id: int, name: str, special_use: str, rows: Rows, *, is_private: bool = False
) -> int:
    rows.direct()
    special_uses.require_free(mailbox_id, special_use)
    existing = dict(
        Folder.objects.filter(mailbox_id=mailbox_id, name__in=[*parents(name), name]).values_list(
            "name", "pk"
        )
    )
    parent_id = next((existing[each] for each in reversed(parents(name)) if each in existing), None)
    if name in existing:
        _revive(rows, existing[name], special_use)
        if not is_private:
            acl.inherit(rows, mailbox_id, parent_id, (existing[name],))
        return existing[name]
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
    if not is_private:
        acl.inherit(rows, mailbox_id, parent_id, [folder.pk for folder in made])
    for folder in made:
        rows.changed(rows.folder(folder.pk), Change.Kind.FOLDER)
    return made[-1].pk


def _revive(rows: Rows, folder_id: int, special_use: str) -> None:
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


def delete_folder(mailbox_id: int, name: str) -> None:
    """Delete a folder with its entries; with folders below it, its name stays to hold them.

    NoSuchFolder, InboxIsFixed, FolderHasChildren (RFC 9051 §6.3.5), NotPermitted.
    """
    place = place_of(mailbox_id, name)
    if place.name == INBOX:
        raise InboxIsFixed("INBOX cannot be deleted.")
    run_locked(place.owner, partial(_delete, place), rows=_count(place.owner, place.name))


def _delete(place: Place, rows: Rows) -> None:
    rows.direct()
    mailbox_id, name = place.owner, place.name
    folder = _named(rows, mailbox_id, name)
    rights.require(place.actor, mailbox_id, folder.id, Right.DELETE)
    has_children = _below(mailbox_id, name).exists()
    if has_children and not folder.is_selectable:
        raise FolderHasChildren("Delete the folders below it first.")
    if folder.exists_count:
        record(folder, None, messages=folder.exists_count, octets=folder.octets)
    rows.changed(folder, Change.Kind.FOLDER)
    rows.mailbox(mailbox_id).use(-folder.octets, -folder.exists_count)
    Entry.objects.filter(folder_id=folder.id).delete()
    Folder.objects.filter(pk=folder.id).delete()
    rows.forget_folder(folder)
    if has_children:
        _hold_name(rows, mailbox_id, name)


def _hold_name(rows: Rows, mailbox_id: int, name: str) -> None:
    """Give a name that only holds others a row of its own.

    Never that of the folder before: sessions that have it open go on by its key for a while, and
    would take the UIDs of the next folder of that name for those they know.
    """
    made = Folder.objects.create(
        mailbox_id=mailbox_id,
        name=name,
        is_selectable=False,
        uidvalidity=rows.mailbox(mailbox_id).take_uidvalidity(),
        highest_modseq=rows.modseq(mailbox_id),
    )
    rows.changed(rows.folder(made.pk), Change.Kind.FOLDER)


def rename_folder(mailbox_id: int, old: str, new: str) -> None:
    """Rename a folder and all below it. INBOX gives its messages to the new folder and stays.

    NoSuchFolder, FolderExists, BadFolderName, InboxIsFixed, OverQuota (RFC 9051 §6.3.6),
    NotPermitted.
    """
    # First, so that no answer tells of mailboxes that have shared nothing with this one.
    find_folder(mailbox_id, old, Right.DELETE)
    if mailbox_named(old) != mailbox_named(new):
        raise BadFolderName("A folder stays in the mailbox that it belongs to.")
    place, target = place_of(mailbox_id, old), place_of(mailbox_id, new)
    new = checked_own(target.name)
    if new == INBOX:
        raise FolderExists("There is already a folder of that name.")
    if place.name == INBOX:
        if not place.is_own:
            raise NotPermitted("Only its owner can rename INBOX.")
        work = partial(_rename_inbox, mailbox_id, new)
        run_locked(mailbox_id, work, rows=_count(mailbox_id, INBOX))
        return
    if new.startswith(place.name + SEPARATOR):
        raise BadFolderName("A folder cannot be moved below itself.")
    run_locked(place.owner, partial(_rename, place, new))


def _rename(place: Place, new: str, rows: Rows) -> None:
    rows.direct()
    mailbox_id, old = place.owner, place.name
    folder = _named(rows, mailbox_id, old)
    rights.require(place.actor, mailbox_id, folder.id, Right.DELETE)
    place.require_create(new)
    if Folder.objects.filter(mailbox_id=mailbox_id, name=new).exists():
        raise FolderExists("There is already a folder of that name.")
    below = {
        key: checked_own(new + name[len(old) :])
        for key, name in _below(mailbox_id, old).values_list("pk", "name")
    }
    if above := parents(new):
        top = Folder.objects.filter(mailbox_id=mailbox_id, name=above[-1])
        if not top.exists():
            _create(mailbox_id, above[-1], "", rows)
    # As many statements for a tree of thousands as for one: everybody's mail waits for them.
    _below(mailbox_id, old).update(name=Concat(Value(new), Substr("name", len(old) + 1)))
    Folder.objects.filter(pk=folder.id).update(name=new)
    folder.name = new
    rows.changed(folder, Change.Kind.FOLDER)
    for state in rows.folders_of(list(below)):
        state.name = below[state.id]
        rows.changed(state, Change.Kind.FOLDER)


def _rename_inbox(mailbox_id: int, new: str, rows: Rows) -> None:
    inbox = rows.inbox(mailbox_id)
    target = rows.folder(_create(mailbox_id, new, "", rows))
    found = tally(inbox)
    if not found:
        return
    target.keywords = inbox.keywords
    copy_entries(rows, inbox, target, found.uids, "keywords")
    count_in(rows, target, found)
    remove_entries(rows, inbox, found, is_move=True)


def take_recent(folder_id: int) -> int:
    """Claim \\Recent for one session: the first UID that is recent for it (and now for no other).

    NoSuchFolder.
    """
    found = fetch(_RECENT, (folder_id,))
    if not found:
        raise NoSuchFolder("The folder no longer exists.")
    mailbox_id: int
    recent: int
    mailbox_id, recent, uidnext = found[0]
    if recent == uidnext:
        return recent

    def take(rows: Rows) -> int:
        folder, _ = locked_with_rights(rows, folder_id, mailbox_id, Right.SEEN, is_settled=False)
        first, folder.recent_from_uid = folder.recent_from_uid, folder.uidnext
        rows.tell(folder, Shown())
        return first

    return run_locked(mailbox_id, take)


def note_shown(picture: Picture) -> "Future[None]":
    """Have it kept that a session has shown as \\Recent all that is in a folder's picture.

    The Future raises NoSuchFolder and what a commit raises.
    """

    def note(rows: Rows, blob_id: int | None) -> None:
        folder, _ = locked_with_rights(rows, folder_id, mailbox_id, Right.SEEN, is_settled=False)
        if folder.uidvalidity != picture.uidvalidity:
            raise NoSuchFolder("The folder was made anew.")
        folder.recent_from_uid = max(folder.recent_from_uid, min(picture.uidnext, folder.uidnext))
        rows.tell(folder, Shown())

    mailbox_id, folder_id = picture.mailbox_id, picture.folder_id
    key = frozenset((folder_id,))
    return commit.submit(commit.Unit(frozenset((mailbox_id,)), note, folder_ids=key))


def provision(mailbox_id: int) -> None:
    """Give a new mailbox its first folders, all subscribed, in the caller's own transaction.

    The one write that is no Unit: nobody else can see the mailbox yet. It says so to the stamps.
    """
    with transaction.atomic():
        mailbox = Mailbox.objects.select_for_update().get(pk=mailbox_id)
        stamps.change([mailbox_id])
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


def give_inbox(mailbox_id: int) -> None:
    """Make the INBOX that a damaged mailbox has lost."""

    def write(rows: Rows) -> None:
        if not Folder.objects.filter(mailbox_id=mailbox_id, name=INBOX).exists():
            _create(mailbox_id, INBOX, "", rows)

    run_locked(mailbox_id, write)


def _count(mailbox_id: int, name: str) -> int:
    """About how many messages are in a folder, or 1: what a Unit that touches all of them says."""
    row = Folder.objects.filter(mailbox_id=mailbox_id, name=name)
    return max(row.values_list("exists_count", flat=True).first() or 0, 1)


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
