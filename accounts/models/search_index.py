"""The search index of a mailbox: how far it reaches, and blocks of bits that narrow a search."""

from django.db import models


class SearchCursor(models.Model):
    """How far the tailer of the change log has come in one mailbox.

    The texts of messages up to the key `message_id` are kept (`SearchText`), but those too large;
    all of them are when the mailbox's MODSEQ is still `modseq`. A row of another `version` counts
    for nothing.
    """

    mailbox = models.OneToOneField(
        "accounts.Mailbox", models.CASCADE, primary_key=True, related_name="search_cursor"
    )
    version = models.SmallIntegerField()
    message_id = models.BigIntegerField(default=0)
    modseq = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"search cursor of mailbox {self.mailbox_id}: message {self.message_id}"


class SearchBlock(models.Model):
    """Neighbouring messages of one mailbox, indexed together; written once and never changed.

    It stands for every message of the mailbox with a key from `first` to `last`. `keys` are the
    `had` keys there were, as little-endian 64-bit numbers: the n-th is column n of the bits.
    """

    mailbox = models.ForeignKey(
        "accounts.Mailbox", models.CASCADE, related_name="search_blocks", db_index=False
    )
    version = models.SmallIntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    had = models.IntegerField()
    keys = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "last"], name="search_block_last")
        ]

    def __str__(self) -> str:
        return f"search block {self.mailbox_id}: {self.first}-{self.last}"


class SearchBits(models.Model):
    """Some rows of a block's matrix (`accounts.mailstore.search_bits`), compressed (zstd)."""

    block = models.ForeignKey(SearchBlock, models.CASCADE, related_name="bits", db_index=False)
    part = models.SmallIntegerField()
    rows = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["block", "part"], name="search_bits_part")]

    def __str__(self) -> str:
        return f"search bits {self.block_id}/{self.part}"
