"""Claim due recipients for one worker, and keep the claim while the work lasts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.blobs import Place
from delivery.models import Attempt, QueuedRecipient

# Short, so that the work of a worker that died is soon taken up; long against what a renewal may
# have to wait for the database.
CLAIM_SPAN = timedelta(seconds=60)

LOST = "The worker ended during this try; the message may have been delivered"

_COLUMNS = (
    "id",
    "attempt_no",
    "message_id",
    "message__queue_id",
    "address",
    "original_address",
    "destination",
    "is_delay_notified",
    "is_ambiguous",
    "message__return_path",
    "message__prefix",
    "message__blob__segment_id",
    "message__blob__offset",
    "message__blob__length",
    "message__blob_id",
    "message__size",
    "message__is_smtputf8",
    "message__queued_at",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One recipient to be tried, with what is needed to try it. `size` is in octets."""

    recipient_id: int
    attempt_no: int
    message_id: int
    queue_id: str
    address: str
    original_address: str
    destination: str
    is_delay_notified: bool
    is_ambiguous: bool
    return_path: str
    prefix: bytes
    place: Place
    size: int
    is_smtputf8: bool
    queued_at: datetime

    @property
    def key(self) -> tuple[int, int]:
        return self.recipient_id, self.attempt_no


def claim(
    now: datetime, limit: int, *, busy: Collection[str] = (), span: timedelta = CLAIM_SPAN
) -> list[Claim]:
    """Claim up to `limit` due recipients until `now + span`, those due first first.

    Destinations in `busy` are left for later: they have enough under way, and must not fill up
    what others need.
    """
    due = _due(now)
    if busy:
        due = due.exclude(destination__in=busy)
    # A look first: an empty queue must not cost a write transaction.
    if not due.exists():
        return []
    with transaction.atomic():
        found = list(
            due.select_for_update(skip_locked=True)
            .order_by("next_attempt_at", "id")
            .values_list("id", "attempt_no", "claimed_until")[:limit]
        )
        ids = [row[0] for row in found]
        close_lost([row[0] for row in found if row[2] is not None], now)
        until = now + span
        QueuedRecipient.objects.filter(id__in=ids).update(
            claimed_until=until, next_attempt_at=until, attempt_no=F("attempt_no") + 1
        )
        Attempt.objects.bulk_create(
            Attempt(recipient_id=row[0], attempt_no=row[1] + 1, started_at=now) for row in found
        )
        return _load(ids)


def renew(
    claims: Iterable[tuple[int, int]], now: datetime, *, span: timedelta = CLAIM_SPAN
) -> frozenset[int]:
    """Claim on until `now + span`; returns the recipients (by id) that are still ours."""
    wanted = dict(claims)
    with transaction.atomic():
        rows = (
            QueuedRecipient.objects.select_for_update()
            .filter(id__in=wanted, state=QueuedRecipient.State.PENDING, claimed_until__isnull=False)
            .order_by("id")
            .values_list("id", "attempt_no")
        )
        ours = [key for key, attempt_no in rows if wanted[key] == attempt_no]
        QueuedRecipient.objects.filter(id__in=ours).update(
            claimed_until=now + span, next_attempt_at=now + span
        )
    return frozenset(ours)


def close_lost(ids: Collection[int], now: datetime) -> None:
    """Close the Attempts of claims that ran out. The rows must be locked."""
    if not ids:
        return
    lost = Attempt.objects.filter(recipient__in=ids, result=Attempt.Result.OPEN)
    lost.update(result=Attempt.Result.AMBIGUOUS, ended_at=now, reply=LOST)
    QueuedRecipient.objects.filter(id__in=ids).update(is_ambiguous=True, last_reply=LOST)


def _due(now: datetime) -> "QuerySet[QueuedRecipient]":
    return QueuedRecipient.objects.filter(
        state=QueuedRecipient.State.PENDING, next_attempt_at__lte=now
    )


def _load(ids: Collection[int]) -> list[Claim]:
    rows: Iterable[tuple[Any, ...]] = (
        QueuedRecipient.objects.filter(id__in=ids).order_by("id").values_list(*_COLUMNS)
    )
    return [_claim(row) for row in rows]


def _claim(row: tuple[Any, ...]) -> Claim:
    values = (*row[:10], bytes(row[10]), Place(*row[11:15]), *row[15:])
    return Claim(*values)
