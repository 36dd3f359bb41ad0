"""The invariants of the queue, by the numbers of `delivery.queue`, and its operators' verbs."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from accounts import commit
from accounts.commit import Rows, Unit
from delivery import queue
from delivery.models import Attempt, QueuedMessage, QueuedRecipient
from delivery.queue import Selection, Settlement, adding
from delivery.transport.outcome import Kind, Outcome
from tests.delivery.queued import HELLO, enqueue, results, row

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=30)
EVERYTHING = Selection()


@pytest.fixture(autouse=True)
def nudges(monkeypatch):
    made = []
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: made.append(1))
    return made


def outcome(kind: Kind, reply: str = "said so") -> Outcome:
    return Outcome(kind, "4.0.0", reply, "mx.b.test[192.0.2.1]:25", "TLSv1.3 X")


def claim_one(now: datetime = NOW) -> queue.Claim:
    (claim,) = queue.claim(now, 10)
    return claim


def settle(claim: queue.Claim, kind: Kind, now: datetime = NOW, **fields) -> bool:
    done = Settlement(claim.recipient_id, claim.attempt_no, outcome(kind), **fields)
    return claim.recipient_id in queue.settle([done], now).result()


# Ids


def test_queue_ids_sort_by_time_and_never_repeat():
    ids = [queue.new_queue_id() for _ in range(2000)]
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {14}
    assert all(each.isalnum() and each.upper() == each for each in ids)


def test_queue_ids_do_not_repeat_when_the_clock_steps_back(monkeypatch):
    monkeypatch.setattr(adding, "_last", 0)
    first = queue.new_queue_id(lambda: 2_000_000_000, lambda bits: 1)
    second = queue.new_queue_id(lambda: 1_000_000_000, lambda bits: 1)
    assert second > first


# Invariant 1


def test_invariant_1_rows_come_with_their_octets_or_not_at_all(nudges):
    def write(rows: Rows, blob_id: int | None) -> None:
        queue.add_rows(
            rows,
            blob_id,
            queue_id="Q",
            prefix=b"",
            size=1,
            return_path="",
            recipients=[("bob@b.test", "")],
            tenant_id=None,
            sender_id=None,
        )
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        commit.run(Unit(frozenset(), write, HELLO))
    assert not QueuedMessage.objects.exists()
    enqueue("bob@b.test", prefix=b"Received: x\r\n")
    claim = claim_one(datetime.now(UTC))
    assert (claim.prefix, claim.place.length) == (b"Received: x\r\n", len(HELLO))


def test_rows_know_their_destination():
    enqueue("bob@Bücher.TEST", "carol@[192.0.2.1]", "dave@b.test")
    found = QueuedRecipient.objects.order_by("id").values_list("destination", flat=True)
    assert list(found) == ["xn--bcher-kva.test", "[192.0.2.1]", "b.test"]


def test_new_mail_wakes_a_worker(nudges):
    from accounts import effects

    enqueue()
    assert effects.wait_idle()
    assert nudges


# Invariant 2


def test_invariant_2_a_claim_counts_and_opens_an_attempt():
    queue_id = enqueue(now=NOW, originals=["list@a.test"])
    claim = claim_one()
    assert (claim.queue_id, claim.address, claim.attempt_no) == (queue_id, "bob@b.test", 1)
    assert (claim.original_address, claim.return_path) == ("list@a.test", "alice@a.test")
    assert row().claimed_until == NOW + queue.CLAIM_SPAN
    assert results() == ["open"]


def test_invariant_2_nobody_else_gets_what_is_claimed():
    enqueue(now=NOW)
    claim_one()
    assert queue.claim(NOW, 10) == []


def test_invariant_2_claimers_that_race_share_the_rows():
    for _ in range(5):
        enqueue(*(f"r{n}@b.test" for n in range(20)), now=NOW)
    claims: list[list[queue.Claim]] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        while got := queue.claim(NOW, 7):
            claims.append(got)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ids = [claim.recipient_id for got in claims for claim in got]
    assert len(ids) == len(set(ids)) == 100
    assert Attempt.objects.count() == 100


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_invariant_2_a_claimer_does_not_wait_for_another():
    from django.db import transaction

    enqueue("a@b.test", "b@b.test", now=NOW)
    with transaction.atomic():
        list(QueuedRecipient.objects.select_for_update().filter(address="a@b.test"))
        got: list[queue.Claim] = []

        def work() -> None:
            got.extend(queue.claim(NOW, 10))
            connections.close_all()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert [claim.address for claim in got] == ["b@b.test"]


def test_claims_come_in_the_order_they_fall_due_and_no_more_than_asked():
    enqueue("late@b.test", now=NOW)
    enqueue("early@b.test", now=NOW - timedelta(hours=1))
    enqueue("future@b.test", now=NOW + timedelta(seconds=1))
    assert [claim.address for claim in queue.claim(NOW, 1)] == ["early@b.test"]
    assert [claim.address for claim in queue.claim(NOW, 10)] == ["late@b.test"]


def test_busy_destinations_are_left_for_later():
    enqueue("a@slow.test", "b@fast.test", now=NOW)
    got = queue.claim(NOW, 10, busy=["slow.test"])
    assert [claim.address for claim in got] == ["b@fast.test"]
    assert row("a@slow.test").attempt_no == 0


def test_an_empty_queue_costs_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert queue.claim(NOW, 100) == []


def test_a_claim_of_many_costs_as_many_queries_as_one(django_assert_max_num_queries):
    enqueue(*(f"r{n}@b.test" for n in range(80)), now=NOW)
    with django_assert_max_num_queries(8):
        assert len(queue.claim(NOW, 100)) == 80


# Invariant 3


def test_invariant_3_a_claim_that_ran_out_falls_due():
    enqueue(now=NOW)
    claim_one()
    assert row().next_attempt_at == row().claimed_until
    assert queue.claim(NOW + queue.CLAIM_SPAN - timedelta(seconds=1), 10) == []
    assert claim_one(NOW + queue.CLAIM_SPAN).attempt_no == 2


def test_invariant_3_a_renewed_claim_does_not():
    enqueue(now=NOW)
    claim = claim_one()
    almost = NOW + queue.CLAIM_SPAN - timedelta(seconds=1)
    assert queue.renew([claim.key], almost) == {claim.recipient_id}
    assert queue.claim(NOW + queue.CLAIM_SPAN, 10) == []
    assert claim_one(almost + queue.CLAIM_SPAN).attempt_no == 2


def test_a_claim_that_somebody_else_took_is_not_renewed():
    enqueue(now=NOW)
    claim = claim_one()
    after = NOW + queue.CLAIM_SPAN
    claim_one(after)
    assert queue.renew([claim.key], after) == frozenset()


# Invariant 4


def test_invariant_4_a_lost_attempt_is_ambiguous():
    enqueue(now=NOW)
    claim_one()
    claim_one(NOW + queue.CLAIM_SPAN)
    assert results() == ["ambiguous", "open"]
    assert row().is_ambiguous
    lost = Attempt.objects.get(attempt_no=1)
    assert lost.ended_at == NOW + queue.CLAIM_SPAN
    assert "may have been delivered" in lost.reply


# Invariant 5


def test_invariant_5_a_stale_settle_changes_nothing():
    enqueue(now=NOW)
    stale = claim_one()
    fresh = claim_one(NOW + queue.CLAIM_SPAN)
    assert not settle(stale, Kind.FAILED)
    assert row().state == "pending"
    assert results() == ["ambiguous", "open"]
    assert settle(fresh, Kind.DELIVERED)
    assert not settle(fresh, Kind.FAILED)
    assert row().state == "delivered"


def test_a_late_settle_counts_while_nobody_else_claimed():
    enqueue(now=NOW)
    claim = claim_one()
    assert settle(claim, Kind.DELIVERED, NOW + 3 * queue.CLAIM_SPAN)
    assert row().state == "delivered"
    assert not row().is_ambiguous


# Invariant 6, and what each outcome makes of a row


@pytest.mark.parametrize(
    ("kind", "following", "state", "result"),
    [
        (Kind.DELIVERED, None, "delivered", "delivered"),
        (Kind.FAILED, None, "failed", "failed"),
        (Kind.DEFERRED, LATER, "pending", "deferred"),
        (Kind.DEFERRED, None, "failed", "deferred"),
        (Kind.AMBIGUOUS, LATER, "pending", "ambiguous"),
        (Kind.AMBIGUOUS, None, "failed", "ambiguous"),
    ],
)
def test_invariant_6_settling_closes_the_attempt(kind, following, state, result):
    enqueue(now=NOW)
    claim = claim_one()
    assert settle(claim, kind, next_attempt_at=following)
    settled = row()
    assert (settled.state, settled.next_attempt_at) == (state, following)
    assert settled.claimed_until is None
    assert settled.last_reply == "said so"
    assert (settled.settled_at is None) == (state == "pending")
    assert settled.is_ambiguous == (kind is Kind.AMBIGUOUS)
    attempt = Attempt.objects.get()
    assert (attempt.result, attempt.host, attempt.tls) == (
        result,
        "mx.b.test[192.0.2.1]:25",
        "TLSv1.3 X",
    )
    assert attempt.ended_at == NOW


def test_an_untried_recipient_is_as_it_was():
    enqueue(now=NOW)
    assert settle(claim_one(), Kind.UNTRIED)
    assert results() == []
    assert (row().attempt_no, row().state, row().claimed_until) == (0, "pending", None)
    assert claim_one().attempt_no == 1


def test_many_settlements_cost_few_queries(django_assert_max_num_queries):
    enqueue(*(f"r{n}@b.test" for n in range(80)), now=NOW)
    claims = queue.claim(NOW, 100)
    done = [Settlement(c.recipient_id, c.attempt_no, outcome(Kind.DELIVERED)) for c in claims]
    assert len(queue.settle(done, NOW).result()) == 80
    assert set(QueuedRecipient.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_reply_of_any_length_fits():
    enqueue(now=NOW)
    claim = claim_one()
    long = Outcome(Kind.DELIVERED, "2.0.0", "x" * 100_000, "h" * 999, "t" * 999)
    queue.settle([Settlement(claim.recipient_id, claim.attempt_no, long)], NOW).result()
    assert len(row().last_reply) == 2000


# Invariant 7 and the operators' verbs


def test_invariant_7_held_recipients_are_not_claimed(nudges):
    enqueue(now=NOW)
    assert queue.hold(EVERYTHING, NOW) == queue.Changed(1, 0)
    assert queue.claim(NOW + timedelta(days=1), 10) == []
    assert queue.release(EVERYTHING, NOW) == queue.Changed(1, 0)
    assert claim_one().attempt_no == 1


@pytest.mark.parametrize("verb", [queue.hold, queue.retry, queue.cancel])
def test_invariant_7_what_is_being_tried_is_left_alone(verb):
    enqueue(now=NOW)
    claim = claim_one()
    assert verb(EVERYTHING, NOW) == queue.Changed(0, 1)
    assert settle(claim, Kind.DELIVERED)


@pytest.mark.parametrize("verb", [queue.hold, queue.retry, queue.cancel])
def test_a_verb_on_a_claim_that_ran_out_closes_its_attempt(verb):
    enqueue(now=NOW)
    stale = claim_one()
    after = NOW + queue.CLAIM_SPAN
    assert verb(EVERYTHING, after) == queue.Changed(1, 0)
    assert results() == ["ambiguous"]
    assert not settle(stale, Kind.FAILED, after)


def test_retry_makes_due_at_once_and_wakes_a_worker(nudges):
    from accounts import effects

    enqueue(now=NOW)
    settle(claim_one(), Kind.DEFERRED, next_attempt_at=LATER)
    assert effects.wait_idle()
    nudges.clear()
    assert queue.retry(EVERYTHING, NOW) == queue.Changed(1, 0)
    assert effects.wait_idle()
    assert nudges
    assert claim_one().attempt_no == 2


def test_cancel_ends_it_without_a_word():
    enqueue(now=NOW)
    assert queue.cancel(EVERYTHING, NOW) == queue.Changed(1, 0)
    assert (row().state, row().settled_at) == ("cancelled", NOW)
    assert QueuedMessage.objects.count() == 1


def test_selections_narrow():
    first = enqueue("a@b.test", "a@c.test", now=NOW)
    enqueue("b@b.test", return_path="carol@a.test", now=NOW)
    enqueue("a@bücher.test", now=NOW)
    key = row("b@b.test").pk
    for selection, count in [
        (Selection(queue_ids=[first]), 2),
        (Selection(queue_ids=[first], address="A@b.test"), 1),
        (Selection(destination="B.test"), 2),
        (Selection(destination="Bücher.test"), 1),
        (Selection(sender="carol@a.test"), 1),
        (Selection(recipient_ids=[key]), 1),
        (Selection(state="held"), 0),
        (EVERYTHING, 4),
    ]:
        assert len(queue.list_recipients(selection, limit=10)) == count


# Invariant 8


@pytest.mark.parametrize("verb", [queue.hold, queue.release, queue.retry, queue.cancel])
def test_invariant_8_settled_recipients_stay_as_they_are(verb):
    enqueue(now=NOW)
    settle(claim_one(), Kind.FAILED)
    assert verb(EVERYTHING, NOW) == queue.Changed(0, 0)
    assert row().state == "failed"


def test_invariant_8_old_messages_go_seven_days_after_the_last_was_settled():
    enqueue("a@b.test", "b@b.test", now=NOW - timedelta(days=10))
    enqueue("c@b.test", now=NOW)
    first, second = queue.claim(NOW - timedelta(days=9), 10)
    settle(first, Kind.DELIVERED, NOW - timedelta(days=9))
    assert queue.purge(NOW) == 0
    settle(second, Kind.FAILED, NOW - timedelta(days=1))
    assert queue.purge(NOW) == 0
    assert queue.purge(NOW + timedelta(days=6, seconds=1)) == 1
    assert QueuedRecipient.objects.count() == 1
    assert Attempt.objects.count() == 0


# Invariant 9


def test_invariant_9_a_notice_is_marked_with_the_settling_it_follows():
    enqueue(now=NOW)
    settle(claim_one(), Kind.DEFERRED, next_attempt_at=LATER, tells_delay=True)
    assert row().is_delay_notified
    assert claim_one(LATER).is_delay_notified


# Looking


def test_a_message_is_shown_with_all_that_happened():
    queue_id = enqueue("a@b.test", "b@b.test", now=NOW)
    claims = queue.claim(NOW, 10)
    settle(claims[0], Kind.DEFERRED, next_attempt_at=LATER)
    shown = queue.show(queue_id.lower())
    assert (shown.queue_id, shown.return_path) == (queue_id, "alice@a.test")
    first, second = shown.recipients
    assert [(a.attempt_no, a.result, a.reply) for a in first.attempts] == [
        (1, "deferred", "said so")
    ]
    assert second.attempts[0].result == "open"
    with pytest.raises(queue.NoSuchMessage):
        queue.show("NONE")


def test_the_queue_in_numbers():
    enqueue("a@b.test", "b@b.test", now=NOW)
    queue.hold(Selection(address="a@b.test"), NOW)
    assert queue.count_states() == {"held": 1, "pending": 1}


def test_lists_leave_out_what_is_settled_unless_asked():
    enqueue("a@b.test", "b@b.test", now=NOW)
    queue.cancel(Selection(address="a@b.test"), NOW)
    assert [r.address for r in queue.list_recipients(EVERYTHING, limit=10)] == ["b@b.test"]
    assert len(queue.list_recipients(EVERYTHING, limit=10, settled=True)) == 2
    assert len(queue.list_recipients(Selection(state="cancelled"), limit=10)) == 1


def test_due_rows_are_found_by_an_index():
    plan = QueuedRecipient.objects.filter(state="pending", next_attempt_at__lte=NOW).order_by(
        "next_attempt_at"
    )
    if connection.vendor == "sqlite":
        assert "queuedrecipient_due" in plan.explain()
