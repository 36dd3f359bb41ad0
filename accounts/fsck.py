"""Prove the mail store: every row's octets, every key, every counter, every file.

Findings are values. A fault is something a crash cannot explain; a leftover is what a crash (or a
removal) leaves behind by design, and the collector frees it. The server may run meanwhile: what
looks wrong is looked at again under the mailbox's lock.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    ForeignKey,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Length

from accounts import blobs, flag_deeds, stamps
from accounts.blobs import BlobMissing, Place
from accounts.blobs.garbage import is_dead
from accounts.mailstore import (
    overview,
    search_blocks,
    search_index,
    search_tailer,
    settling,
    sort_kept,
)
from accounts.mailstore.flags import Flag
from accounts.mailstore.leftovers import is_unplaced
from accounts.models import (
    Blob,
    Entry,
    Folder,
    Mailbox,
    Message,
    Recoverable,
    RecoverableEntry,
    SearchBlock,
    Segment,
    Vanished,
)
from protocols.wire.message import PREPARED_VERSION, prepare

Progress = Callable[[str], None]

CHUNK = 500
SETTLED_AFTER = timedelta(hours=1)

_PREPARED = (
    "envelope",
    "bodystructure",
    "body",
    "headers",
    "sent_at",
    "preview",
    "prepared_version",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what kind, a sentence for the operator, and whether it was repaired."""

    kind: str
    text: str
    is_fault: bool = True
    is_repaired: bool = False


def check(progress: Progress, *, is_repairing: bool = False) -> Iterator[Finding]:
    """Look at everything; counters and the search index are put right with `is_repairing`."""
    return chain(
        _check_segments(progress),
        _check_blobs(progress),
        _check_keys(progress),
        _check_sizes(progress),
        _check_folders(progress, is_repairing=is_repairing),
        _check_mailboxes(progress, is_repairing=is_repairing),
        _check_recoverable(progress, is_repairing=is_repairing),
        _check_search(progress, is_repairing=is_repairing),
        _check_leftovers(progress),
    )


def prepare_again(progress: Progress) -> int:
    """Renew the prepared forms that an older version made; returns how many."""
    renewed = 0
    last = 0
    columns = (
        "pk",
        "size",
        "internal_date",
        "zone_minutes",
        "prefix",
        "blob__segment_id",
        "blob__offset",
        "blob__length",
        "blob_id",
    )
    while True:
        old = Message.objects.filter(prepared_version__lt=PREPARED_VERSION, pk__gt=last)
        rows = list(old.order_by("pk").values_list(*columns)[:CHUNK])
        if not rows:
            return renewed
        last = rows[-1][0]
        messages = []
        overviews: dict[int, bytes | None] = {}
        for key, size, seconds, zone, prefix, *place in rows:
            try:
                # What was put on top at delivery is part of what its readers see.
                prepared = prepare(blobs.view(Place(*place)), prefix=bytes(prefix))
            except BlobMissing:
                continue
            overviews[key] = overview.pack(prepared, size=size, seconds=seconds, zone_minutes=zone)
            messages.append(
                Message(
                    pk=key,
                    envelope=prepared.envelope,
                    bodystructure=prepared.bodystructure,
                    body=prepared.body,
                    headers=prepared.headers,
                    sent_at=prepared.sent_at,
                    preview=prepared.preview,
                    prepared_version=prepared.version,
                )
            )
        Message.objects.bulk_update(messages, _PREPARED, batch_size=50)
        overview.renew(overviews)
        sort_kept.forget([message.pk for message in messages])
        renewed += len(messages)
        progress(f"{renewed} messages prepared again")


def _check_segments(progress: Progress) -> Iterator[Finding]:
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


def _check_blobs(progress: Progress) -> Iterator[Finding]:
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


def _check_keys(progress: Progress) -> Iterator[Finding]:
    """A row whose other half is gone has no octets, or keeps some that nobody can reach."""
    progress("keys")
    for model in apps.get_models(include_auto_created=True):
        name = str(model._meta.verbose_name)
        for field in model._meta.concrete_fields:
            if not isinstance(field, ForeignKey) or not model._meta.managed:
                continue
            target = field.related_model
            there = target._base_manager.filter(
                **{field.target_field.name: OuterRef(field.attname)}
            )
            lost = model._base_manager.exclude(**{field.attname: None}).filter(~Exists(there))
            for key, wanted in lost.values_list("pk", field.attname).iterator(CHUNK):
                what = f"{target._meta.verbose_name} {wanted}"
                yield Finding("key", f"{name} {key} belongs to {what}, which is not there.")


def _models_with_octets() -> Iterator[type[Model]]:
    """Models whose rows are a prefix and a blob, of a known size together."""
    for relation in Blob._meta.related_objects:
        names = {field.name for field in relation.related_model._meta.concrete_fields}
        if {"prefix", "size"} <= names and relation.field.name == "blob":
            yield relation.related_model


def _check_sizes(progress: Progress) -> Iterator[Finding]:
    progress("sizes")
    for model in _models_with_octets():
        name = str(model._meta.verbose_name)
        wrong = model._base_manager.alias(octets=Length("prefix") + F("blob__length"))
        for key, size in wrong.exclude(size=F("octets")).values_list("pk", "size").iterator(CHUNK):
            yield Finding("size", f"{name} {key} says {size} octets, which its parts are not.")
    strangers = Entry.objects.exclude(message__mailbox_id=F("folder__mailbox_id"))
    for key in strangers.values_list("pk", flat=True).iterator(CHUNK):
        yield Finding("entry", f"Entry {key} holds a message of another mailbox.")


_COUNTED = ("exists_count", "unseen_count", "octets")


def _last_vanished(only: int | None) -> dict[int, tuple[int, int]]:
    """The highest UID and MODSEQ that left each folder: neither may be given out again."""
    rows = Vanished.objects.all() if only is None else Vanished.objects.filter(folder_id=only)
    last: dict[int, tuple[int, int]] = {}
    for folder_id, modseq, uids in rows.values_list("folder_id", "modseq", "uids").iterator(CHUNK):
        uid = int(uids.replace(":", ",").rpartition(",")[2])
        was = last.get(folder_id, (0, 0))
        last[folder_id] = max(uid, was[0]), max(modseq, was[1])
    return last


def _wrong_folders(only: int | None = None) -> Iterator[tuple[Folder, dict[str, int]]]:
    """Folders whose counters are wrong, with what those should be."""
    entries, folders = Entry.objects.all(), Folder.objects.all()
    if only is not None:
        entries, folders = entries.filter(folder_id=only), folders.filter(pk=only)
    is_unseen = When(seen=0, then=Value(1))
    counted = (
        entries.order_by()
        .alias(seen=F("flags").bitand(Flag.SEEN))
        .values("folder_id")
        .annotate(count=Count("pk"), unseen=Count(Case(is_unseen)), octets=Sum("message__size"))
        .annotate(uid=Max("uid"), modseq=Max("modseq"))
        .values_list("folder_id", "count", "unseen", "octets", "uid", "modseq")
    )
    found: dict[int, tuple[int, ...]] = {row[0]: tuple(row[1:]) for row in counted}
    vanished = _last_vanished(only)
    for folder in folders.order_by("pk").iterator(CHUNK):
        count, unseen, octets, uid, modseq = found.get(folder.pk, (0, 0, 0, 0, 0))
        gone_uid, gone_modseq = vanished.get(folder.pk, (0, 0))
        should = {
            "exists_count": count,
            "unseen_count": unseen,
            "octets": octets,
            "uidnext": max(folder.uidnext, uid + 1, gone_uid + 1),
            "highest_modseq": max(folder.highest_modseq, modseq, gone_modseq),
        }
        wrong = {name: value for name, value in should.items() if getattr(folder, name) != value}
        if wrong:
            yield folder, wrong


def _check_folders(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
    progress("folders")
    settling.settle_all()
    for suspect, _ in list(_wrong_folders()):
        found: list[Finding] = []
        with transaction.atomic():
            Mailbox.objects.select_for_update().filter(pk=suspect.mailbox_id).first()
            if flag_deeds.left(suspect.pk):
                stamps.change([suspect.mailbox_id])
                flag_deeds.settle(suspect.pk)
            for folder, wrong in _wrong_folders(suspect.pk):
                if is_repairing:
                    stamps.change([suspect.mailbox_id])
                    Folder.objects.filter(pk=folder.pk).update(**wrong)
                what = f"Folder {folder.pk} ({folder.name})"
                found += _counter_findings(what, folder, wrong, is_repaired=is_repairing)
        yield from found


def _check_mailboxes(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
    progress("mailboxes")
    for key in list(_wrong_mailboxes().values_list("pk", flat=True)):
        found: list[Finding] = []
        with transaction.atomic():
            Mailbox.objects.select_for_update().filter(pk=key).first()
            for row in _wrong_mailboxes().filter(pk=key):
                should = {
                    "used_bytes": row.octets,
                    "used_messages": row.count,
                    "highest_modseq": max(row.highest_modseq, row.last_modseq),
                    "next_uidvalidity": max(row.next_uidvalidity, row.last_uidvalidity + 1),
                }
                wrong = {k: value for k, value in should.items() if getattr(row, k) != value}
                if is_repairing:
                    stamps.change([key])
                    Mailbox.objects.filter(pk=key).update(**wrong)
                found += _counter_findings(f"Mailbox {key}", row, wrong, is_repaired=is_repairing)
        yield from found


def _counter_findings(
    what: str, row: Model, wrong: dict[str, int], *, is_repaired: bool
) -> Iterator[Finding]:
    for name, value in wrong.items():
        text = f"{what} has {name} {getattr(row, name)} and should have {value}."
        yield Finding("counter", text, is_repaired=is_repaired)


def _wrong_mailboxes() -> QuerySet[Any]:
    return Mailbox.objects.annotate(
        octets=Sum("folders__octets", default=0),
        count=Sum("folders__exists_count", default=0),
        last_modseq=Max("folders__highest_modseq", default=0),
        last_uidvalidity=Max("folders__uidvalidity", default=0),
    ).filter(
        ~Q(used_bytes=F("octets"))
        | ~Q(used_messages=F("count"))
        | Q(highest_modseq__lt=F("last_modseq"))
        | Q(next_uidvalidity__lte=F("last_uidvalidity"))
    )


def _wrong_batches() -> QuerySet[Any]:
    # Sizes are counted: a message that is gone has none, and its key would still be there.
    kept, size = Count("entries__message__size"), Sum("entries__message__size", default=0)
    batches = Recoverable.objects.annotate(kept=kept, size=size)
    return batches.exclude(messages=F("kept"), octets=F("size"))


def _check_recoverable(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
    progress("recoverable mail")
    for key, mailbox_id in list(_wrong_batches().values_list("pk", "mailbox_id")):
        found: list[Finding] = []
        with transaction.atomic():
            Mailbox.objects.select_for_update().filter(pk=mailbox_id).first()
            for row in _wrong_batches().filter(pk=key):
                should = {"messages": row.kept, "octets": row.size}
                wrong = {k: value for k, value in should.items() if getattr(row, k) != value}
                if is_repairing:
                    Recoverable.objects.filter(pk=key).update(**wrong)
                what = f"Recoverable mail {key}"
                found += _counter_findings(what, row, wrong, is_repaired=is_repairing)
        yield from found
    strangers = RecoverableEntry.objects.exclude(message__mailbox_id=F("batch__mailbox_id"))
    for key in strangers.values_list("pk", flat=True).iterator(CHUNK):
        yield Finding("entry", f"Recoverable entry {key} holds a message of another mailbox.")


def _check_search(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
    """The index of a mailbox may rule nothing out that a text has; repaired, it is made anew."""
    progress("search index")
    wrong: dict[int, int] = {}
    blocks = SearchBlock.objects.filter(version=search_index.VERSION).order_by("mailbox_id", "last")
    for number, block in enumerate(blocks.iterator(CHUNK), 1):
        if missed := search_blocks.missed(block):
            wrong[block.mailbox_id] = wrong.get(block.mailbox_id, 0) + missed
        if number % 100 == 0:
            progress(f"{number} blocks of the search index proved")
    for mailbox_id, missed in wrong.items():
        if is_repairing:
            search_tailer.start_again(mailbox_id)
        text = f"The search index of mailbox {mailbox_id} misses {missed} messages."
        yield Finding("search", text, is_repaired=is_repairing)


def _check_leftovers(progress: Progress) -> Iterator[Finding]:
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
