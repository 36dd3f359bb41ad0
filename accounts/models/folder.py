"""A folder of a mailbox: what RFC 9051 calls a mailbox."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Folder(models.Model):
    """`name` is the whole path in Unicode with "/" between levels; INBOX is always so spelt.

    Counters are kept by `accounts.mailstore` alone, under the lock of the Mailbox row.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        related_name="folders",
        db_index=False,
        verbose_name=_("mailbox"),
    )
    name = models.CharField(_("name"), max_length=1000)
    special_use = models.CharField(
        _("special use"), max_length=16, blank=True, help_text=_("RFC 6154, e.g. \\Sent.")
    )
    is_selectable = models.BooleanField(_("holds messages"), default=True)
    uidvalidity = models.BigIntegerField(default=1, editable=False)
    uidnext = models.BigIntegerField(default=1, editable=False)
    highest_modseq = models.BigIntegerField(default=1, editable=False)
    # What happened up to here may be forgotten (`accounts.mailstore.history`).
    pruned_modseq = models.BigIntegerField(default=0, editable=False)
    recent_from_uid = models.BigIntegerField(default=1, editable=False)
    exists_count = models.BigIntegerField(_("messages"), default=0, editable=False)
    unseen_count = models.BigIntegerField(_("unseen"), default=0, editable=False)
    octets = models.BigIntegerField(_("octets"), default=0, editable=False)
    keywords = models.JSONField(
        _("keywords"),
        default=list,
        editable=False,
        help_text=_("Keyword names; the place is the bit in Entry."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "name"], name="folder_name"),
        ]

    def __str__(self) -> str:
        return self.name


class FolderSnapshot(models.Model):
    """The folder's index arrays at one MODSEQ: a cache that loads 100,000 messages at once."""

    folder = models.OneToOneField(Folder, models.CASCADE, primary_key=True, related_name="snapshot")
    modseq = models.BigIntegerField()
    arrays = models.BinaryField()


class Subscription(models.Model):
    """A subscribed name. It may outlive its folder (RFC 9051 §6.3.7)."""

    mailbox = models.ForeignKey(
        "accounts.Mailbox", models.CASCADE, related_name="subscriptions", db_index=False
    )
    name = models.CharField(max_length=1000)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "name"], name="subscription_name"),
        ]

    def __str__(self) -> str:
        return self.name
