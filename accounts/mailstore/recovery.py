"""Bring deleted mail back into its folders.

Rules: what is recoverable is changed under the lock of its mailbox alone, so a message is either
brought back or forgotten; what came back is new to its folder, with a UID it never had (RFC 9051
§2.3.1.1); one step touches no more rows than one of EXPUNGE.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from accounts import commit
from accounts.counters import FolderState
from accounts.key_lists import list_sql, listed
from accounts.mailstore.copy import count_in, translated
from accounts.mailstore.flags import Flag
from accounts.mailstore.folders import create_folder, find_folder
from accounts.mailstore.locked import locked_folder
from accounts.mailstore.names import canonical
from accounts.mailstore.quota import require_room, usage
from accounts.mailstore.refusals import FolderExists, OverQuota, TooManyKeywords
from accounts.mailstore.rights import Right
from accounts.mailstore.subscriptions import subscribe
from accounts.mailstore.tally import Tally
from accounts.mailstore.uids import CHUNK
from accounts.models import (
    Change,
    Domain,
    Entry,
    Folder,
    Mailbox,
    Recoverable,
    RecoverableEntry,
)
from accounts.rows import Rows

# Where mail goes whose folder is gone.
RESTORED = "Restored"


@dataclass(frozen=True, slots=True)
class Batch:
    """What left a folder at once. `folder` is its name now, or the last one it had.

    `is_folder_gone` says that it would come back into `RESTORED`: none has that name either.
    """

    id: int
    at: datetime
    folder: str
    is_folder_gone: bool
    messages: int
    octets: int


def kept(rows: QuerySet[Recoverable]) -> QuerySet[Recoverable]:
    """Those that their domains keep still: others only wait to be forgotten."""
    now = timezone.now()
    spans = Domain.objects.order_by().values_list("recoverable_days", flat=True).distinct()
    days = "mailbox__domain__recoverable_days"
    conditions = (Q(**{days: span, "at__gte": now - timedelta(days=span)}) for span in spans)
    return rows.filter(reduce(or_, conditions, Q(pk=None)))


def recoverable(mailbox_id: int, *, since: datetime | None = None, folder: str = "") -> list[Batch]:
    """What can be brought back, the oldest first: all of it, or what was deleted `since` then and
    from the folder that has, or had, that name.
    """
    rows = kept(Recoverable.objects.filter(mailbox_id=mailbox_id))
    if since is not None:
        rows = rows.filter(at__gte=since)
    if folder:
        rows = rows.filter(Q(folder__name=canonical(folder)) | Q(folder_name=canonical(folder)))
    namesake = Folder.objects.filter(
        mailbox_id=mailbox_id, name=OuterRef("folder_name"), is_selectable=True
    )
    columns = ("pk", "at", "folder__name", "folder__is_selectable", "folder_name")
    found = rows.order_by("at", "pk").values_list(*columns, Exists(namesake), "messages", "octets")
    return [
        Batch(key, at, now or then, not (is_there or has_namesake), messages, octets)
        for key, at, now, is_there, then, has_namesake, messages, octets in found
    ]


def restore(mailbox_id: int, batch_ids: Sequence[int]) -> dict[str, int]:
    """Bring batches of a mailbox back, and say how many messages each folder got.

    All flags come back but \\Deleted, for which the next EXPUNGE would take the message again. A
    batch that is gone or has expired meanwhile is passed over. OverQuota, before anything happens;
    NoSuchFolder.
    """
    chosen = Recoverable.objects.filter(mailbox_id=mailbox_id, pk__in=listed(batch_ids))
    batches = kept(chosen)
    total = batches.aggregate(octets=Sum("octets", default=0), messages=Sum("messages", default=0))
    if not usage(mailbox_id).has_room(total["octets"], total["messages"]):
        raise OverQuota("The mailbox has no room for that; raise its quota first.")
    came: Counter[str] = Counter()
    columns = ("pk", "folder_id", "folder_name", "keywords")
    for batch_id, folder_id, name, keywords in list(
        batches.order_by("at", "pk").values_list(*columns)
    ):
        target_id, target_name = _target(mailbox_id, folder_id, name)
        step = commit.Unit(
            frozenset((mailbox_id,)),
            _Restore(mailbox_id, batch_id, target_id, tuple(keywords)),
            folder_ids=frozenset((target_id,)),
            rows=CHUNK,
        )
        while number := commit.run(step):
            came[target_name] += number
    return dict(came)


def _target(mailbox_id: int, folder_id: int | None, name: str) -> tuple[int, str]:
    """The folder a batch came from, or the one of that name now, or `RESTORED`; with its name."""
    theirs = Folder.objects.filter(mailbox_id=mailbox_id, is_selectable=True)
    for condition in (Q(pk=folder_id), Q(name=name)):
        if (found := theirs.filter(condition).values_list("pk", "name").first()) is not None:
            return found
    # What is shared in general may not have been in the folder that is gone. A shared mailbox has
    # no owner who could share it anew.
    has_owner = Mailbox.objects.filter(pk=mailbox_id, is_shared=False).exists()
    try:
        made = create_folder(mailbox_id, RESTORED, is_private=has_owner)
    except FolderExists:
        return find_folder(mailbox_id, RESTORED).id, RESTORED
    subscribe(mailbox_id, RESTORED)
    return made.id, RESTORED


_INSERT = (
    f"INSERT INTO {Entry._meta.db_table}"  # noqa: S608
    " (folder_id, message_id, uid, flags, keywords, modseq, saved_at)"
    " SELECT %s, message_id, row_number() OVER (ORDER BY id) + %s, flags & %s, {keywords}, %s, %s"
    f" FROM {RecoverableEntry._meta.db_table} WHERE id IN ({{keys}}) ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class _Restore:
    """Put the first messages of a batch back into a folder; how many they were."""

    mailbox_id: int
    batch_id: int
    folder_id: int
    keywords: Sequence[str]

    def __call__(self, rows: Rows, blob_id: int | None) -> int:
        folder = locked_folder(rows, self.folder_id, self.mailbox_id, Right.INSERT)
        rows.direct()
        first = RecoverableEntry.objects.filter(batch_id=self.batch_id).order_by("pk")[:CHUNK]
        found = list(first.values_list("pk", "flags", "message__size", "keywords"))
        if not found:
            return 0
        octets = sum(row[2] for row in found)
        require_room(rows.mailbox(folder.mailbox_id), octets, len(found))
        uids = self._insert(rows, folder, found)
        unseen = sum(1 for row in found if not row[1] & Flag.SEEN)
        count_in(rows, folder, Tally(uids, octets, unseen))
        drop_entries([row[0] for row in found])
        return len(found)

    def _insert(
        self, rows: Rows, folder: FolderState, found: Sequence[tuple[int, int, int, int]]
    ) -> range:
        used = 0
        for row in found:
            used |= row[3]
        first = folder.take_uids(len(found))
        uids = range(first, first + len(found))
        modseq = rows.changed(folder, Change.Kind.APPENDED, uids)
        keys, parameters = list_sql([row[0] for row in found])
        with connection.cursor() as cursor:
            cursor.execute(
                _INSERT.format(keywords=self._translated(folder, used), keys=keys),
                [folder.id, first - 1, ~Flag.DELETED, modseq, int(time.time()), *parameters],
            )
        return uids

    def _translated(self, folder: FolderState, used: int) -> str:
        try:
            return translated(self.keywords, folder, used)
        except TooManyKeywords:
            # Mail without some of its keywords is better than no mail.
            return translated(self.keywords, folder, used, create=False)


def drop_entries(keys: Sequence[int]) -> int:
    """Take messages out of their batches, from inside a direct Unit of their mailbox; how many."""
    entries = RecoverableEntry.objects.filter(pk__in=listed(keys)).order_by()
    batches = list(entries.values_list("batch_id", flat=True).distinct())
    sums = entries.values_list("batch_id").annotate(n=Count("pk"), octets=Sum("message__size"))
    going = list(sums)
    dropped: int = entries._raw_delete(entries.db)
    # Taken off: to count what is left would be to read a large batch once for each step.
    for key, number, octets in going:
        Recoverable.objects.filter(pk=key).update(
            messages=F("messages") - number, octets=F("octets") - octets
        )
    left = RecoverableEntry.objects.filter(batch=OuterRef("pk"))
    empty = Recoverable.objects.filter(~Exists(left), pk__in=listed(batches))
    empty._raw_delete(empty.db)
    return dropped
