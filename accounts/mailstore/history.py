"""What left a folder since a MODSEQ, as far as that is still known, and the pruning of the rest.

Invariant: of what happened after `Folder.pruned_modseq` the change log and the Vanished rows know
everything; of what happened up to it they may know nothing, and whoever needs that reads the folder
as a whole. `Mailbox.pruned_modseq` says the same of the list of folders. Marks and rows change in
one transaction, so a reader that finds the mark below the MODSEQ it knows *after* it has read the
rows has missed none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.db.models import QuerySet

from accounts import commit
from accounts.key_lists import listed
from accounts.models import Change, Folder, Mailbox, Vanished
from accounts.rows import Rows
from accounts.statements import fetch

CHUNK = 2_000

_VANISHED = (
    f"SELECT f.pruned_modseq, v.modseq, v.uids FROM {Folder._meta.db_table} f"  # noqa: S608
    f" LEFT JOIN {Vanished._meta.db_table} v ON v.folder_id = f.id AND v.modseq > %s"
    " WHERE f.id = %s LIMIT %s"
)
_ALL = (1 << 31) - 1


def vanished_after(folder_id: int, modseq: int, limit: int = _ALL) -> list[tuple[int, str]] | None:
    """(MODSEQ, UIDs) of what vanished after `modseq`, at most `limit`; None when it was pruned."""
    found = fetch(_VANISHED, [modseq, folder_id, limit])
    if found and found[0][0] > modseq:
        return None
    return [(at, uids) for _, at, uids in found if uids is not None]


def prune(before: datetime) -> int:
    """Forget the changes made before that time; returns how many rows went."""
    return sum(_prune_some(before))


def _prune_some(before: datetime) -> Iterator[int]:
    last = 0
    columns = ("pk", "at", "mailbox_id", "folder_id", "modseq")
    while True:
        rows = Change.objects.filter(pk__gt=last).order_by("pk").values_list(*columns)[:CHUNK]
        old = list(takewhile(lambda row: row[1] < before, rows))
        if not old:
            return
        last = old[-1][0]
        until: dict[tuple[int, int | None], int] = {}
        for _, _, mailbox_id, folder_id, modseq in old:
            place = mailbox_id, folder_id
            until[place] = max(until.get(place, 0), modseq)
        for (mailbox_id, folder_id), modseq in until.items():
            yield from _prune_folder(mailbox_id, folder_id, modseq)


def _prune_folder(mailbox_id: int, folder_id: int | None, modseq: int) -> Iterator[int]:
    step = commit.Unit(frozenset((mailbox_id,)), _Prune(mailbox_id, folder_id, modseq), rows=CHUNK)
    while number := commit.run(step):
        yield number


@dataclass(frozen=True, slots=True)
class _Prune:
    """Forget some of what is known of a folder up to a MODSEQ; how many rows.

    None: of folders that are gone, and of what belongs to none.
    """

    mailbox_id: int
    folder_id: int | None
    modseq: int

    def __call__(self, rows: Rows, blob_id: int | None) -> int:
        rows.direct()
        mailbox = Mailbox.objects.filter(pk=self.mailbox_id, pruned_modseq__lt=self.modseq)
        mailbox.update(pruned_modseq=self.modseq)
        changes = Change.objects.filter(mailbox_id=self.mailbox_id)
        if self.folder_id is None:
            return self._delete(changes.filter(folder=None))
        folder = Folder.objects.filter(pk=self.folder_id, pruned_modseq__lt=self.modseq)
        folder.update(pruned_modseq=self.modseq)
        vanished = Vanished.objects.filter(folder_id=self.folder_id)
        return self._delete(changes.filter(folder_id=self.folder_id)) + self._delete(vanished)

    def _delete(self, rows: QuerySet[Any]) -> int:
        old = rows.filter(modseq__lte=self.modseq).values_list("pk", flat=True)
        some = rows.model._base_manager.filter(pk__in=listed(list(old[:CHUNK])))
        number: int = some._raw_delete(some.db)
        return number
