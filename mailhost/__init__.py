"""Wiring only: settings, URLs, the Celery app and the supervisor."""
