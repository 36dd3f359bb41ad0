"""The wiring as Django apps: the `up` command with the checks of the settings, and the admin."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks
from django.core.checks import CheckMessage


class MailhostConfig(AppConfig):
    name = "mailhost"

    def ready(self) -> None:
        from mailhost import checks  # noqa: F401


class AdminConfig(SimpleAdminConfig):
    """Its pages are loaded with the addresses of the web (`mailhost.urls`), not by who has none.

    Commands and workers start in four fifths of the time without them.
    """

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(app_configs: Any, **how: Any) -> list[CheckMessage]:
    import_module(settings.ROOT_URLCONF)
    found: list[CheckMessage] = check_admin_app(app_configs, **how)
    return found
