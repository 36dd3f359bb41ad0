"""The mark that tells every process its cached directory answers have grown old."""

from django.db import models


class DirectoryVersion(models.Model):
    """One row. `token` is random, so that no two states ever carry the same one.

    The next mailbox begins above `last_uidvalidity` (`accounts.directory.uidvalidity`).
    """

    token = models.BigIntegerField()
    last_uidvalidity = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.token:x}"
