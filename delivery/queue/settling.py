"""Write down what became of claimed recipients."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts import commit
from accounts.commit import Rows, Unit
from delivery.models import Attempt, QueuedRecipient
from delivery.transport.outcome import Kind, Outcome

REPLY_LIMIT = 2000
HOST_LIMIT = 300
TLS_LIMIT = 60

State = QueuedRecipient.State


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of one try.

    `next_attempt_at` is None where there is no other: what was put off has then expired and counts
    as failed. `tells_delay` marks that the sender is told of the delay in the same commit.
    """

    recipient_id: int
    attempt_no: int
    outcome: Outcome
    next_attempt_at: datetime | None = None
    tells_delay: bool = False

    @property
    def state(self) -> State:
        match self.outcome.kind:
            case Kind.DELIVERED:
                return State.DELIVERED
            case Kind.UNTRIED:
                return State.PENDING
            case Kind.DEFERRED | Kind.AMBIGUOUS if self.next_attempt_at is not None:
                return State.PENDING
            case _:
                return State.FAILED

    @property
    def is_failure(self) -> bool:
        """Whether the recipient will never get the message."""
        return self.state is State.FAILED


def settle(settlements: Sequence[Settlement], now: datetime) -> Future[frozenset[int]]:
    """Settle a batch in one commit; gives the recipients (by id) that were not stale."""

    def write(rows: Rows, _: int | None) -> frozenset[int]:
        return settle_rows(rows, settlements, now)

    return commit.submit(Unit(frozenset(), write))


def settle_rows(rows: Rows, settlements: Sequence[Settlement], now: datetime) -> frozenset[int]:
    """The same inside a Unit's `write`, so that a bounce commits with what it is about."""
    rows.direct()
    wanted = {item.recipient_id: item for item in settlements}
    claimed = (
        QueuedRecipient.objects.select_for_update()
        .filter(id__in=wanted, state=State.PENDING, claimed_until__isnull=False)
        .order_by("id")
        .values_list("id", "attempt_no")
    )
    ours = [wanted[key] for key, number in claimed if wanted[key].attempt_no == number]
    tried = [item for item in ours if item.outcome.kind is not Kind.UNTRIED]
    _release([item for item in ours if item.outcome.kind is Kind.UNTRIED], now)
    _end_attempts(tried, now)
    _end_claims(tried, now)
    return frozenset(item.recipient_id for item in ours)


def _end_claims(items: Sequence[Settlement], now: datetime) -> None:
    table = QueuedRecipient._meta.db_table
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET state = %s, next_attempt_at = %s, claimed_until = NULL,"  # noqa: S608
            " is_ambiguous = (is_ambiguous OR %s), is_delay_notified = (is_delay_notified OR %s),"
            " last_reply = %s, settled_at = %s WHERE id = %s AND attempt_no = %s",
            [
                (
                    item.state.value,
                    _to_db(item.next_attempt_at if item.state is State.PENDING else None),
                    item.outcome.kind is Kind.AMBIGUOUS,
                    item.tells_delay,
                    item.outcome.reply[:REPLY_LIMIT],
                    _to_db(None if item.state is State.PENDING else now),
                    item.recipient_id,
                    item.attempt_no,
                )
                for item in items
            ],
        )


def _end_attempts(items: Sequence[Settlement], now: datetime) -> None:
    table = Attempt._meta.db_table
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET result = %s, ended_at = %s, host = %s, tls = %s, reply = %s"  # noqa: S608
            " WHERE recipient_id = %s AND attempt_no = %s",
            [
                (
                    item.outcome.kind.value,
                    _to_db(now),
                    item.outcome.host[:HOST_LIMIT],
                    item.outcome.tls[:TLS_LIMIT],
                    item.outcome.reply[:REPLY_LIMIT],
                    item.recipient_id,
                    item.attempt_no,
                )
                for item in items
            ],
        )


def _release(items: Sequence[Settlement], now: datetime) -> None:
    """As if never claimed: the Attempt goes, and its number with it."""
    for item in items:
        Attempt.objects.filter(recipient=item.recipient_id, attempt_no=item.attempt_no).delete()
        QueuedRecipient.objects.filter(id=item.recipient_id).update(
            claimed_until=None, next_attempt_at=now, attempt_no=item.attempt_no - 1
        )


def _to_db(moment: datetime | None) -> str | datetime | None:
    """The moment as the database takes it (Django's stubs say less than it returns)."""
    adapted: str | datetime | None = connection.ops.adapt_datetimefield_value(moment)
    return adapted
