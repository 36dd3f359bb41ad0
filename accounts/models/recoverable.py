"""Deleted mail that can still be brought back."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Recoverable(models.Model):
    """What left a folder at once, by EXPUNGE or with the folder, while its domain keeps it.

    It counts for no quota and no reader sees it. `keywords` are the folder's as they were: the
    bits of its messages would mean nothing without the folder. `messages` and `octets` are kept by
    `accounts.mailstore` alone, under the lock of the Mailbox row.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        related_name="recoverable",
        db_index=False,
        verbose_name=_("mailbox"),
    )
    folder = models.ForeignKey(
        "accounts.Folder",
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("folder"),
    )
    folder_name = models.CharField(_("folder's name"), max_length=1000)
    keywords = models.JSONField(_("keywords"), default=list)
    at = models.DateTimeField(_("deleted"))
    messages = models.IntegerField(_("messages"))
    octets = models.BigIntegerField(_("octets"))

    class Meta:
        verbose_name = _("recoverable mail")
        verbose_name_plural = _("recoverable mail")
        indexes = [
            models.Index(fields=["mailbox", "at"], name="recoverable_mailbox_at"),
            # The purge looks for what is oldest, whosever it is.
            models.Index(fields=["at"], name="recoverable_at"),
        ]

    def __str__(self) -> str:
        return f"{self.folder_name}, {self.at:%Y-%m-%d %H:%M}"


class RecoverableEntry(models.Model):
    """What an Entry said of its message, but for the UID, which never comes back.

    The database does not check its keys: it would look each up twice, which doubles what an EXPUNGE
    of thousands costs. They are copied from an Entry in the transaction that deletes it, and `fsck`
    proves them.
    """

    batch = models.ForeignKey(
        Recoverable, models.CASCADE, related_name="entries", db_constraint=False
    )
    message = models.ForeignKey(
        "accounts.Message", models.PROTECT, related_name="+", db_constraint=False
    )
    flags = models.SmallIntegerField()
    keywords = models.BigIntegerField()

    def __str__(self) -> str:
        return f"message {self.message_id} of {self.batch_id}"
