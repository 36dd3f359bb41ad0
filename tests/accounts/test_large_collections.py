"""What is collected by the worker costs what there is to collect, not what the house holds."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.blobs import garbage
from accounts.mailstore import leftovers, recovery, uids
from accounts.mailstore.forgetting import forget_mailbox, forget_old
from accounts.models import Blob, Entry, Mailbox, Message, Recoverable
from tests.accounts.as_owner import expunge_uids
from tests.accounts.disk import age
from tests.accounts.mail import append_many, inbox, keep_nothing_deleted, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_mailboxes_that_have_room_for_what_was_deleted_are_not_asked_one_by_one(
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(30):
        mailbox_id = make_mailbox(quota=1 << 20)
        append_many(mailbox_id, inbox(mailbox_id), 2)
        expunge_uids(inbox(mailbox_id), None, only_deleted=False)
        Mailbox.objects.filter(pk=mailbox_id).update(quota_messages=number)
    # Two may hold less than that, and the first as much as it will.
    with django_assert_max_num_queries(20):
        assert forget_old(timezone.now()) == 1


@pytest.mark.usefixtures("own_blobs")
def test_what_is_looked_for_in_steps_begins_where_the_last_one_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    uids = append_many(mailbox_id, inbox(mailbox_id), 12)
    expunge_uids(inbox(mailbox_id), uids[::2], only_deleted=False)
    age(2)
    monkeypatch.setattr(leftovers, "CHUNK", 2)
    monkeypatch.setattr(garbage, "CHUNK", 2)
    for collect, model in (
        (leftovers.remove_unplaced_messages, Message),
        (garbage._delete_dead_blobs, Blob),
    ):
        with CaptureQueriesContext(connection) as queries:
            assert collect() == 6
        table = model._meta.db_table
        steps = [q["sql"] for q in queries.captured_queries if " LIMIT 2" in q["sql"]]
        assert len(steps) == 4
        for sql in steps:
            [last] = re.findall(rf'"{table}"."id" > (\d+)', sql)
            # Neither what points at earlier rows is gone through again.
            assert sql.count(f"> {last}") == 3
    assert Entry.objects.count() == Message.objects.count() == Blob.objects.count() == 6


def test_what_went_at_once_is_not_counted_anew_for_each_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    for number in (7, 5):
        append_many(mailbox_id, inbox(mailbox_id), number)
        expunge_uids(inbox(mailbox_id), None, only_deleted=False)
    for module in (recovery, uids):
        monkeypatch.setattr(module, "CHUNK", 3)
    size = Message.objects.latest("pk").size
    left: list[list[tuple[int, int]]] = []
    sums: list[str] = []
    drop = recovery.drop_entries

    def watched(keys: list[int]) -> int:
        with CaptureQueriesContext(connection) as queries:
            dropped = drop(keys)
        sums.extend(sql for q in queries.captured_queries if "SUM(" in (sql := q["sql"]))
        left.append(list(Recoverable.objects.order_by("pk").values_list("messages", "octets")))
        return dropped

    monkeypatch.setattr("accounts.mailstore.forgetting.drop_entries", watched)
    assert forget_mailbox(mailbox_id) == 12
    one, other = (4, 4 * size), (5, 5 * size)
    assert left == [[one, other], [(1, size), other], [(3, 3 * size)], []]
    assert len(sums) == 4
    assert all('WHERE "accounts_recoverableentry"."id" IN' in sql for sql in sums)
