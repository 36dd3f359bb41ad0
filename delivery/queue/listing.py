"""Look at the queue: values for commands, pages and tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, F

from delivery.models import Attempt, QueuedMessage, QueuedRecipient
from delivery.queue.operating import Selection


class NoSuchMessage(Exception):
    """The queue has no message with that id (any more)."""


@dataclass(frozen=True, slots=True)
class AttemptView:
    attempt_no: int
    started_at: datetime
    ended_at: datetime | None
    result: str
    host: str
    tls: str
    reply: str


@dataclass(frozen=True, slots=True)
class RecipientView:
    """One recipient. `attempts` is empty in lists."""

    recipient_id: int
    queue_id: str
    return_path: str
    address: str
    original_address: str
    destination: str
    state: str
    size: int
    queued_at: datetime
    next_attempt_at: datetime | None
    claimed_until: datetime | None
    tries: int
    is_ambiguous: bool
    last_reply: str
    settled_at: datetime | None
    attempts: Sequence[AttemptView] = ()


@dataclass(frozen=True, slots=True)
class MessageView:
    queue_id: str
    return_path: str
    size: int
    queued_at: datetime
    recipients: Sequence[RecipientView] = ()


_RECIPIENT = (
    "id",
    "message__queue_id",
    "message__return_path",
    "address",
    "original_address",
    "destination",
    "state",
    "message__size",
    "message__queued_at",
    "next_attempt_at",
    "claimed_until",
    "attempt_no",
    "is_ambiguous",
    "last_reply",
    "settled_at",
)
_ATTEMPT = ("attempt_no", "started_at", "ended_at", "result", "host", "tls", "reply")
_UNSETTLED = (QueuedRecipient.State.PENDING, QueuedRecipient.State.HELD)


def list_recipients(
    selection: Selection, *, limit: int, settled: bool = False
) -> list[RecipientView]:
    """The recipients selected, those due first first; settled ones only where asked for."""
    found = QueuedRecipient.objects.filter(selection.query())
    if not settled and not selection.state:
        found = found.filter(state__in=_UNSETTLED)
    ordered = found.order_by(F("next_attempt_at").asc(nulls_last=True), "id")
    return [RecipientView(*row) for row in ordered.values_list(*_RECIPIENT)[:limit]]


def show(queue_id: str) -> MessageView:
    """One message with its recipients and all tries; NoSuchMessage."""
    columns = ("id", "queue_id", "return_path", "size", "queued_at")
    found = QueuedMessage.objects.filter(queue_id=queue_id.upper())
    row: tuple[Any, ...] | None = found.values_list(*columns).first()
    if row is None:
        raise NoSuchMessage(f"the queue has no message {queue_id}")
    tries: dict[int, list[AttemptView]] = {}
    attempts = Attempt.objects.filter(recipient__message=row[0]).order_by("attempt_no")
    for key, *values in attempts.values_list("recipient_id", *_ATTEMPT):
        tries.setdefault(key, []).append(AttemptView(*values))
    recipients: Iterable[tuple[Any, ...]] = (
        QueuedRecipient.objects.filter(message=row[0]).order_by("id").values_list(*_RECIPIENT)
    )
    views = [
        replace(RecipientView(*values), attempts=tuple(tries.get(values[0], ())))
        for values in recipients
    ]
    message = MessageView(*row[1:])
    return replace(message, recipients=tuple(views))


def count_states() -> dict[str, int]:
    """How many recipients there are in each state that any is in."""
    counts = QueuedRecipient.objects.values_list("state").annotate(Count("id"))
    return dict(counts.order_by("state"))
