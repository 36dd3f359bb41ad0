"""What a large STORE did to flags, until it is written into the entries."""

from django.db import models


class FlagDeed(models.Model):
    """One STORE on one folder: `accounts.flag_deeds` alone writes and reads these rows.

    The entries that `uids` names ("3:5,9") have, since `modseq`, the flags `flags & kept | added`,
    whatever their rows still say.
    """

    folder = models.ForeignKey("accounts.Folder", models.CASCADE, related_name="+")
    modseq = models.BigIntegerField()
    uids = models.TextField()
    kept = models.SmallIntegerField()
    added = models.SmallIntegerField()

    def __str__(self) -> str:
        return f"{self.folder_id}@{self.modseq}: {self.uids}"
