"""Delete everything a mailbox holds, in short transactions.

Its octets become dead blobs, which compaction frees.
"""

from django.db import transaction

from accounts.models import Entry, Folder, Message, Vanished

CHUNK = 2000


def purge_mail(mailbox_id: int) -> None:
    """Delete the mailbox's folders and messages. The mailbox must already take no mail or login."""
    for folder_id in list(
        Folder.objects.filter(mailbox_id=mailbox_id).values_list("id", flat=True)
    ):
        entries = Entry.objects.filter(folder_id=folder_id)
        while ids := list(entries.values_list("id", flat=True)[:CHUNK]):
            with transaction.atomic():
                Entry.objects.filter(id__in=ids)._raw_delete("default")
        with transaction.atomic():
            Vanished.objects.filter(folder_id=folder_id).delete()
            Folder.objects.filter(id=folder_id).delete()
    messages = Message.objects.filter(mailbox_id=mailbox_id)
    while ids := list(messages.values_list("id", flat=True)[:CHUNK]):
        with transaction.atomic():
            Message.objects.filter(id__in=ids).delete()
