"""What SORT and THREAD have read of a message."""

from django.db import models


class SortKeys(models.Model):
    """What a message is sorted and threaded by: a cache, made when somebody first needs it.

    Texts are folded, as UTF-8. `names` are message-ids as `thread_names.packed` makes them.
    `version` is that of the folding; a row of another version counts for nothing and is written
    anew.
    """

    message = models.OneToOneField(
        "accounts.Message", models.CASCADE, primary_key=True, related_name="sort_keys"
    )
    version = models.SmallIntegerField()
    is_reply = models.BooleanField()
    subject = models.BinaryField()
    sender = models.BinaryField()
    sender_name = models.BinaryField()
    recipient = models.BinaryField()
    recipient_name = models.BinaryField()
    copied = models.BinaryField()
    names = models.BinaryField()

    def __str__(self) -> str:
        return f"sort keys of message {self.message_id}"
