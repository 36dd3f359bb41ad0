"""The pictures a process keeps are what the database holds, whatever was done to the folder."""

import random
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import commit, effects, stamps
from accounts.commit import telling
from accounts.mailstore import append, folders, index
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.picture import Picture
from accounts.models import Entry, Folder, FolderSnapshot
from accounts.rows import FolderGone
from tests import clean_slate
from tests.accounts import as_owner
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.accounts.test_commit import Held

pytestmark = pytest.mark.django_db(transaction=True)

sqlite_only = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps")
HELLO = b"Subject: hello\r\n\r\nhello\r\n"

PICKS = st.lists(st.integers(0, 1000), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("store"), PICKS, st.sampled_from([*StoreMode]), st.integers(0, 31)),
        st.tuples(st.just("label"), PICKS, st.sampled_from(["$Junk", "$Later"])),
        st.tuples(st.just("expunge"), PICKS),
        st.tuples(st.just("look")),
        st.tuples(st.just("forget")),
        st.tuples(st.just("snapshot")),
        st.tuples(st.just("recent")),
    ),
    max_size=14,
)


def check(picture: Picture) -> None:
    """The picture is what a plain query says."""
    rows = Entry.objects.filter(folder_id=picture.folder_id).order_by("uid")
    expected = list(rows.values_list("uid", "flags", "keywords", "modseq"))
    found = zip(picture.uids, picture.flags, picture.keywords, picture.modseqs, strict=True)
    assert list(found) == expected
    folder = Folder.objects.get(pk=picture.folder_id)
    assert (picture.uidnext, picture.recent_from_uid) == (folder.uidnext, folder.recent_from_uid)
    assert picture.highest_modseq == folder.highest_modseq
    assert picture.keyword_names == tuple(folder.keywords)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(STEPS, st.booleans())
def test_a_picture_is_what_the_database_holds(steps: list[tuple], is_elsewhere: bool) -> None:
    """Whether this process does it all or another one."""
    clean_slate.wipe()
    with pytest.MonkeyPatch.context() as patch:
        if is_elsewhere:
            another_process(patch)
        take(steps)


def another_process(patch: pytest.MonkeyPatch) -> None:
    """From here on what is committed reaches no picture, as though another process did it."""
    patch.setattr(telling, "followers", [])


def take(steps: list[tuple]) -> None:
    mailbox_id = make_mailbox()
    folder_id = folders.find_folder(mailbox_id, "INBOX").id
    for name, *arguments in [*steps, ("look",)]:
        uids = list(
            Entry.objects.filter(folder_id=folder_id).order_by("uid").values_list("uid", flat=True)
        )
        picked = (
            sorted({uids[pick % len(uids)] for pick in arguments[0]})
            if (uids and arguments and isinstance(arguments[0], list))
            else []
        )
        match name:
            case "append":
                for _ in range(arguments[0]):
                    append.append_message(mailbox_id, folder_id, HELLO).result()
            case "store" if picked:
                as_owner.store_flags(folder_id, picked, arguments[1], arguments[2])
            case "label" if picked:
                as_owner.store_flags(folder_id, picked, StoreMode.ADD, 0, [arguments[1]])
            case "expunge" if picked:
                as_owner.expunge_uids(folder_id, picked, only_deleted=False)
            case "look":
                check(index.picture(folder_id))
            case "forget":
                index.forget()
            case "snapshot":
                index.save_snapshot(index.picture(folder_id)).result()
            case "recent":
                folders.take_recent(folder_id)
        if (known := index.current(folder_id)) is not None:
            check(known)


def test_an_unchanged_folder_costs_one_query(django_assert_num_queries) -> None:
    folder_id = folders.find_folder(make_mailbox(), "INBOX").id
    picture = index.picture(folder_id)
    with django_assert_num_queries(1):
        assert index.picture(folder_id) is picture


@sqlite_only
def test_what_a_stamp_answers_for_costs_no_query(
    django_assert_num_queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    for _ in range(2):
        picture = index.picture(folder_id)
    with django_assert_num_queries(0):
        assert index.current(folder_id) is index.picture(folder_id) is picture
    another_process(monkeypatch)
    as_owner.store_flags(folder_id, [2], StoreMode.ADD, Flag.SEEN)
    assert index.current(folder_id) is None
    after = index.picture(folder_id)
    check(after)
    assert index.current(folder_id) is after
    folders.delete_folder(mailbox_id, folders.create_folder(mailbox_id, "a").name)
    assert index.current(folder_id) is None


@sqlite_only
@pytest.mark.parametrize("reader", ["_read_counters", "_read_entries"])
def test_what_is_committed_while_a_picture_is_read_leaves_it_no_stamp(
    reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_process(monkeypatch)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    index.picture(folder_id)
    append_many(mailbox_id, folder_id, 1)
    read, turns = getattr(index, reader), iter([1])

    def commit_after(*arguments: int) -> object:
        found = read(*arguments)
        for number in turns:
            append_many(mailbox_id, folder_id, number)
            break
        return found

    with monkeypatch.context() as patch:
        patch.setattr(index, reader, commit_after)
        index.picture(folder_id)
    assert index.current(folder_id) is None
    check(index.picture(folder_id))
    assert index.current(folder_id) is not None


@sqlite_only
def test_a_stamp_goes_with_its_picture() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    for _ in range(2):
        index.picture(folder_id)
    as_owner.store_flags(folder_id, [], StoreMode.ADD, Flag.SEEN)
    append_many(mailbox_id, folder_id, 1)
    for _ in range(2):
        index.picture(folder_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stamps, "change", unsaid(stamps.change))
        as_owner.store_flags(folder_id, [1], StoreMode.ADD, Flag.SEEN)
    # Another picture is kept now, of the state after the commit.
    assert index.current(folder_id) is None
    assert not index._shelf._stamps
    index.picture(folder_id)
    index.forget()
    assert index.current(folder_id) is None


def unsaid(change: Callable[..., object]) -> Callable[..., dict[int, stamps.Step]]:
    """The same, without a word about the stamps that it leaves."""

    def changed(mailbox_ids: Collection[int] | None = None) -> dict[int, stamps.Step]:
        change(mailbox_ids)
        return {}

    return changed


@sqlite_only
def test_what_this_process_commits_leaves_a_picture_with_its_stamp(
    django_assert_num_queries,
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    index.picture(folder_id)
    for number in range(1, 4):
        append_many(mailbox_id, folder_id, 1)
        as_owner.store_flags(folder_id, [number], StoreMode.ADD, Flag.SEEN)
        assert folders.take_recent(folder_id) == number
        with django_assert_num_queries(0):
            picture = index.picture(folder_id)
        check(picture)
        # It is told as news of what was known before.
        assert picture.changed_since(picture.highest_modseq - 1) == range(number, number + 1)
    as_owner.expunge_uids(folder_id, [2], only_deleted=False)
    with django_assert_num_queries(0):
        picture = index.picture(folder_id)
    check(picture)


@sqlite_only
def test_what_another_process_commits_between_takes_the_stamp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    index.picture(folder_id)
    with monkeypatch.context() as patch:
        another_process(patch)
        as_owner.store_flags(folder_id, [1], StoreMode.ADD, Flag.SEEN)
    # The picture that is kept is not of the state before this commit.
    as_owner.store_flags(folder_id, [2], StoreMode.ADD, Flag.SEEN)
    assert index.current(folder_id) is None
    check(index.picture(folder_id))


def test_an_arrival_is_not_laid_over_a_large_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "COPIED_FOR_ONE", 1)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    before = index.picture(folder_id)
    append_many(mailbox_id, folder_id, 1)
    assert index._shelf.get(folder_id) is before
    check(index.picture(folder_id))


def test_an_arrival_is_laid_over_once_until_somebody_looks() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    index.picture(folder_id)
    for _ in range(2):
        for _ in range(3):
            append_many(mailbox_id, folder_id, 1)
        # The other two are read by who looks.
        assert len(index._shelf.peek(folder_id)) == Entry.objects.count() - 2
        check(index.picture(folder_id))


def test_a_changed_folder_reads_only_what_changed(
    django_assert_num_queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_process(monkeypatch)
    mailbox_id = make_mailbox()
    folder_id = folders.find_folder(mailbox_id, "INBOX").id
    for _ in range(5):
        append.append_message(mailbox_id, folder_id, HELLO).result()
    before = index.picture(folder_id)
    as_owner.store_flags(folder_id, [2], StoreMode.ADD, Flag.SEEN)
    # One looks for what large STOREs have left, which there is not on PostgreSQL.
    with django_assert_num_queries(5 if connection.vendor == "sqlite" else 4):
        after = index.picture(folder_id)
    assert list(after.changed_since(before.highest_modseq)) == [2]
    check(after)


def test_what_this_process_stores_is_not_read_again(django_assert_num_queries) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 5)
    before = index.picture(folder_id)
    as_owner.store_flags(folder_id, [2, 3, 5], StoreMode.SET, Flag.SEEN, ["$Junk"])
    with django_assert_num_queries(0 if connection.vendor == "sqlite" else 1):
        after = index.picture(folder_id)
    assert after.uids is before.uids
    assert sorted(after.changed_since(before.highest_modseq)) == [2, 3, 5]
    check(after)
    as_owner.store_flags(folder_id, [2, 3], StoreMode.REMOVE, Flag.SEEN)
    last = index.picture(folder_id)
    assert last.changed_since(after.highest_modseq) == range(2, 4)
    check(last)


def test_what_this_process_expunges_is_not_read_again(django_assert_num_queries) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 6)
    before = index.picture(folder_id)
    as_owner.expunge_uids(folder_id, [1, 3, 4], only_deleted=False)
    with django_assert_num_queries(0 if connection.vendor == "sqlite" else 1):
        after = index.picture(folder_id)
    assert list(after.uids) == [2, 5, 6]
    assert sorted(after.changed_since(before.highest_modseq)) == [1, 3, 4]
    check(after)


def test_a_commit_that_did_more_than_a_picture_follows_is_read() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    index.picture(folder_id)
    with ThreadPoolExecutor() as pool, Held():
        stored = pool.submit(as_owner.store_flags, folder_id, [1, 2], StoreMode.ADD, Flag.SEEN)
        while not commit._committer._waiting:
            time.sleep(0.001)
        came = append.append_message(mailbox_id, folder_id, HELLO)
    assert stored.result(20).modseq == came.result(20).modseq
    check(index.picture(folder_id))


def test_a_large_folder_leaves_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SNAPSHOT_AFTER", 3)
    # What came came in another process.
    monkeypatch.setattr(telling, "followers", [])
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    assert effects.wait_idle()
    assert not FolderSnapshot.objects.exists()
    index.picture(folder_id)
    assert effects.wait_idle()
    assert FolderSnapshot.objects.get(folder_id=folder_id).modseq > 1


def test_many_arrivals_leave_a_picture_and_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SNAPSHOT_AFTER", 4)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    assert effects.wait_idle()
    kept = FolderSnapshot.objects.get(folder_id=folder_id)
    assert kept.modseq == Folder.objects.get(pk=folder_id).highest_modseq
    with CaptureQueriesContext(connection) as asked:
        assert list(index.picture(folder_id).uids) == [1, 2, 3, 4]
    assert len(asked) == 1
    # Not for each one that comes then.
    append_many(mailbox_id, folder_id, 3)
    assert effects.wait_idle()
    assert FolderSnapshot.objects.get(folder_id=folder_id).modseq == kept.modseq
    # The copies of a COPY count as what is delivered does.
    as_owner.copy_uids(folder_id, [1], folder_id)
    assert effects.wait_idle()
    assert FolderSnapshot.objects.get(folder_id=folder_id).modseq > kept.modseq


def test_a_snapshot_of_now_is_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    as_owner.store_flags(folder_id, [2], StoreMode.ADD, Flag(0), ["$Later"])
    index.save_snapshot(index.picture(folder_id)).result()
    index.forget()
    counters = folders.find_folder(mailbox_id, "INBOX").counters
    with CaptureQueriesContext(connection) as asked:
        found = index.picture(folder_id, counters)
    assert len(asked) == 1
    check(found)


def test_a_folder_that_is_kept_small_needs_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SNAPSHOT_AFTER", 4)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2, flags=Flag.DELETED)
    as_owner.expunge_uids(folder_id, [1, 2])
    append_many(mailbox_id, folder_id, 3)
    assert effects.wait_idle()
    assert not FolderSnapshot.objects.exists()


def test_a_folder_may_go_before_its_picture_is_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index, "SNAPSHOT_AFTER", 2)
    mailbox_id = make_mailbox()
    folder_id = folders.create_folder(mailbox_id, "a").id
    append_many(mailbox_id, folder_id, 2)
    folders.delete_folder(mailbox_id, "a")
    assert effects.wait_idle()
    assert not FolderSnapshot.objects.exists()
    assert caplog.text == ""


def test_a_snapshot_that_lies_is_not_believed() -> None:
    mailbox_id = make_mailbox()
    folder_id = folders.find_folder(mailbox_id, "INBOX").id
    for _ in range(4):
        append.append_message(mailbox_id, folder_id, HELLO).result()
    index.save_snapshot(index.picture(folder_id)).result()
    # As after a restore that brought back fewer entries than the snapshot knew.
    Entry.objects.filter(folder_id=folder_id, uid=2).delete()
    Folder.objects.filter(pk=folder_id).update(exists_count=3)
    index.forget()
    check(index.picture(folder_id))


def test_a_deleted_folder_has_no_picture() -> None:
    mailbox_id = make_mailbox()
    folder = folders.create_folder(mailbox_id, "a/b")
    parent = folders.find_folder(mailbox_id, "a")
    index.picture(parent.id)
    folders.delete_folder(mailbox_id, "a")
    with pytest.raises(FolderGone):
        index.picture(parent.id)
    folders.delete_folder(mailbox_id, "a/b")
    with pytest.raises(FolderGone):
        index.picture(folder.id)


def test_a_folder_made_anew_has_a_picture_of_its_own() -> None:
    mailbox_id = make_mailbox()
    folders.create_folder(mailbox_id, "a/b")
    old = folders.find_folder(mailbox_id, "a")
    append.append_message(mailbox_id, old.id, HELLO).result()
    assert len(index.picture(old.id)) == 1
    folders.delete_folder(mailbox_id, "a")
    new = folders.create_folder(mailbox_id, "a")
    picture = index.picture(new.id)
    assert len(picture) == 0
    assert picture.uidvalidity != old.uidvalidity


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = index._Shelf(limit=5_000)
    monkeypatch.setattr(index, "_shelf", shelf)
    mailbox_id = make_mailbox()
    ids = [folders.create_folder(mailbox_id, f"f{number}").id for number in range(20)]
    random.Random(1).shuffle(ids)
    for folder_id in ids:
        index.picture(folder_id)
    assert shelf.get(ids[-1]) is not None
    assert shelf.get(ids[0]) is None
    assert len(shelf._pictures) <= 5


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("reader", ["_read_entries", "_read_vanished"])
def test_a_commit_between_two_reads_is_in_the_picture_whole(
    reader: str, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pictures of one MODSEQ that differ would cost a session an EXPUNGE."""
    another_process(monkeypatch)
    mailbox_id = make_mailbox()
    folder_id = folders.find_folder(mailbox_id, "INBOX").id
    for _ in range(5):
        append.append_message(mailbox_id, folder_id, HELLO).result(30)
    if is_known:
        index.picture(folder_id)
    as_owner.store_flags(folder_id, [1, 2], StoreMode.ADD, Flag.SEEN)
    as_owner.expunge_uids(folder_id, [3], only_deleted=False)
    read, turns = getattr(index, reader), iter([2, 4])

    def read_after_another_commit(*arguments: int) -> object:
        for uid in turns:
            as_owner.expunge_uids(folder_id, [uid], only_deleted=False)
            break
        return read(*arguments)

    monkeypatch.setattr(index, reader, read_after_another_commit)
    before = index.picture(folder_id)
    check(before)
    assert list(before.uids) == [1, 5]
