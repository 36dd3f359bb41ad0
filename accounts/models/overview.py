"""What most lists of messages show, in rows of its own."""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class SharedKey(models.OneToOneField):  # type: ignore[type-arg] # generic for the checker only
    """A primary key that is the key of another row.

    SQLite finds a row by a key that it calls an integer, and only by such a one, without an index.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)


class Overview(models.Model):
    """A message's `accounts.mailstore.overview`, apart from the message: these rows are narrow, and
    a list reads thousands of them.
    """

    message = SharedKey("accounts.Message", models.CASCADE, primary_key=True)
    octets = models.BinaryField()

    def __str__(self) -> str:
        return f"overview of message {self.pk}"
