"""What time it is for all hosts: what one claims or locks must not have run out on another."""

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """The time of the clock that all hosts share: the database server's, where there is one."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
