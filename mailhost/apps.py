"""The wiring as a Django app: it holds the `up` command and the checks of the settings."""

from django.apps import AppConfig


class MailhostConfig(AppConfig):
    name = "mailhost"

    def ready(self) -> None:
        from mailhost import checks  # noqa: F401
