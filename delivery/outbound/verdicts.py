"""What follows from outcomes: another try, the end, a report to the sender. And writing it down.

A report commits together with the settling it is about, so that there is exactly one of them.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts import commit
from accounts.commit import DATABASE_AWAY, OutOfSpace, Rows, Unit
from delivery import bounces, queue, schedule
from delivery.outbound.parcels import read_original
from delivery.queue import Claim, Settlement
from delivery.transport.outcome import Kind, Outcome
from protocols.wire.smtp.address import BadAddress

log = logging.getLogger(__name__)

# The store is not there just now: to be repeated, whatever it was about.
_AWAY = (*DATABASE_AWAY, OutOfSpace)

Ended = tuple[Claim, Outcome]
Settled = tuple[Claim, Settlement]


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides and writes; holds what the configuration says about it."""

    hostname: str
    retry_schedule: Sequence[timedelta]
    random: Callable[[], float]

    def decide(self, claim: Claim, outcome: Outcome, now: datetime) -> Settlement:
        """When to try again, and whether the sender is told of a delay."""
        if outcome.kind not in (Kind.DEFERRED, Kind.AMBIGUOUS):
            return Settlement(claim.recipient_id, claim.attempt_no, outcome)
        next_attempt_at = schedule.next_attempt(
            claim.queued_at,
            claim.attempt_no,
            now,
            jitter=self.random(),
            schedule=self.retry_schedule,
        )
        tells_delay = (
            next_attempt_at is not None
            and claim.return_path != ""
            and not claim.is_delay_notified
            and schedule.is_notice_due(claim.queued_at, now)
        )
        return Settlement(
            claim.recipient_id, claim.attempt_no, outcome, next_attempt_at, tells_delay
        )

    def write(self, ended: Iterable[Ended], now: datetime) -> list[Ended]:
        """Settle what ended, reports included; returns what cannot be written just now."""
        quiet: list[Settled] = []
        told: dict[tuple[int, bool], list[Settled]] = {}
        for claim, outcome in ended:
            settlement = self.decide(claim, outcome, now)
            _log(claim, settlement)
            if claim.return_path and (settlement.is_failure or settlement.tells_delay):
                told.setdefault((claim.message_id, settlement.is_failure), []).append(
                    (claim, settlement)
                )
            else:
                # A report is never answered by a report (RFC 5321 §6.1).
                quiet.append((claim, settlement))
        waiting = [(quiet, _settling(quiet, now))] if quiet else []
        waiting += [(group, self._reporting(group, now)) for group in told.values()]
        unwritten: list[Ended] = []
        for group, future in waiting:
            if not self._is_written(group, future, now):
                unwritten += [(claim, settlement.outcome) for claim, settlement in group]
        return unwritten

    def _is_written(self, group: Sequence[Settled], future: Future[object], now: datetime) -> bool:
        """Wait for a commit; False where it is worth repeating."""
        queue_id = group[0][0].queue_id
        try:
            future.result()
        except _AWAY as error:
            log.warning("%s: the queue cannot be written now: %s", queue_id, error)
            return False
        except (bounces.NoSender, BadAddress) as error:
            log.warning("%s: nobody is told: %s", queue_id, error)
        except Exception:
            # What happened to the message is settled all the same, or it would be sent for ever.
            log.exception("%s: the report to its sender is lost", queue_id)
        else:
            return True
        try:
            _settling(group, now).result()
        except _AWAY:
            return False
        return True

    def _reporting(self, group: Sequence[Settled], now: datetime) -> Future[object]:
        """Settle recipients of one message and tell its sender, in one commit."""
        try:
            octets, plan = bounces.plan(self._report(group, now), read_original(group[0][0]))
        except Exception as error:  # noqa: BLE001 it belongs to whoever waits for the commit
            failed: Future[object] = Future()
            failed.set_exception(error)
            return failed
        settlements = [settlement for _, settlement in group]

        def write(rows: Rows, blob_id: int | None) -> object:
            if queue.settle_rows(rows, settlements, now):
                plan.write(rows, blob_id)
            return None

        return commit.submit(Unit(plan.mailbox_ids, write, octets))

    def _report(self, group: Sequence[Settled], now: datetime) -> bounces.Report:
        first, settlement = group[0]
        return bounces.Report(
            sender=first.return_path,
            hostname=self.hostname,
            queue_id=first.queue_id,
            queued_at=first.queued_at,
            written_at=now,
            recipients=[_undelivered(claim, item, now) for claim, item in group],
            tried_until=self._end_of_tries(first) if settlement.tells_delay else None,
            is_smtputf8=first.is_smtputf8,
        )

    def _end_of_tries(self, claim: Claim) -> datetime:
        whole = sum(self.retry_schedule, timedelta()) or schedule.GIVE_UP_AFTER
        return claim.queued_at + whole


def _settling(group: Sequence[Settled], now: datetime) -> Future[Any]:
    return queue.settle([settlement for _, settlement in group], now)


def _undelivered(claim: Claim, settlement: Settlement, now: datetime) -> bounces.Undelivered:
    outcome = settlement.outcome
    return bounces.Undelivered(
        address=claim.address,
        original_address=claim.original_address,
        status=outcome.status,
        reply=outcome.reply,
        host=outcome.host,
        is_from_peer=outcome.is_from_peer,
        is_ambiguous=claim.is_ambiguous or outcome.kind is Kind.AMBIGUOUS,
        tried_at=now,
    )


def _log(claim: Claim, settlement: Settlement) -> None:
    outcome = settlement.outcome
    log.info(
        "%s to=<%s> try=%d %s host=%s tls=%s next=%s said: %s",
        claim.queue_id,
        claim.address,
        claim.attempt_no,
        outcome.kind.value,
        outcome.host or "none",
        outcome.tls or "none",
        settlement.next_attempt_at or settlement.state,
        outcome.reply,
    )
