"""A mail domain of a tenant, its aliases, and the keys that sign for it."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

MAX_RECOVERABLE_DAYS = 3650


class Domain(models.Model):
    """`name` is the A-label form in lower case (`xn--…`), as it stands in DNS."""

    tenant = models.ForeignKey(
        "accounts.Tenant", models.PROTECT, related_name="domains", verbose_name=_("tenant")
    )
    name = models.CharField(_("name"), max_length=255, unique=True)
    alias_of = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alias_domains",
        verbose_name=_("alias of"),
        help_text=_("Mail for any address here goes to the same address in that domain."),
    )
    plus_separator = models.CharField(
        _("detail separator"),
        max_length=1,
        default="+",
        blank=True,
        help_text=_("anna+news@ reaches anna@. Empty switches it off."),
    )
    recoverable_days = models.PositiveSmallIntegerField(
        _("days to undo"),
        default=14,
        validators=[MaxValueValidator(MAX_RECOVERABLE_DAYS)],
        help_text=_("So long can deleted mail be brought back; 0: not at all."),
    )
    is_suspended = models.BooleanField(_("suspended"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DkimKey(models.Model):
    """A signing key (RFC 6376). The private half is sealed (`accounts.sealing`)."""

    class Algorithm(models.TextChoices):
        RSA = "rsa-sha256", "RSA"
        ED25519 = "ed25519-sha256", "Ed25519"

    domain = models.ForeignKey(
        Domain, models.CASCADE, related_name="dkim_keys", verbose_name=_("domain")
    )
    selector = models.CharField(_("selector"), max_length=63)
    algorithm = models.CharField(_("algorithm"), max_length=20, choices=Algorithm.choices)
    private_key_sealed = models.BinaryField(_("private key"), editable=False)
    public_key = models.TextField(_("public key"), help_text=_("Base64, as in the p= tag."))
    is_active = models.BooleanField(_("signs"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="dkimkey_domain_selector"),
        ]

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"
