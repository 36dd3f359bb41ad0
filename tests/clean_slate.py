"""An empty database and no memory of it, in milliseconds: what stands between two threaded tests.

Django's own flush makes content types and permissions anew each time, which takes longer than most
of our tests.
"""

import sys
from functools import cache
from operator import attrgetter

import redis
from django.conf import settings
from django.db import connection, transaction

# Threads to end and memories to lose, in this order, where the module has been imported.
_HOOKS = (
    ("accounts.commit", "reset"),
    ("accounts.effects", "wait_idle"),
    ("accounts.directory.version", "forget"),
    ("accounts.directory.switchboard", "forget"),
    ("accounts.mailstore.catalog", "forget"),
    ("accounts.mailstore.index", "forget"),
    ("accounts.mailstore.folder_info", "forget"),
    ("accounts.mailstore.lately", "forget"),
    ("accounts.mailstore.search_fields", "forget"),
    ("accounts.mailstore.search_recent", "forget"),
    ("accounts.login", "forget"),
    ("protocols.servers.imap.kept_lists", "forget"),
)
_KEPT = {"django_content_type", "auth_permission"}


def forget() -> None:
    """Let every thread end and every cache be empty."""
    for module, path in _HOOKS:
        if module in sys.modules:
            attrgetter(path)(sys.modules[module])()
    if settings.MAILHOST.redis_url and "accounts.login" in sys.modules:
        client = _redis()
        if keys := client.keys("mailhost:login:*"):
            client.delete(*keys)


def wipe() -> None:
    """Delete every row of ours."""
    forget()
    with (
        connection.constraint_checks_disabled(),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        statements = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in _tables()]
        if connection.vendor == "postgresql":
            # One journey instead of forty.
            statements = [";".join(statements)]
        for statement in statements:
            cursor.execute(statement)


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.MAILHOST.redis_url)


@cache
def _tables() -> tuple[str, ...]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(names) - _KEPT))
