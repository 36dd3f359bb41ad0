"""Wiring only: settings, URLs, the Celery app and the supervisor."""

from mailhost.celery import app as celery_app

__all__ = ["celery_app"]
