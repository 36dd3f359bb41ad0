"""Where octets lie: segments on disk and the ranges in them that rows point at."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Segment(models.Model):
    """A file that one process appends to; `name` is relative to the blob store's directory."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    is_sealed = models.BooleanField(_("sealed"), default=False)
    size = models.BigIntegerField(_("size"), default=0, help_text=_("Octets, known once sealed."))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    retired_at = models.DateTimeField(
        _("emptied"),
        null=True,
        help_text=_("When nothing was left in it; the file goes a day later."),
    )

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return self.name


class Blob(models.Model):
    """A run of octets in a segment. It is dead once no foreign key of any model points at it."""

    segment = models.ForeignKey(
        Segment, models.PROTECT, related_name="blobs", db_index=False, verbose_name=_("segment")
    )
    offset = models.BigIntegerField(_("offset"), help_text=_("Of the record's payload, in octets."))
    length = models.BigIntegerField(_("length"), help_text=_("Octets of the payload as stored."))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("blob")
        verbose_name_plural = _("blobs")
        constraints = [
            models.UniqueConstraint(fields=["segment", "offset"], name="blob_place"),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id}:{self.offset}+{self.length}"


class CommitMark(models.Model):
    """One row a committer: the mark of its last batch that kept no octets, written with that batch.

    A commit whose outcome is unknown (connection lost in COMMIT) is repeated only if its mark is
    absent. Rows untouched for a day are of committers that are gone, and are purged.
    """

    id = models.UUIDField(primary_key=True)
    mark = models.UUIDField()
    left_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)
