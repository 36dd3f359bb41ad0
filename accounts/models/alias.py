"""An address that stores nothing itself and hands mail on to one or many targets."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Alias(models.Model):
    """An empty `local_part` is the domain's catch-all."""

    domain = models.ForeignKey(
        "accounts.Domain", models.CASCADE, related_name="aliases", verbose_name=_("domain")
    )
    local_part = models.CharField(
        _("local part"),
        max_length=255,
        blank=True,
        help_text=_("In lower case. Empty: every address of the domain that is not taken."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        ordering = ["domain__name", "local_part"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "local_part"], name="alias_address"),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def address(self) -> str:
        return f"{self.local_part or '*'}@{self.domain.name}"


class AliasTarget(models.Model):
    """Where an alias leads: a mailbox of ours (by key), or any other address (by name)."""

    alias = models.ForeignKey(
        Alias, models.CASCADE, related_name="targets", verbose_name=_("alias")
    )
    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alias_targets",
        verbose_name=_("mailbox"),
    )
    forward_to = models.CharField(_("other address"), max_length=320, blank=True)

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        constraints = [
            models.CheckConstraint(
                condition=(
                    models.Q(mailbox__isnull=False, forward_to="")
                    | (models.Q(mailbox__isnull=True) & ~models.Q(forward_to=""))
                ),
                name="aliastarget_one_of",
            ),
        ]

    def __str__(self) -> str:
        return self.forward_to or str(self.mailbox)
