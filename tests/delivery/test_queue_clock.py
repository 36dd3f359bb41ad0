"""Hosts whose clocks differ, with one queue: what one host works on is not due on another."""

from datetime import datetime, timedelta
from random import Random

import pytest
from django.db import connection
from django.utils import timezone

from delivery import outbound, queue
from delivery.models import QueuedRecipient
from delivery.queue import Selection
from delivery.transport.loop import Setting
from delivery.transport.mx import Routing
from tests.delivery.queued import enqueue, results, row

pytestmark = pytest.mark.django_db(transaction=True)

SKEW = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _one_database_server(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("all that use the embedded database have the same clock")
    monkeypatch.setattr("delivery.queue.waking._nudge", lambda: None)


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """From here on this is a host whose clock is so far ahead."""
    right = timezone.now
    monkeypatch.setattr("django.utils.timezone.now", lambda: right() + ahead)


def drain_once() -> None:
    routing = Routing(hostname="us.test", relay="[127.0.0.1]:1")
    drain = outbound.Drain(Setting(routing), random=Random(1))
    drain.run()
    drain.stop(0.0)


def test_what_another_host_works_on_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue()
    assert len(queue.claim(queue.now(), 10)) == 1
    set_clock(monkeypatch, SKEW)
    drain_once()
    assert results() == ["open"]
    changed = queue.hold(Selection(address="bob@b.test"), queue.now())
    assert (changed.done, changed.busy) == (0, 1)


def test_what_a_host_behind_works_on_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue()
    right: datetime = queue.now()
    set_clock(monkeypatch, -SKEW)
    queue.claim(queue.now(), 10)
    until = QueuedRecipient.objects.get().claimed_until
    assert until is not None
    assert until >= right + queue.CLAIM_SPAN


def test_mail_is_due_at_once_whatever_the_host_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, SKEW)
    enqueue()
    drain_once()
    assert results() == ["deferred"]
    assert row().next_attempt_at is not None
