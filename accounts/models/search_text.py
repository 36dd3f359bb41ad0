"""What SEARCH has read of a message."""

from django.db import models


class SearchText(models.Model):
    """A message's words as SEARCH compares them: a cache, made when a search first needs it.

    Folded pieces of text with NUL between them, as UTF-8, compressed (zstd). `version` is that of
    the folding; a row of another version counts for nothing and is written anew.
    """

    message = models.OneToOneField(
        "accounts.Message", models.CASCADE, primary_key=True, related_name="search_text"
    )
    version = models.SmallIntegerField()
    header = models.BinaryField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"search text of message {self.message_id}"
