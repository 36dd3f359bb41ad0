"""The delivery app as Django sees it."""

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"
    verbose_name = "Mail in motion"
    default_auto_field = "django.db.models.BigAutoField"
