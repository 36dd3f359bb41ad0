"""A rule of the switchboard: what a mail program that cannot cope with a capability is spared."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ClientRule(models.Model):
    """Whom it is about: a program, by what it says of itself (RFC 2971), a mailbox, or both.

    `field` is one of ID's, in lower case; empty: any of them.
    """

    name = models.CharField(
        _("name"), max_length=100, unique=True, help_text=_("What is broken, for your colleagues.")
    )
    field = models.CharField(
        _("field of ID"),
        max_length=30,
        blank=True,
        default="name",
        help_text=_("Such as name, version, vendor or os (RFC 2971). Empty: any field."),
    )
    value = models.CharField(
        _("the program says"),
        max_length=200,
        blank=True,
        help_text=_("Upper and lower case are the same. Empty: every program of the mailbox."),
    )
    is_exact = models.BooleanField(
        _("exactly this"), default=False, help_text=_("Otherwise this may be a part of it.")
    )
    mailbox = models.ForeignKey(
        "accounts.Mailbox",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="client_rules",
        verbose_name=_("mailbox"),
        help_text=_("Empty: every mailbox."),
    )
    capabilities = models.CharField(
        _("capabilities masked"),
        max_length=500,
        help_text=_("Separated by spaces, such as COMPRESS=DEFLATE QRESYNC."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("client rule")
        verbose_name_plural = _("client rules")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(value="") | models.Q(mailbox__isnull=False),
                name="clientrule_about_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def program(self) -> str:
        """The program's part of the rule as it is typed: `name~outlook`, `name=Outlook`."""
        if not self.value:
            return ""
        return f"{self.field or '*'}{'=' if self.is_exact else '~'}{self.value}"
