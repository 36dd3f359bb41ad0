"""What clients note down about folders and about the server (RFC 5464)."""

from django.db import models


class Annotation(models.Model):
    """One entry below `/private` or `/shared`, of a folder or (`folder` None) of the server.

    `mailbox` is whose the entry is: the reader's where it is private, the folder's where it is
    shared. An entry that was removed keeps a row without a value for a while, so that sessions can
    be told which one went.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox", models.CASCADE, related_name="+", db_index=False
    )
    folder = models.ForeignKey(
        "accounts.Folder", models.CASCADE, null=True, related_name="+", db_index=False
    )
    name = models.CharField(max_length=200)
    value = models.BinaryField(null=True)
    modseq = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "folder", "name"], name="annotation_of_folder"
            ),
            models.UniqueConstraint(
                fields=["mailbox", "name"],
                condition=models.Q(folder=None),
                name="annotation_of_server",
            ),
        ]
        indexes = [
            models.Index(fields=["mailbox", "modseq"], name="annotation_mailbox_modseq"),
            models.Index(fields=["folder"], name="annotation_folder"),
        ]

    def __str__(self) -> str:
        return self.name
