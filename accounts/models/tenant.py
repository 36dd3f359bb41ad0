"""The customer organisation; resellers hold other tenants below them."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


class Tenant(models.Model):
    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("short name"), max_length=64, unique=True)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("reseller"),
    )
    is_suspended = models.BooleanField(_("suspended"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Whoever saves a form hears of a loop: what runs down the tree would run for ever."""
        above, passed = self.parent, set[int]()
        while above is not None and self.pk and above.pk not in passed:
            if above.pk == self.pk:
                raise ValidationError({"parent": _("A tenant cannot be below itself.")})
            passed.add(above.pk)
            above = above.parent
