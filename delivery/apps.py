"""The delivery app as Django sees it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DeliveryConfig(AppConfig):
    name = "delivery"
    verbose_name = _("Mail in motion")
    default_auto_field = "django.db.models.BigAutoField"
