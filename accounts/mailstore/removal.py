"""Delete everything a mailbox holds, in short transactions.

Each leaves the mail store consistent: who is killed between two of them has deleted a part. Octets
become dead blobs, which compaction frees.
"""

from collections.abc import Callable

from django.db import transaction
from django.db.models import F

from accounts import flag_deeds, stamps
from accounts.key_lists import listed
from accounts.mailstore import search_blocks
from accounts.mailstore.flags import Flag
from accounts.mailstore.recovery import drop_entries
from accounts.models import (
    Change,
    Entry,
    Folder,
    Mailbox,
    Message,
    Recoverable,
    RecoverableEntry,
    Vanished,
)

CHUNK = 2000


def purge_mail(mailbox_id: int, progress: Callable[[str], None]) -> None:
    """Delete the mailbox's folders and messages, and what of them could be brought back.

    The mailbox must take no mail or login any more, and must never be restored.
    """
    _forget_changes(mailbox_id)
    taken = deleted = 0
    folders = Folder.objects.filter(mailbox_id=mailbox_id).order_by("id")
    for folder_id in list(folders.values_list("id", flat=True)):
        while count := _delete_entries(mailbox_id, folder_id):
            taken += count
            progress(f"{taken} messages taken from their folders")
        with transaction.atomic():
            stamps.change([mailbox_id])
            Vanished.objects.filter(folder_id=folder_id).delete()
            Folder.objects.filter(id=folder_id).delete()
    while _forget_deleted(mailbox_id):
        pass
    Recoverable.objects.filter(mailbox_id=mailbox_id).delete()
    search_blocks.drop(mailbox_id)
    messages = Message.objects.filter(mailbox_id=mailbox_id)
    while ids := list(messages.values_list("id", flat=True)[:CHUNK]):
        with transaction.atomic():
            Message.objects.filter(id__in=ids).delete()
        deleted += len(ids)
        progress(f"{deleted} messages deleted")


def _forget_changes(mailbox_id: int) -> None:
    """Delete its change log, which would go with a folder, and with the mailbox, all at once."""
    changes = Change.objects.filter(mailbox_id=mailbox_id).order_by()
    while keys := list(changes.values_list("id", flat=True)[:CHUNK]):
        some = Change.objects.filter(id__in=listed(keys))
        some._raw_delete(some.db)


@transaction.atomic
def _delete_entries(mailbox_id: int, folder_id: int) -> int:
    """Delete a part of a folder's entries; how many."""
    _lock(mailbox_id)
    flag_deeds.settle(folder_id)
    entries = Entry.objects.filter(folder_id=folder_id).order_by("id")
    rows = list(entries.values_list("id", "flags", "message__size")[:CHUNK])
    some = Entry.objects.filter(id__in=[key for key, _flags, _size in rows])
    some._raw_delete(some.db)
    octets = sum(size for _key, _flags, size in rows)
    Folder.objects.filter(id=folder_id).update(
        exists_count=F("exists_count") - len(rows),
        unseen_count=F("unseen_count") - sum(not flags & Flag.SEEN for _key, flags, _size in rows),
        octets=F("octets") - octets,
    )
    Mailbox.objects.filter(id=mailbox_id).update(
        used_messages=F("used_messages") - len(rows), used_bytes=F("used_bytes") - octets
    )
    return len(rows)


@transaction.atomic
def _forget_deleted(mailbox_id: int) -> int:
    """Delete a part of what could be brought back; how many messages."""
    _lock(mailbox_id)
    kept = RecoverableEntry.objects.filter(batch__mailbox_id=mailbox_id).order_by("id")
    return drop_entries(list(kept.values_list("id", flat=True)[:CHUNK]))


def _lock(mailbox_id: int) -> None:
    """As a commit does."""
    Mailbox.objects.select_for_update().only("id").filter(id=mailbox_id).order_by("id").first()
    stamps.change([mailbox_id])
