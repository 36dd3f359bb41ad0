"""The change log: what happened to mail, in order, for tailers that keep a cursor."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Change(models.Model):
    """One row a folder, kind and commit; `uids` are those it touched, as "3:5,9".

    Readers do not look here for what came: it is above the highest UID they know. So on the
    embedded database there is no row of it.

    Rows are pruned when they are old. Readers ask those above the MODSEQ they know; where that is
    below `Folder.pruned_modseq`, they read the folder itself. So Entry needs no index by MODSEQ,
    which would cost a third of every STORE.
    """

    class Kind(models.TextChoices):
        APPENDED = "appended"
        FLAGS = "flags"
        VANISHED = "vanished"
        FOLDER = "folder"

    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        related_name="+",
        db_index=False,
        verbose_name=_("mailbox"),
    )
    folder = models.ForeignKey(
        "accounts.Folder",
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("folder"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    modseq = models.BigIntegerField()
    uids = models.TextField(_("UIDs"), default="")
    at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [
            models.Index(fields=["mailbox", "modseq"], name="change_mailbox_modseq"),
            models.Index(fields=["folder", "modseq"], name="change_folder_modseq"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.folder_id}@{self.modseq}"
