"""What an operator may do to the queue: hold, release, retry, cancel."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.key_lists import listed
from delivery.a_labels import to_a_labels
from delivery.models import QueuedRecipient
from delivery.queue.claiming import close_lost
from delivery.queue.waking import wake_worker

State = QueuedRecipient.State

# Recipients that change in one transaction.
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which recipients are meant; what is left empty does not narrow it."""

    queue_ids: Collection[str] = ()
    recipient_ids: Collection[int] = ()
    address: str = ""
    destination: str = ""
    sender: str = ""
    state: str = ""

    def query(self) -> Q:
        found = Q()
        if self.queue_ids:
            found &= Q(message__queue_id__in=self.queue_ids)
        if self.recipient_ids:
            found &= Q(id__in=self.recipient_ids)
        if self.address:
            found &= Q(address__iexact=self.address)
        if self.destination:
            found &= Q(destination=to_a_labels(self.destination))
        if self.sender:
            found &= Q(message__return_path__iexact=self.sender)
        if self.state:
            found &= Q(state=self.state)
        return found


@dataclass(frozen=True, slots=True)
class Changed:
    """How many recipients changed, and how many were left alone because they are being tried."""

    done: int
    busy: int


def hold(selection: Selection, now: datetime) -> Changed:
    """Keep pending recipients from being tried until they are released."""
    return _change(selection, now, (State.PENDING,), state=State.HELD, next_attempt_at=None)


def release(selection: Selection, now: datetime) -> Changed:
    """Let held recipients be tried, at once."""
    return _change(selection, now, (State.HELD,), state=State.PENDING, next_attempt_at=now)


def retry(selection: Selection, now: datetime) -> Changed:
    """Let pending recipients be tried at once instead of when they fall due."""
    return _change(selection, now, (State.PENDING,), next_attempt_at=now)


def cancel(selection: Selection, now: datetime) -> Changed:
    """Never try these again, and send no bounce."""
    return _change(
        selection,
        now,
        (State.PENDING, State.HELD),
        state=State.CANCELLED,
        next_attempt_at=None,
        settled_at=now,
    )


def _change(
    selection: Selection, now: datetime, states: Collection[State], **values: object
) -> Changed:
    """In short transactions, so that a long queue keeps nobody's mail waiting."""
    chosen = sorted(_chosen(selection, states).values_list("id", flat=True))
    steps = [
        _change_some(chosen[start : start + AT_ONCE], now, states, values)
        for start in range(0, len(chosen), AT_ONCE)
    ]
    return Changed(sum(step.done for step in steps), sum(step.busy for step in steps))


@transaction.atomic
def _change_some(
    keys: Sequence[int], now: datetime, states: Collection[State], values: Mapping[str, object]
) -> Changed:
    """Those of them that are still in one of the states."""
    found = list(
        QueuedRecipient.objects.filter(id__in=listed(keys), state__in=states)
        .select_for_update()
        .order_by("id")
        .values_list("id", "claimed_until")
    )
    free = [key for key, until in found if until is None or until <= now]
    close_lost([key for key, until in found if until is not None and until <= now], now)
    QueuedRecipient.objects.filter(id__in=listed(free)).update(claimed_until=None, **values)
    if values["next_attempt_at"] is not None and free:
        transaction.on_commit(wake_worker)
    return Changed(len(free), len(found) - len(free))


def _chosen(selection: Selection, states: Collection[State]) -> "QuerySet[QueuedRecipient]":
    return QueuedRecipient.objects.filter(selection.query(), state__in=states)
