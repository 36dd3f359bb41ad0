"""Who else may do what in a folder: one entry of its access control list (RFC 4314)."""

from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _


class FolderRight(models.Model):
    """Rights of one identifier in one folder of `mailbox`.

    Without a folder it is an entry of the mailbox's root, which new top-level folders inherit.
    Without a grantee it is for `anyone`, that is every mailbox of the tenant. It counts only while
    owner and grantee both still belong to `tenant`.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        related_name="given_rights",
        db_index=False,
        verbose_name=_("mailbox"),
    )
    folder = models.ForeignKey(
        "accounts.Folder",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="rights",
        verbose_name=_("folder"),
    )
    tenant = models.ForeignKey(
        "accounts.Tenant",
        models.CASCADE,
        related_name="+",
        db_index=False,
        verbose_name=_("tenant"),
    )
    grantee = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="held_rights",
        verbose_name=_("given to"),
        help_text=_("Nobody in particular: every mailbox of the tenant."),
    )
    is_negative = models.BooleanField(
        _("taken away"), default=False, help_text=_("These rights are denied, whoever gives them.")
    )
    letters = models.CharField(_("rights"), max_length=11, help_text=_("The letters of RFC 4314."))

    class Meta:
        verbose_name = _("right in a folder")
        verbose_name_plural = _("rights in folders")
        constraints = [
            # With 0 for None, which SQL takes for different each time.
            models.UniqueConstraint(
                "mailbox",
                Coalesce("folder", 0),
                Coalesce("grantee", 0),
                "is_negative",
                name="folder_right_entry",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant"],
                condition=models.Q(grantee__isnull=True),
                name="folder_right_anyone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.letters} in folder {self.folder_id}"
