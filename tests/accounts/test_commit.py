"""Group commit: together, in order, each unit on its own, and exactly once."""

import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import InternalError, OperationalError, connection, transaction

from accounts import blobs, commit
from accounts.blobs import OutOfSpace, Spool
from accounts.commit import batch, committer, telling
from accounts.mailstore.append import Appended
from accounts.models import Blob, Change, CommitMark, Entry, Folder, Mailbox, Message, Segment
from accounts.rows import Rows
from accounts.transactions import Transaction
from tests.accounts.disk import fail_one_sync
from tests.accounts.mail import HELLO, content, counters_agree, delivery, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


class Held:
    """Keeps the committer busy, so that what is submitted meanwhile becomes one batch."""

    def __enter__(self) -> "Held":
        self._go = threading.Event()
        started = threading.Event()

        def wait(rows: Rows, blob_id: int | None) -> None:
            started.set()
            assert self._go.wait(20)

        self._future = commit.submit(commit.Unit(frozenset(), wait))
        assert started.wait(20)
        return self

    def __exit__(self, *error: object) -> None:
        self._go.set()
        self._future.result(20)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[batch.Attempt]:
    """The batches that are tried from now on."""
    seen: list[batch.Attempt] = []
    run = batch.Attempt.run

    def noting(self: batch.Attempt) -> None:
        seen.append(self)
        run(self)

    monkeypatch.setattr(batch.Attempt, "run", noting)
    return seen


def unit(work: Callable[[Rows], Any], *mailbox_ids: int) -> commit.Unit[Any]:
    return commit.Unit(frozenset(mailbox_ids), lambda rows, blob: work(rows))


def test_what_queues_during_a_commit_is_one_batch(tries: list[batch.Attempt]) -> None:
    mailbox_id = make_mailbox()
    with Held():
        futures = [commit.submit(delivery(mailbox_id, HELLO)) for _ in range(20)]
    assert [future.result(20).uid for future in futures] == list(range(1, 21))
    assert len(tries) == 2
    assert len({future.result().modseq for future in futures}) == 1
    assert counters_agree(mailbox_id)


def held_large_unit(mailbox_id: int) -> tuple[Future[None], threading.Event]:
    """A unit larger than a batch, under way until the event is set."""
    started, go = threading.Event(), threading.Event()

    def wait(rows: Rows, blob_id: int | None) -> None:
        started.set()
        assert go.wait(20)

    large = commit.Unit(frozenset((mailbox_id,)), wait, rows=commit.MAX_ROWS + 1)
    future = commit.submit(large)
    assert started.wait(20)
    return future, go


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one write lock")
def test_only_its_own_mailbox_waits_for_a_large_unit() -> None:
    first, second = make_mailbox(), make_mailbox()
    large, go = held_large_unit(first)
    own = commit.submit(delivery(first, HELLO))
    # Behind one that has to wait, and before others come.
    for uid in (1, 2):
        assert commit.submit(delivery(second, HELLO)).result(20).uid == uid
    assert not large.done()
    assert not own.done()
    go.set()
    large.result(20)
    assert own.result(20).uid == 1


def test_a_large_unit_under_way_is_finished_before_the_end() -> None:
    mailbox_id = make_mailbox()
    large, go = held_large_unit(mailbox_id)
    own = commit.submit(delivery(mailbox_id, HELLO))
    threading.Timer(0.1, go.set).start()
    commit.reset()
    large.result(0)
    assert own.result(0).uid == 1


def test_octets_are_read_back_with_the_prefix_on_top() -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO, b"Return-Path: <>\r\n"))
    assert content(inbox(mailbox_id)) == {1: b"Return-Path: <>\r\n" + HELLO}


def test_a_future_is_resolved_after_the_commit() -> None:
    mailbox_id = make_mailbox()
    seen: list[int] = []
    done = threading.Event()

    def look(future: object) -> None:
        seen.append(Entry.objects.count())
        seen.append(int(connection.in_atomic_block))
        done.set()

    commit.submit(delivery(mailbox_id, HELLO)).add_done_callback(look)
    assert done.wait(20)
    assert seen == [1, 0]


def test_an_exception_of_a_unit_undoes_that_unit_alone(tries: list[batch.Attempt]) -> None:
    first, second = make_mailbox(), make_mailbox()

    class Full(Exception):
        pass

    spoilt = delivery(first, HELLO)

    def write(rows: Rows, blob_id: int | None) -> None:
        spoilt.write(rows, blob_id)
        raise Full

    with Held():
        before = commit.submit(delivery(first, HELLO))
        bad = commit.submit(commit.Unit(frozenset((first,)), write, HELLO))
        after = commit.submit(delivery(first, HELLO))
        other = commit.submit(delivery(second, HELLO))
    with pytest.raises(Full):
        bad.result(20)
    assert (before.result().uid, after.result().uid, other.result().uid) == (1, 2, 1)
    assert len(tries) == 2
    assert Blob.objects.count() == Message.objects.count() == 3
    assert counters_agree(first)
    assert counters_agree(second)


def test_statements_of_a_failed_unit_are_undone_with_it(tries: list[batch.Attempt]) -> None:
    mailbox_id = make_mailbox()

    def spoil(rows: Rows) -> None:
        rows.direct()
        Folder.objects.filter(mailbox_id=mailbox_id).delete()
        raise ValueError("no")

    with Held():
        before = commit.submit(delivery(mailbox_id, HELLO))
        bad = commit.submit(unit(spoil, mailbox_id))
        after = commit.submit(delivery(mailbox_id, HELLO))
    assert isinstance(bad.exception(20), ValueError)
    assert (before.result().uid, after.result().uid) == (1, 2)
    assert len(tries) == 2


def test_a_direct_unit_sees_what_came_before_it_in_the_batch() -> None:
    mailbox_id = make_mailbox()

    def count(rows: Rows) -> int:
        rows.direct()
        return Entry.objects.count()

    with Held():
        commit.submit(delivery(mailbox_id, HELLO))
        counted = commit.submit(unit(count, mailbox_id))
    assert counted.result(20) == 1


def test_an_error_of_the_data_splits_the_batch() -> None:
    mailbox_id = make_mailbox()

    def write_nonsense(rows: Rows) -> None:
        rows.insert(Entry(folder_id=inbox_id, message_id=10**9, uid=999, modseq=1, saved_at=0))

    inbox_id = inbox(mailbox_id)
    with Held():
        good = [commit.submit(delivery(mailbox_id, HELLO)) for _ in range(5)]
        bad = commit.submit(unit(write_nonsense, mailbox_id))
        good += [commit.submit(delivery(mailbox_id, HELLO)) for _ in range(5)]
    assert sorted(future.result(20).uid for future in good) == list(range(1, 11))
    assert bad.exception(20) is not None
    assert counters_agree(mailbox_id)
    assert Entry.objects.count() == 10


def test_a_batch_is_bounded_in_rows(
    monkeypatch: pytest.MonkeyPatch, tries: list[batch.Attempt]
) -> None:
    monkeypatch.setattr(committer, "MAX_ROWS", 10)

    def make(rows: int) -> commit.Unit[Any]:
        return commit.Unit(frozenset(), lambda rows, blob: None, rows=rows)

    with Held():
        futures = [commit.submit(make(rows)) for rows in (4, 6, 1, 50, 1)]
    for future in futures:
        future.result(20)
    # 4 + 6, then 1, then 50 alone, then 1; and the one that held them up. Aside, 50 parts nobody.
    assert len(tries) == (5 if connection.vendor == "sqlite" else 4)


@pytest.mark.parametrize(("limit", "most"), [("MAX_UNITS", 4), ("MAX_OCTETS", 4 * len(HELLO))])
def test_a_batch_is_bounded_in_units_and_in_octets(
    monkeypatch: pytest.MonkeyPatch, tries: list[batch.Attempt], limit: str, most: int
) -> None:
    mailbox_id = make_mailbox()
    monkeypatch.setattr(committer, limit, most)
    with Held():
        futures = [commit.submit(delivery(mailbox_id, HELLO)) for _ in range(10)]
    assert [future.result(20).uid for future in futures] == list(range(1, 11))
    # 4, 4 and 2; and the one that held them up.
    assert len(tries) == 4


def test_units_of_one_command_come_back_in_their_order() -> None:
    mailbox_id = make_mailbox()
    units = (delivery(mailbox_id, HELLO) for _ in range(12))
    assert [done.uid for done in commit.run_each(units)] == list(range(1, 13))


def test_the_change_log_names_the_uids() -> None:
    first, second = make_mailbox(), make_mailbox()

    def flagged(mailbox_id: int, *uids: int) -> commit.Unit[int]:
        def work(rows: Rows) -> int:
            return rows.changed(rows.inbox(mailbox_id), Change.Kind.FLAGS, uids)

        return unit(work, mailbox_id)

    with Held():
        several = (flagged(first, 1), flagged(first, 1, 3), flagged(second, 1), flagged(first, 2))
        held = [commit.submit(each) for each in several]
    for future in held:
        future.result(20)
    commit.run(flagged(first, 4))
    log = Change.objects.order_by("mailbox_id", "modseq").values_list("mailbox_id", "kind", "uids")
    assert list(log) == [(first, "flags", "1:3"), (first, "flags", "4"), (second, "flags", "1")]


def test_what_came_needs_no_row_in_the_change_log_of_the_embedded_database() -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    # On PostgreSQL an older server may still look for it there.
    log = list(Change.objects.values_list("kind", "uids"))
    assert log == ([] if connection.vendor == "sqlite" else [("appended", "1")])


def test_a_lost_connection_before_the_commit_repeats_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    monkeypatch.setattr(batch, "RETRY_PAUSES", (0.0, 0.0))
    failures = iter([True, True])
    write = Rows.write

    def lose(rows: Rows) -> None:
        if next(failures, False):
            raise OperationalError("server closed the connection unexpectedly")
        write(rows)

    monkeypatch.setattr(Rows, "write", lose)
    assert commit.run(delivery(mailbox_id, HELLO)).uid == 1
    assert Entry.objects.count() == Blob.objects.count() == 1


def _fail_after_commit(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The next batch commits, but its thread hears otherwise."""
    failures = iter([error])
    leave = Transaction.__exit__

    def exit_(self: Transaction, *args: Any) -> None:
        leave(self, *args)
        if args[0] is None and (failure := next(failures, None)):
            raise failure

    monkeypatch.setattr(Transaction, "__exit__", exit_)


def _take_a_uid(mailbox_id: int) -> commit.Unit[int]:
    """A unit without octets, which says by its result how often it was committed."""
    folder_id = inbox(mailbox_id)
    return unit(lambda rows: rows.folder(folder_id).take_uids(), mailbox_id)


def test_a_connection_lost_in_commit_is_settled_by_the_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    monkeypatch.setattr(batch, "RETRY_PAUSES", (0.0,))
    _fail_after_commit(monkeypatch, OperationalError("lost in COMMIT"))
    assert commit.run(delivery(mailbox_id, HELLO)).uid == 1
    assert Entry.objects.count() == 1
    _fail_after_commit(monkeypatch, OperationalError("lost in COMMIT"))
    assert commit.run(_take_a_uid(mailbox_id)) == 2
    assert commit.run(_take_a_uid(mailbox_id)) == 3
    assert counters_agree(mailbox_id)


def test_octets_mark_their_batch_and_a_row_one_that_keeps_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    monkeypatch.setattr(batch, "RETRY_PAUSES", (0.0,))
    commit.run(delivery(mailbox_id, HELLO))
    assert not CommitMark.objects.exists()

    def refuse(rows: Rows, blob_id: int | None) -> None:
        raise ValueError

    _fail_after_commit(monkeypatch, OperationalError("lost in COMMIT"))
    with Held():
        refused = commit.submit(commit.Unit(frozenset((mailbox_id,)), refuse, HELLO))
        taken = commit.submit(_take_a_uid(mailbox_id))
    assert isinstance(refused.exception(20), ValueError)
    assert taken.result(20) == 2
    assert commit.run(_take_a_uid(mailbox_id)) == 3
    assert CommitMark.objects.count() == 1


@pytest.mark.parametrize("look", ["is_stored", "is_marked"])
def test_a_database_that_is_away_after_a_commit_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    mailbox_id = make_mailbox()
    made = delivery(mailbox_id, HELLO) if look == "is_stored" else _take_a_uid(mailbox_id)
    monkeypatch.setattr(batch, "RETRY_PAUSES", (0.0,))
    monkeypatch.setattr(batch, "LOOK_PAUSE", 0.0)
    _fail_after_commit(monkeypatch, OperationalError("lost in COMMIT"))
    real = getattr(batch, look)
    failures = iter([True] * 20)

    def away(*asked: Any) -> bool:
        if next(failures, False):
            raise OperationalError("the database system is starting up")
        return bool(real(*asked))

    monkeypatch.setattr(batch, look, away)
    commit.run(made)
    assert Folder.objects.get(pk=inbox(mailbox_id)).uidnext == 2

    monkeypatch.setattr(batch, "LOOK_PATIENCE", 0.0)
    failures = iter([True] * 20)
    _fail_after_commit(monkeypatch, OperationalError("lost in COMMIT"))
    with pytest.raises(commit.CommitUnavailable):
        commit.run(made)
    # The sender may send it twice: never has one try written it twice.
    assert Folder.objects.get(pk=inbox(mailbox_id)).uidnext == 3


@pytest.mark.parametrize("has_octets", [True, False])
def test_a_repeat_that_meets_the_mark_of_a_late_commit_ends_there(
    monkeypatch: pytest.MonkeyPatch, *, has_octets: bool
) -> None:
    mailbox_id = make_mailbox()
    made = delivery(mailbox_id, HELLO) if has_octets else _take_a_uid(mailbox_id)
    monkeypatch.setattr(batch, "RETRY_PAUSES", (0.0,))
    _fail_after_commit(monkeypatch, OperationalError("lost in COMMIT"))
    look = batch.Attempt.has_landed
    blind = iter([True])

    def has_landed(self: Any) -> bool:
        # The first look comes too early: the commit is still on its way.
        return False if next(blind, False) else look(self)

    monkeypatch.setattr(batch.Attempt, "has_landed", has_landed)
    commit.run(made)
    assert Folder.objects.get(pk=inbox(mailbox_id)).uidnext == 2


@pytest.mark.parametrize("error", [OperationalError, InternalError])
def test_a_database_that_stays_away_is_a_temporary_failure(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    mailbox_id = make_mailbox()
    monkeypatch.setattr(batch, "RETRY_PAUSES", (0.0, 0.0))

    def lose(rows: Rows) -> None:
        raise error("database is locked, or takes no writes")

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "write", lose)
        with pytest.raises(commit.CommitUnavailable):
            commit.run(delivery(mailbox_id, HELLO))
    assert commit.run(delivery(mailbox_id, HELLO)).uid == 1


def test_a_full_disk_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()

    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        with Held():
            with_octets = commit.submit(delivery(mailbox_id, HELLO))
            without = commit.submit(unit(lambda rows: rows.modseq(mailbox_id), mailbox_id))
        assert isinstance(with_octets.exception(20), OutOfSpace)
        assert without.result(20) > 0


@pytest.mark.parametrize(
    "text", ["database or disk is full", "could not extend file: No space left on device"]
)
def test_a_database_without_room_is_told_apart(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def fail(self: batch.Attempt) -> None:
        raise OperationalError(text)

    monkeypatch.setattr(batch, "RETRY_PAUSES", ())
    monkeypatch.setattr(batch.Attempt, "run", fail)
    assert isinstance(commit.submit(unit(lambda rows: None)).exception(20), OutOfSpace)


def test_a_failed_sync_abandons_the_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    fail_one_sync(monkeypatch)
    assert commit.run(delivery(mailbox_id, HELLO)).uid == 2
    assert list(Segment.objects.order_by("pk").values_list("is_sealed", flat=True)) == [True, False]
    assert set(content(inbox(mailbox_id)).values()) == {HELLO}


def test_a_split_batch_commits_nothing_before_the_disk_has_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    folder_id = inbox(mailbox_id)
    there = Entry.objects.get()

    def write_again(rows: Rows) -> None:
        rows.insert(Entry(folder_id=folder_id, message=there.message, uid=1, modseq=1, saved_at=0))

    fail_one_sync(monkeypatch)
    with Held():
        without = commit.submit(unit(lambda rows: rows.folder(folder_id).take_uids(), mailbox_id))
        bad = commit.submit(unit(write_again, mailbox_id))
        with_octets = commit.submit(delivery(mailbox_id, HELLO))
    assert bad.exception(20) is not None
    assert without.result(20) == 2
    assert with_octets.result(20).uid == 3


def test_rows_are_made_while_the_disk_works_and_committed_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    made, may_sync = threading.Event(), threading.Event()
    sync = blobs.segments.os.fdatasync

    def wait_and_sync(fd: int) -> None:
        assert may_sync.wait(20)
        sync(fd)

    def write(rows: Rows, blob_id: int | None) -> int:
        made.set()
        return rows.modseq(mailbox_id)

    monkeypatch.setattr("os.fdatasync", wait_and_sync)
    future = commit.submit(commit.Unit(frozenset((mailbox_id,)), write, HELLO))
    assert made.wait(20)
    assert Blob.objects.count() == 1
    assert not future.done()
    may_sync.set()
    assert future.result(20) > 0
    assert Blob.objects.count() == 2


def test_octets_that_the_disk_lost_leave_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time round another segment has them, and each unit has run twice."""
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    runs: list[int] = []

    def counted(made: commit.Unit[Appended]) -> commit.Unit[Appended]:
        write = made.write

        def again(rows: Rows, blob_id: int | None) -> Appended:
            runs.append(rows.mailbox(mailbox_id).used_messages)
            return write(rows, blob_id)

        made.write = again
        return made

    fail_one_sync(monkeypatch)
    with Held():
        futures = [commit.submit(counted(delivery(mailbox_id, HELLO))) for _ in range(2)]
    assert [future.result(20).uid for future in futures] == [2, 3]
    assert runs == [1, 2, 1, 2]
    assert Blob.objects.count() == 3
    assert set(content(inbox(mailbox_id)).values()) == {HELLO}


def test_a_large_spool_becomes_a_segment_of_its_own() -> None:
    mailbox_id = make_mailbox()
    octets = HELLO + b"x" * (2 << 20)
    made = delivery(mailbox_id, octets)
    spool = Spool()
    for start in range(0, len(octets), 70_000):
        spool.write(octets[start : start + 70_000])
    made.octets = spool
    path = spool.path
    commit.run(made)
    spool.discard()
    assert path is not None
    assert not path.exists()
    assert Segment.objects.get().is_sealed
    assert content(inbox(mailbox_id)) == {1: octets}


def test_one_message_for_many_shares_its_octets() -> None:
    ids = [make_mailbox() for _ in range(3)]
    writes = [delivery(mailbox_id, HELLO).write for mailbox_id in ids]

    def write(rows: Rows, blob_id: int | None) -> list[int]:
        return [each(rows, blob_id).uid for each in writes]

    assert commit.run(commit.Unit(frozenset(ids), write, HELLO)) == [1, 1, 1]
    assert Blob.objects.count() == 1
    assert all(counters_agree(mailbox_id) for mailbox_id in ids)


def test_a_removed_mailbox_fails_its_unit() -> None:
    mailbox_id = make_mailbox()
    made = delivery(mailbox_id, HELLO)
    Mailbox.objects.filter(pk=mailbox_id).delete()
    with pytest.raises(commit.MailboxGone):
        commit.run(made)


def test_a_unit_from_inside_a_transaction_is_a_bug() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        commit.submit(unit(lambda rows: None))


def test_listeners_hear_of_changed_folders() -> None:
    mailbox_id = make_mailbox()
    heard: list[tuple[int, int, int]] = []
    told = threading.Event()

    def listener(notices: list[tuple[int, int, int]]) -> None:
        heard.extend(notices)
        told.set()

    commit.listen(listener)
    try:
        appended = commit.run(delivery(mailbox_id, HELLO))
        assert told.wait(20)
    finally:
        telling.listeners.remove(listener)
    assert heard == [(mailbox_id, inbox(mailbox_id), appended.modseq)]


@pytest.mark.parametrize("list_name", ["followers", "walkers", "listeners"])
def test_who_is_told_and_fails_holds_up_nobody(
    list_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("whoever is told is not the commit's business")

    mailbox_id = make_mailbox()
    monkeypatch.setattr(telling, list_name, [fail])
    for uid in (1, 2):
        assert commit.submit(delivery(mailbox_id, HELLO)).result(20).uid == uid


def test_effects_run_after_the_commit_and_may_fail() -> None:
    mailbox_id = make_mailbox()
    ran = threading.Event()

    def work(rows: Rows) -> None:
        def fail() -> None:
            raise ValueError("an effect is only a hint")

        rows.after_commit(fail)
        rows.after_commit(ran.set)

    commit.run(unit(work, mailbox_id))
    assert ran.wait(20)
    assert commit.run(delivery(mailbox_id, HELLO)).uid == 1


def test_shutdown_commits_what_waits_and_seals() -> None:
    mailbox_id = make_mailbox()
    with Held():
        futures = [commit.submit(delivery(mailbox_id, HELLO)) for _ in range(3)]
        threading.Thread(target=commit.shutdown).start()
    assert [future.result(20).uid for future in futures] == [1, 2, 3]
    commit.shutdown()
    assert Segment.objects.get().is_sealed
    late = commit.submit(delivery(mailbox_id, HELLO))
    assert isinstance(late.exception(20), commit.CommitUnavailable)


def test_the_number_of_queries_of_a_batch_does_not_grow_with_it() -> None:
    ids = [make_mailbox() for _ in range(12)]
    counts = []

    def count(batch: list[int]) -> None:
        queries: list[str] = []

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            queries.append(sql)
            return execute(sql, params, many, context)

        def start(rows: Rows) -> None:
            connection.execute_wrappers.append(note)

        def stop(rows: Rows) -> None:
            rows.after_commit(connection.execute_wrappers.clear)

        with Held():
            commit.submit(unit(start))
            futures = [commit.submit(delivery(mailbox_id, HELLO)) for mailbox_id in batch]
            commit.submit(unit(stop))
        for future in futures:
            future.result(20)
        counts.append(len(queries))

    count(ids[:2])
    count(ids)
    assert counts[0] == counts[1] <= 10
