"""Delete everything a mailbox holds, in short transactions.

Its octets become dead blobs, which compaction frees.
"""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts import stamps
from accounts.mailstore import search_blocks
from accounts.models import Entry, Folder, Message, Recoverable, RecoverableEntry, Vanished

CHUNK = 2000


def purge_mail(mailbox_id: int) -> None:
    """Delete the mailbox's folders and messages, and what of them could be brought back.

    The mailbox must already take no mail or login.
    """
    for folder_id in list(
        Folder.objects.filter(mailbox_id=mailbox_id).values_list("id", flat=True)
    ):
        _delete(mailbox_id, Entry.objects.filter(folder_id=folder_id))
        with transaction.atomic():
            stamps.change([mailbox_id])
            Vanished.objects.filter(folder_id=folder_id).delete()
            Folder.objects.filter(id=folder_id).delete()
    _delete(mailbox_id, RecoverableEntry.objects.filter(batch__mailbox_id=mailbox_id))
    _delete(mailbox_id, Recoverable.objects.filter(mailbox_id=mailbox_id))
    search_blocks.drop(mailbox_id)
    messages = Message.objects.filter(mailbox_id=mailbox_id)
    while ids := list(messages.values_list("id", flat=True)[:CHUNK]):
        with transaction.atomic():
            Message.objects.filter(id__in=ids).delete()


def _delete(mailbox_id: int, rows: QuerySet[Any]) -> None:
    while ids := list(rows.values_list("id", flat=True)[:CHUNK]):
        some = rows.model._base_manager.filter(id__in=ids)
        with transaction.atomic():
            stamps.change([mailbox_id])
            some._raw_delete(some.db)
