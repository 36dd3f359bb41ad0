"""A bearer token that opens a mailbox over IMAP, POP3 and submission (RFC 7628)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AccessToken(models.Model):
    """Only its digest is kept; the token itself was shown once."""

    mailbox = models.ForeignKey(
        "accounts.Mailbox", models.CASCADE, related_name="access_tokens", verbose_name=_("mailbox")
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.CharField(_("for"), max_length=100)
    label = models.CharField(_("label"), max_length=100, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")

    def __str__(self) -> str:
        return f"{self.mailbox} · {self.label}".strip(" ·")
