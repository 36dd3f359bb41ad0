"""Rows that belong to nothing or to somebody else, and rows that lack what belongs to them."""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Exists, F, ForeignKey, Max, OuterRef

from accounts.counters import INBOX
from accounts.fsck.findings import CHUNK, Finding, Progress
from accounts.mailstore import folders, settling
from accounts.models import Entry, Folder, Mailbox, RecoverableEntry


def check_keys(progress: Progress) -> Iterator[Finding]:
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


def check_owners(progress: Progress) -> Iterator[Finding]:
    progress("owners")
    entries = Entry.objects.exclude(message__mailbox_id=F("folder__mailbox_id"))
    for key in entries.values_list("pk", flat=True).iterator(CHUNK):
        yield Finding("entry", f"Entry {key} holds a message of another mailbox.")
    kept = RecoverableEntry.objects.exclude(message__mailbox_id=F("batch__mailbox_id"))
    for key in kept.values_list("pk", flat=True).iterator(CHUNK):
        yield Finding("entry", f"Recoverable entry {key} holds a message of another mailbox.")


def check_inboxes(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
    """A mailbox without INBOX takes no mail."""
    progress("inboxes")
    has_one = Folder.objects.filter(mailbox_id=OuterRef("pk"), name=INBOX)
    lacking = Mailbox.objects.filter(~Exists(has_one), removed_at=None).order_by("pk")
    for key in list(lacking.values_list("pk", flat=True)):
        if is_repairing:
            folders.give_inbox(key)
        yield Finding("folder", f"Mailbox {key} has no INBOX.", is_repaired=is_repairing)


def check_keywords(progress: Progress) -> Iterator[Finding]:
    """A bit that its folder has no name for would be the next keyword that somebody sets there."""
    progress("keywords")
    settling.settle_all()
    highest = Entry.objects.order_by().values("folder_id").annotate(highest=Max("keywords"))
    rows = highest.filter(highest__gt=0).values_list("folder_id", "folder__keywords", "highest")
    for key, names, bits in rows.iterator(CHUNK):
        if bits >> len(names):
            yield Finding("folder", f"Folder {key} has messages with keywords that have no name.")
