"""A long queue is changed and purged a part at a time, so that it keeps nobody's mail waiting."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from delivery import queue
from delivery.models import QueuedRecipient
from delivery.queue import Changed, Selection, operating, purging
from tests.delivery.queued import enqueue

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def statements(queries: CaptureQueriesContext, beginning: str) -> list[str]:
    found = [query["sql"] for query in queries.captured_queries]
    return [sql for sql in found if sql.startswith(beginning)]


def test_what_is_chosen_changes_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "AT_ONCE", 10)
    enqueue(*(f"r{number}@b.test" for number in range(25)), now=NOW)
    with CaptureQueriesContext(connection) as queries:
        assert queue.hold(Selection(), NOW) == Changed(25, 0)
    assert len(statements(queries, "UPDATE")) == len(statements(queries, "COMMIT")) == 3
    QueuedRecipient.objects.filter(address="r3@b.test").update(
        claimed_until=NOW + timedelta(minutes=1)
    )
    assert queue.release(Selection(), NOW) == Changed(24, 1)


def test_a_purge_looks_once_at_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "_AT_ONCE", 2)
    for number in range(10):
        enqueue(f"r{number}@b.test", now=NOW)
    queue.hold(Selection(address="r0@b.test"), NOW)
    queue.cancel(Selection(state="pending"), NOW)
    with CaptureQueriesContext(connection) as queries:
        assert queue.purge(NOW + timedelta(days=8)) == 9
    looks = statements(queries, 'SELECT "delivery_queuedmessage"."id" AS')
    begins = [int(found[1]) for sql in looks if (found := re.search(r'"id" > (\d+)', sql))]
    # Each goes on behind what the one before has found, so none but the first sees what stays.
    assert len(begins) == len(looks) == 6
    assert begins == sorted(set(begins))
