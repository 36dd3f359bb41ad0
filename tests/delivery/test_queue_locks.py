"""Two at once at a row of the queue, on PostgreSQL: the second finds what the first has written."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db.models import F

from accounts import commit
from delivery import queue
from delivery.models import QueuedRecipient
from delivery.queue import Claim, Selection, Settlement
from delivery.transport.outcome import Kind, Outcome
from tests.accounts.meanwhile import meanwhile
from tests.delivery.queued import enqueue
from tests.partners.platform import PLATFORM

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(PLATFORM != "scaled", reason="SQLite has one writer at a time"),
]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def claim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Claim]:
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: None)
    enqueue(now=NOW)
    (claim,) = queue.claim(NOW, 10)
    yield claim
    commit.reset()


def taken_over() -> None:
    """Another worker claims it, as if the claim had run out."""
    QueuedRecipient.objects.update(attempt_no=F("attempt_no") + 1)


def test_a_claim_that_another_takes_over_is_not_renewed(claim: Claim) -> None:
    with meanwhile(lambda: queue.renew([claim.key], NOW)) as outcome:
        taken_over()
    assert outcome.result() == frozenset()


def test_a_claim_that_another_takes_over_is_not_settled(claim: Claim) -> None:
    done = Settlement(
        claim.recipient_id, claim.attempt_no, Outcome(Kind.DELIVERED, "2.0.0", "Ok", "", "")
    )
    with meanwhile(lambda: queue.settle([done], NOW).result(30)) as outcome:
        taken_over()
    assert outcome.result() == frozenset()
    assert QueuedRecipient.objects.get().state == QueuedRecipient.State.PENDING


def test_what_is_being_claimed_is_not_held(claim: Claim) -> None:
    after = NOW + 2 * queue.CLAIM_SPAN
    with meanwhile(lambda: queue.hold(Selection(), after)) as outcome:
        assert len(queue.claim(after, 10)) == 1
    assert outcome.result() == queue.Changed(0, 1)
