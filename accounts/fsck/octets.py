"""Every segment, every blob and every size, and what nothing needs any more."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, F, Model
from django.db.models.functions import Length

from accounts import blobs
from accounts.blobs import BlobMissing, Place
from accounts.blobs.garbage import is_dead
from accounts.fsck.findings import CHUNK, Finding, Progress
from accounts.mailstore.leftovers import is_unplaced
from accounts.models import Blob, Message, Segment

SETTLED_AFTER = timedelta(hours=1)


def check_segments(progress: Progress) -> Iterator[Finding]:
    progress("segments")
    rows = Segment.objects.filter(retired_at=None).annotate(count=Count("blobs"))
    for name, is_sealed, size, count in rows.values_list("name", "is_sealed", "size", "count"):
        try:
            found = (blobs.directory() / name).stat().st_size
        except FileNotFoundError:
            if count:
                yield Finding("segment", f"{name} is missing; {count} blobs lie in it.")
            continue
        if is_sealed and found < size:
            yield Finding("segment", f"{name} has {found} octets and should have {size}.")


def check_blobs(progress: Progress) -> Iterator[Finding]:
    rows = Blob.objects.order_by("segment_id", "offset")
    columns = ("segment_id", "offset", "length", "pk")
    for number, row in enumerate(rows.values_list(*columns).iterator(CHUNK), 1):
        place = Place(*row)
        try:
            blobs.checked_read(place)
        except BlobMissing as error:
            # Compaction or the collector may have been quicker.
            now = Blob.objects.filter(pk=place.blob_id).values_list(*columns).first()
            if now == row:
                yield Finding("blob", f"Blob {place.blob_id}: {error}.")
        if number % 10_000 == 0:
            progress(f"{number} blobs proved")


def _models_with_octets() -> Iterator[type[Model]]:
    """Models whose rows are a prefix and a blob, of a known size together."""
    for relation in Blob._meta.related_objects:
        names = {field.name for field in relation.related_model._meta.concrete_fields}
        if {"prefix", "size"} <= names and relation.field.name == "blob":
            yield relation.related_model


def check_sizes(progress: Progress) -> Iterator[Finding]:
    progress("sizes")
    for model in _models_with_octets():
        name = str(model._meta.verbose_name)
        wrong = model._base_manager.alias(octets=Length("prefix") + F("blob__length"))
        for key, size in wrong.exclude(size=F("octets")).values_list("pk", "size").iterator(CHUNK):
            yield Finding("size", f"{name} {key} says {size} octets, which its parts are not.")


def check_leftovers(progress: Progress) -> Iterator[Finding]:
    progress("leftovers")
    unplaced = Message.objects.filter(is_unplaced()).count()
    if unplaced:
        yield Finding("leftover", f"{unplaced} messages are in no folder.", is_fault=False)
    dead = Blob.objects.filter(is_dead()).count()
    if dead:
        yield Finding("leftover", f"{dead} blobs are needed by no row.", is_fault=False)
    for path in blobs.leftovers(SETTLED_AFTER):
        name = path.relative_to(blobs.directory())
        yield Finding("leftover", f"{name} belongs to no row.", is_fault=False)
