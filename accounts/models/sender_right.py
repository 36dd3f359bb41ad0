"""Who may send mail as a mailbox beside its owner."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SenderRight(models.Model):
    """`grantee` may send as `mailbox`. It counts only while both are of one tenant."""

    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        related_name="senders",
        db_index=False,
        verbose_name=_("mailbox"),
    )
    grantee = models.ForeignKey(
        "accounts.Mailbox", models.CASCADE, related_name="+", verbose_name=_("given to")
    )

    class Meta:
        verbose_name = _("right to send")
        verbose_name_plural = _("rights to send")
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "grantee"], name="sender_right"),
        ]

    def __str__(self) -> str:
        return f"{self.grantee_id} as {self.mailbox_id}"
