"""Every counter beside what it counts; looked at again, and repaired, under the mailbox's lock."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, Max, Model, Q, QuerySet, Sum, Value, When

from accounts import flag_deeds, stamps
from accounts.fsck.findings import CHUNK, Finding, Progress
from accounts.mailstore import settling
from accounts.mailstore.flags import Flag
from accounts.models import Entry, Folder, Mailbox, Recoverable, Vanished


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


def check_folders(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
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


def check_mailboxes(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
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


def check_recoverable(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
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
