"""Forget deleted mail that has been kept long enough, or is more than its mailbox may hold.

Then nothing points at its messages, and the collector (`accounts.garbage`) removes them with what
SEARCH kept of them, and frees their octets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet, Sum

from accounts import commit
from accounts.mailstore.recovery import drop_entries
from accounts.mailstore.uids import CHUNK, chunked
from accounts.models import Domain, Recoverable, RecoverableEntry
from accounts.rows import Rows


def forget_old(now: datetime) -> int:
    """Forget what its domain has kept long enough, and the oldest of what is above a mailbox's
    quota; returns how many messages.
    """
    return sum(_expired(now)) + sum(_above_quota())


def forget_mailbox(mailbox_id: int) -> int:
    """Forget all that could be brought back into a mailbox; returns how many messages."""
    return _forget_of(mailbox_id, RecoverableEntry.objects.all())


def _expired(now: datetime) -> Iterator[int]:
    kept = Domain.objects.order_by().values_list("recoverable_days", flat=True).distinct()
    for days in list(kept):
        ended = now - timedelta(days=days)
        old = Recoverable.objects.filter(mailbox__domain__recoverable_days=days, at__lt=ended)
        for mailbox_id in list(old.order_by().values_list("mailbox_id", flat=True).distinct()):
            yield _forget_of(mailbox_id, RecoverableEntry.objects.filter(batch__at__lt=ended))


def _forget_of(mailbox_id: int, rows: QuerySet[RecoverableEntry]) -> int:
    theirs = rows.filter(batch__mailbox_id=mailbox_id).order_by("pk")
    return _forget(mailbox_id, list(theirs.values_list("pk", flat=True)))


def _above_quota() -> Iterator[int]:
    quotas = ("mailbox__quota_bytes", "mailbox__quota_messages")
    is_above = Q(mailbox__quota_bytes__gt=0, held_octets__gt=F("mailbox__quota_bytes")) | Q(
        mailbox__quota_messages__gt=0, held_messages__gt=F("mailbox__quota_messages")
    )
    held = (
        Recoverable.objects.order_by()
        .values_list("mailbox_id", *quotas)
        .annotate(held_octets=Sum("octets"), held_messages=Sum("messages"))
        .filter(is_above)
    )
    for mailbox_id, most_octets, most_messages, octets, messages in list(held):
        too_many_octets = octets - most_octets if most_octets else 0
        too_many_messages = messages - most_messages if most_messages else 0
        keys = _oldest(mailbox_id, too_many_octets, too_many_messages)
        yield _forget(mailbox_id, list(keys))


def _oldest(mailbox_id: int, octets: int, messages: int) -> Iterator[int]:
    """The keys of the oldest that come to so much, at least."""
    rows = RecoverableEntry.objects.filter(batch__mailbox_id=mailbox_id)
    sizes = rows.order_by("pk").values_list("pk", "message__size")
    for key, size in sizes.iterator(CHUNK):
        if octets <= 0 and messages <= 0:
            return
        octets, messages = octets - size, messages - 1
        yield key


def _forget(mailbox_id: int, keys: list[int]) -> int:
    units = (
        commit.Unit(frozenset((mailbox_id,)), _Forget(chunk), rows=len(chunk))
        for chunk in chunked(keys)
    )
    return sum(commit.run_each(units))


@dataclass(frozen=True, slots=True)
class _Forget:
    """Forget messages that were not brought back meanwhile; how many."""

    keys: Sequence[int]

    def __call__(self, rows: Rows, blob_id: int | None) -> int:
        rows.direct()
        return drop_entries(self.keys)
