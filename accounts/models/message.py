"""Immutable mail, and its places in folders."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Message(models.Model):
    """The octets a reader sees are `prefix` followed by the blob.

    `prefix` holds this recipient's trace headers; the blob is shared by all recipients and copies.
    The prepared forms are wire bytes of RFC 9051 §7.5.2, made once at delivery.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        related_name="messages",
        db_index=False,
        verbose_name=_("mailbox"),
    )
    blob = models.ForeignKey(
        "accounts.Blob", models.PROTECT, related_name="messages", verbose_name=_("blob")
    )
    prefix = models.BinaryField(default=b"")
    size = models.BigIntegerField(_("size"), help_text=_("RFC822.SIZE: prefix and blob, octets."))
    internal_date = models.BigIntegerField(help_text=_("Unix seconds, UTC."))
    zone_minutes = models.SmallIntegerField(
        default=0, help_text=_("Zone INTERNALDATE was given in.")
    )
    envelope = models.BinaryField()
    bodystructure = models.BinaryField()
    body = models.BinaryField(help_text=_("BODY: the structure without extension data."))
    headers = models.BinaryField(help_text=_("The list view's header fields as received."))
    sent_at = models.BigIntegerField(null=True, help_text=_("The Date field, Unix seconds UTC."))
    # Its first words; NULL in what was delivered before there were previews, until asked for.
    preview = models.TextField(null=True)
    prepared_version = models.SmallIntegerField(default=1)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        # In the order they came: who tails a mailbox asks for those above a key.
        indexes = [models.Index(fields=["mailbox", "id"], name="message_mailbox")]

    def __str__(self) -> str:
        return f"message {self.pk}"


class Entry(models.Model):
    """A message's place in one folder: the only row of mail that is updated often.

    `flags` are the bits of `protocols.wire.imap.flags.Flag`; bit n of `keywords` is the folder's
    n-th keyword.
    """

    folder = models.ForeignKey(
        "accounts.Folder",
        models.CASCADE,
        related_name="entries",
        db_index=False,
        verbose_name=_("folder"),
    )
    message = models.ForeignKey(
        Message, models.PROTECT, related_name="entries", verbose_name=_("message")
    )
    uid = models.BigIntegerField()
    flags = models.SmallIntegerField(default=0)
    keywords = models.BigIntegerField(_("keywords"), default=0)
    modseq = models.BigIntegerField()
    saved_at = models.BigIntegerField(help_text=_("Unix seconds: when it came into this folder."))

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [models.UniqueConstraint(fields=["folder", "uid"], name="entry_uid")]

    def __str__(self) -> str:
        return f"{self.folder_id}/{self.uid}"


class Vanished(models.Model):
    """UIDs that left a folder at one MODSEQ, as a sequence-set ("3:5,9")."""

    folder = models.ForeignKey(
        "accounts.Folder",
        models.CASCADE,
        related_name="vanished",
        db_index=False,
        verbose_name=_("folder"),
    )
    modseq = models.BigIntegerField()
    uids = models.TextField(_("UIDs"))

    class Meta:
        verbose_name = _("vanished entries")
        verbose_name_plural = _("vanished entries")
        indexes = [models.Index(fields=["folder", "modseq"], name="vanished_modseq")]

    def __str__(self) -> str:
        return f"{self.folder_id}@{self.modseq}: {self.uids}"
