"""The tailer of the search index begins soon after mail came, and gives way to who brings much."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import commit
from accounts.mailstore import (
    flags,
    search_bits,
    search_blocks,
    search_index,
    search_intake,
    search_tailer,
)
from accounts.models import Message, SearchBlock, SearchCursor, SearchText
from mailhost.celery import SCHEDULE
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.accounts.test_turns import await_waiters, turn

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """Time that passes only in sleep, and while mail is brought."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(search_tailer, "time", clock)
    monkeypatch.setattr(search_intake, "time", clock)
    monkeypatch.setattr(search_tailer, "_round", search_tailer._Round())
    return clock


def bring(clock: Clock, mailbox_id: int, count: int, seconds: float) -> None:
    append_many(mailbox_id, inbox(mailbox_id), count)
    clock.now += seconds


def flag(mailbox_id: int) -> None:
    mode = flags.StoreMode.ADD
    flags.store_flags(inbox(mailbox_id), [1], mode, flags.Flag.SEEN, actor=mailbox_id)


def test_it_works_for_as_long_as_it_may_and_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(search_tailer, "BATCH", 2)
    mailboxes = [make_mailbox() for _ in range(3)]
    for mailbox_id in mailboxes:
        bring(clock, mailbox_id, 5, 1)
    turns = 0
    while search_tailer.behind().exists():
        search_tailer.catch_up(-1)
        turns += 1
    assert turns >= 6
    assert SearchText.objects.count() == 15
    # Flags change nothing that is searched: nothing is read again.
    flag(mailboxes[0])
    assert search_tailer.catch_up(60, rests=False) == 0


def test_turns_follow_each_other_closely() -> None:
    seconds = float(str(SCHEDULE["index-mail"]["schedule"]))
    assert seconds - 0.2 < search_tailer.TURN < seconds <= 2


def test_a_turn_waits_for_the_end_of_the_one_before(clock: Clock) -> None:
    bring(clock, make_mailbox(), 1, 1)
    with search_tailer._turn:
        assert search_tailer.catch_up(0.01) == 0
    search_tailer._turn.acquire()
    threading.Timer(0.1, search_tailer._turn.release).start()
    assert search_tailer.catch_up() == 1


def test_one_mailbox_is_finished_first_and_the_others_are_not_forgotten(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(search_tailer, "BATCH", 2)
    mailboxes = [make_mailbox() for _ in range(3)]
    for mailbox_id in mailboxes:
        bring(clock, mailbox_id, 19, 20)
    order: list[int] = []
    plain = search_tailer._look_at

    def look(mailbox_id: int, step: search_tailer._Step) -> bool:
        order.append(mailbox_id)
        return plain(mailbox_id, step)

    monkeypatch.setattr(search_tailer, "_look_at", look)
    search_tailer.catch_up(60)
    one, other, third = mailboxes
    assert order[:12] == [one] * 5 + [other, third] + [one] * 5
    # The next that has much is favoured then.
    assert order[12:18] == [other] * 5 + [third]
    assert SearchText.objects.count() == 57


def test_it_rests_for_half_of_the_time_it_works(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(search_tailer, "BATCH", 1)
    bring(clock, make_mailbox(), 3, 1)
    plain = search_tailer._look_at

    def slow(mailbox_id: int, step: search_tailer._Step) -> bool:
        clock.now += 2
        return plain(mailbox_id, step)

    monkeypatch.setattr(search_tailer, "_look_at", slow)
    assert search_tailer.catch_up(60) == 3
    assert [each for each in clock.slept if each][:3] == [1, 1, 1]
    clock.slept.clear()
    bring(clock, make_mailbox(), 3, 1)
    assert search_tailer.catch_up(60, rests=False) == 3
    assert clock.slept == []


def test_it_waits_while_much_mail_is_coming(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(search_intake, "MANY", 4)
    mailbox_id = make_mailbox()
    bring(clock, mailbox_id, 1, 1)
    # Nobody knows yet how quickly that came.
    assert search_tailer.catch_up() == 1
    bring(clock, mailbox_id, 5, 1)
    assert search_tailer.catch_up(0.9) == 0
    bring(clock, mailbox_id, 5, 0.6)
    clock.slept.clear()
    assert search_tailer.catch_up() == 10
    assert [each for each in clock.slept if each][:4] == [0.25] * 4
    assert sum(clock.slept) < 1.3
    # So many are no reason to wait.
    bring(clock, mailbox_id, 4, 1)
    assert search_tailer.catch_up(0.1) == 4
    # Who indexes by hand waits for nobody.
    bring(clock, mailbox_id, 9, 1)
    assert search_tailer.catch_up(0.1) == 0
    assert search_tailer.catch_up(60, rests=False) == 9


def test_it_waits_for_nobody_from_when_it_is_far_behind_until_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(search_intake, "MANY", 1)
    monkeypatch.setattr(search_tailer, "FAR_BEHIND", 6)
    monkeypatch.setattr(search_tailer, "BATCH", 3)
    one, other = make_mailbox(), make_mailbox()
    assert search_tailer.catch_up() == 0
    bring(clock, one, 3, 1)
    bring(clock, other, 2, 1)
    assert search_tailer.catch_up(0.1) == 0
    bring(clock, other, 1, 0.1)
    assert search_tailer.catch_up(-1) == 3
    # Three are not many, but it goes on.
    assert search_tailer.catch_up(0.1) == 3
    bring(clock, one, 5, 1)
    assert search_tailer.catch_up(0.1) == 0


def test_what_comes_while_it_looks_waits_for_the_next_turn(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    mailbox_id = make_mailbox()
    bring(clock, mailbox_id, 1, 1)
    plain = search_tailer._write

    def write(step: search_tailer._Step, pace: search_tailer._Pace) -> int:
        if Message.objects.count() < 4:
            bring(clock, mailbox_id, 1, 1)
        return plain(step, pace)

    monkeypatch.setattr(search_tailer, "_write", write)
    assert search_tailer.catch_up(60) == 1
    assert search_tailer.catch_up(60) == 1
    assert search_tailer.catch_up(60, rests=False) == 2


def test_where_nothing_came_it_looks_at_no_mailbox(clock: Clock) -> None:
    mailbox_id = make_mailbox()
    bring(clock, mailbox_id, 1, 1)
    search_tailer.catch_up()
    assert search_tailer.catch_up() == 0
    flag(mailbox_id)
    with CaptureQueriesContext(connection) as queries:
        assert search_tailer.catch_up() == 0
    assert len(queries) == 1
    # Flags are looked for now and then, and what became visible below the highest key.
    clock.now += search_intake.LOOK_AGAIN
    search_tailer.catch_up()
    assert not search_tailer.behind().exists()


def test_how_far_behind_it_is_is_counted_above_the_cursors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_tailer, "FAR_BEHIND", 4)
    seen, half, outdated = mailboxes = [make_mailbox() for _ in range(3)]
    for mailbox_id in mailboxes:
        append_many(mailbox_id, inbox(mailbox_id), 3)
    search_tailer.catch_up(60, rests=False)
    append_many(half, inbox(half), 1)
    assert not search_tailer._are_far_behind(mailboxes)
    # What a cursor of another version says counts for nothing.
    SearchCursor.objects.filter(pk=outdated).update(version=search_index.VERSION - 1)
    with CaptureQueriesContext(connection) as queries:
        assert search_tailer._are_far_behind(mailboxes)
    assert not search_tailer._are_far_behind([seen, outdated])
    SearchCursor.objects.filter(pk=outdated).delete()
    assert search_tailer._are_far_behind(mailboxes)
    # However many a mailbox has: only what is above its cursor is read, and no more than matters.
    # (Of a nearly empty table one index is to PostgreSQL as good as another.)
    many = make_mailbox()
    append_many(many, inbox(many), 2_000)
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Message._meta.db_table}")
        for query in queries.captured_queries[1:]:
            assert "LIMIT" in query["sql"]
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{query['sql']}")
            plan = "\n".join(str(row) for row in cursor.fetchall())
            assert "message_mailbox" in plan
            conditions = "(mailbox_id=? AND id>?)" if is_sqlite else "(id > "
            assert conditions in plan


def test_it_rests_while_it_makes_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search_bits, search_blocks):
        monkeypatch.setattr(module, "COLUMNS", 8)
    monkeypatch.setattr(search_blocks, "_CHUNK", 2)
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 8)
    was_in_transaction: list[bool] = []

    def pause() -> None:
        was_in_transaction.append(connection.in_atomic_block)

    last = Message.objects.latest("pk").pk
    assert search_blocks.index_full_blocks(mailbox_id, last, pause) == 1
    assert was_in_transaction == [False] * 4


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL needs no turns")
def test_a_block_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search_bits, search_blocks):
        monkeypatch.setattr(module, "COLUMNS", 8)
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 8)
    commit.reset()
    last = Message.objects.latest("pk").pk
    with ThreadPoolExecutor(1) as pool:
        with turn():
            made = pool.submit(_made, mailbox_id, last)
            await_waiters(Path(connection.settings_dict["NAME"]), 1)
            assert not SearchBlock.objects.exists()
            # Nor does it hold what others write with.
            SearchCursor.objects.all().delete()
        assert made.result(10) == 1
    assert SearchBlock.objects.exists()


def _made(mailbox_id: int, last: int) -> int:
    try:
        return search_blocks.index_full_blocks(mailbox_id, last)
    finally:
        connection.close()
