"""Which messages belong together (RFC 8474 §5.2)."""

from django.db import models


class ThreadedMessage(models.Model):
    """A message's thread: the key of the message that began it. Never changed once it is there."""

    message = models.OneToOneField(
        "accounts.Message", models.CASCADE, primary_key=True, related_name="threaded"
    )
    thread = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["thread"], name="threaded_message_thread")]

    def __str__(self) -> str:
        return f"message {self.message_id} in thread {self.thread}"


class ThreadName(models.Model):
    """A message-id (64 bits of its digest) that a message of a thread has or names.

    Names stay when their message goes, as long as its thread has others: answers still find it.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox", models.CASCADE, related_name="+", db_index=False
    )
    digest = models.BigIntegerField()
    thread = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "digest"], name="thread_name_digest"),
        ]
        indexes = [models.Index(fields=["thread"], name="thread_name_thread")]

    def __str__(self) -> str:
        return f"{self.digest:x} in thread {self.thread}"


class ThreadCursor(models.Model):
    """How far a mailbox's messages, in the order of their keys, have been given threads."""

    mailbox = models.OneToOneField(
        "accounts.Mailbox", models.CASCADE, primary_key=True, related_name="+"
    )
    last_message = models.BigIntegerField()

    def __str__(self) -> str:
        return f"mailbox {self.mailbox_id} up to message {self.last_message}"
