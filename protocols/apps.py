"""The protocols app as Django sees it: it holds commands, pages and templates, no models."""

from django.apps import AppConfig


class ProtocolsConfig(AppConfig):
    name = "protocols"
