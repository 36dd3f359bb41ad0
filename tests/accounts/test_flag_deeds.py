"""What a large STORE leaves to be written later is true at once, for whoever looks, by any way."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import commit, flag_deeds, fsck, tasks
from accounts.mailstore import append, flag_rows, folders, index, quota, recovery, settling
from accounts.mailstore.flags import Flag, Stored, StoreMode, _Store, begin_store
from accounts.mailstore.picture import empty
from accounts.mailstore.refusals import NoSuchFolder
from accounts.models import Change, Entry, FlagDeed, Folder
from accounts.rows import Rows
from tests import clean_slate
from tests.accounts.as_owner import copy_uids, expunge_uids, move_uids, store_flags
from tests.accounts.mail import (
    HELLO,
    append_many,
    counters_agree,
    flags_of,
    inbox,
    make_mailbox,
)
from tests.accounts.test_commit import Held

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="on PostgreSQL nothing is left"),
]

EACH = range(1, 7)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    make_few_many(monkeypatch)


def make_few_many(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flag_rows, "MANY", 2)
    patch.setattr(flag_deeds, "LEFT_FROM", 2)


def deeds() -> int:
    return FlagDeed.objects.count()


def seen_afresh(folder_id: int) -> dict[int, tuple[int, int, int]]:
    """By UID: flags, keywords and MODSEQ, as a process finds them that knows nothing yet."""
    index.forget()
    picture = index.picture(folder_id)
    columns = picture.uids, picture.flags, picture.keywords, picture.modseqs
    return {uid: rest for uid, *rest in zip(*columns, strict=True)}


def in_rows(folder_id: int) -> dict[int, list[int]]:
    rows = Entry.objects.filter(folder_id=folder_id).order_by("uid")
    return {uid: rest for uid, *rest in rows.values_list("uid", "flags", "keywords", "modseq")}


def test_a_large_store_writes_no_entry_and_is_true_all_the_same(
    mailbox_id: int, folder_id: int
) -> None:
    before = in_rows(folder_id)
    done = store_flags(folder_id, EACH, StoreMode.ADD, Flag.FLAGGED | Flag.SEEN)
    assert (list(done.changed), deeds()) == (list(EACH), 1)
    assert in_rows(folder_id) == before
    expected = {uid: [Flag.FLAGGED | Flag.SEEN, 0, done.modseq] for uid in EACH}
    assert seen_afresh(folder_id) == expected
    assert folders.get_folder(folder_id).unseen == 0
    log = Change.objects.filter(folder_id=folder_id).last()
    assert log is not None
    assert (log.kind, log.modseq, log.uids) == ("flags", done.modseq, "1:6")

    tasks.settle_flags()
    assert (deeds(), in_rows(folder_id)) == (0, expected)
    assert seen_afresh(folder_id) == expected
    assert counters_agree(mailbox_id)


def test_who_waits_for_the_time_it_leaves_is_told_in_any_case(
    mailbox_id: int, folder_id: int
) -> None:
    """Whether entries are written, a deed is left, nothing changes, or it fails."""
    for uids, mode, flag in (
        ([1], StoreMode.SET, Flag.SEEN),
        (EACH, StoreMode.ADD, Flag.SEEN),
        (EACH, StoreMode.ADD, Flag.SEEN),
        (EACH, StoreMode.ADD, Flag(0)),
    ):
        storing = begin_store(folder_id, uids, mode, flag, actor=mailbox_id)
        storing.result()
        assert storing.at_work.is_set()
    failing = begin_store(folder_id, EACH, StoreMode.ADD, Flag.SEEN, actor=make_mailbox())
    with pytest.raises(NoSuchFolder):
        failing.result()
    assert failing.at_work.is_set()


def test_settling_is_no_change(folder_id: int) -> None:
    done = store_flags(folder_id, EACH, StoreMode.ADD, Flag.FLAGGED)
    log = Change.objects.count()
    known = index.picture(folder_id)
    assert settling.settle_all() == 1
    assert settling.settle_all() == 0
    assert index.picture(folder_id) is known
    assert (known.highest_modseq, Change.objects.count()) == (done.modseq, log)


def test_only_entries_that_differ_are_in_it(mailbox_id: int, folder_id: int) -> None:
    first = store_flags(folder_id, [2, 5], StoreMode.ADD, Flag.SEEN)
    done = store_flags(folder_id, range(1, 6), StoreMode.ADD, Flag.SEEN)
    assert list(done.changed) == [1, 3, 4]
    assert done.modseq > first.modseq
    found = seen_afresh(folder_id)
    assert [found[uid][2] for uid in (2, 5)] == [first.modseq] * 2
    assert [found[uid][2] for uid in (1, 3, 4)] == [done.modseq] * 3
    assert folders.get_folder(folder_id).unseen == 1
    settling.settle_all()
    assert in_rows(folder_id) == found
    assert counters_agree(mailbox_id)


def test_the_same_entries_again_are_one_deed(mailbox_id: int, folder_id: int) -> None:
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN | Flag.FLAGGED)
    store_flags(folder_id, EACH, StoreMode.REMOVE, Flag.SEEN)
    done = store_flags(folder_id, EACH, StoreMode.ADD, Flag.DRAFT)
    assert deeds() == 1
    expected = {uid: [Flag.FLAGGED | Flag.DRAFT, 0, done.modseq] for uid in EACH}
    assert seen_afresh(folder_id) == expected
    settling.settle_all()
    assert in_rows(folder_id) == expected
    assert counters_agree(mailbox_id)


def test_there_are_never_many(
    mailbox_id: int, folder_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flag_deeds, "MOST", 2)
    there = []
    for number, flag in enumerate((1, 2, 4, 8, 16)):
        store_flags(folder_id, range(1, 3 + number % 3), StoreMode.ADD, Flag(flag))
        there.append(deeds())
    assert there == [1, 2, 1, 2, 1]
    found = seen_afresh(folder_id)
    assert [found[uid][0] for uid in EACH] == [31, 31, 22, 4, 0, 0]
    settling.settle_all()
    assert in_rows(folder_id) == found
    assert counters_agree(mailbox_id)


def test_what_fails_leaves_nothing_and_settles_nothing(mailbox_id: int, folder_id: int) -> None:
    """Alone in its commit, and among others."""

    def submit(write: Callable[[Rows, object], object]) -> Future[object]:
        unit = commit.Unit(frozenset((mailbox_id,)), write, folder_ids=frozenset((folder_id,)))
        return commit.submit(unit)

    def store(uids: range, flag: Flag) -> _Store:
        return _Store(mailbox_id, folder_id, uids, StoreMode.ADD, int(flag), (), None)

    def fail_after(work: Callable[[Rows], object]) -> Callable[[Rows, object], object]:
        def write(rows: Rows, blob_id: object) -> object:
            work(rows)
            raise ValueError("as planned")

        return write

    with pytest.raises(ValueError, match="planned"):
        submit(fail_after(lambda rows: store(EACH, Flag.DRAFT)(rows, None))).result(20)
    assert deeds() == 0
    with Held():
        failing = submit(fail_after(lambda rows: store(EACH, Flag.DRAFT)(rows, None)))
        left = submit(lambda rows, blob: store(EACH, Flag.SEEN)(rows, None))
        settled_in_vain = submit(fail_after(lambda rows: rows.folder(folder_id)))
    for each in failing, settled_in_vain:
        assert isinstance(each.exception(20), ValueError)
    done = left.result(20)
    assert isinstance(done, Stored)
    assert deeds() == 1
    expected = {uid: [Flag.SEEN, 0, done.modseq] for uid in EACH}
    assert seen_afresh(folder_id) == expected
    settling.settle_all()
    assert in_rows(folder_id) == expected
    assert counters_agree(mailbox_id)


def test_what_was_settled_in_vain_is_settled_for_the_next(mailbox_id: int, folder_id: int) -> None:
    """The unit that had settled is undone, and another of the same batch looks."""

    def look(rows: Rows) -> object:
        rows.folder(folder_id)
        return in_rows(folder_id)

    def look_and_fail(rows: Rows) -> object:
        look(rows)
        raise ValueError("as planned")

    store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    expected = seen_afresh(folder_id)
    with Held():
        units = [
            commit.Unit(frozenset((mailbox_id,)), lambda rows, blob, work=work: work(rows))
            for work in (look_and_fail, look)
        ]
        in_vain, looked = [commit.submit(unit) for unit in units]
    assert isinstance(in_vain.exception(20), ValueError)
    assert looked.result(20) == expected
    assert deeds() == 0


def test_two_of_one_commit(mailbox_id: int, folder_id: int) -> None:
    """They have one MODSEQ: the second writes what the first has left."""

    def submit(uids: range, mode: StoreMode, flag: Flag) -> Future[Stored]:
        work = _Store(mailbox_id, folder_id, uids, mode, int(flag), (), None)
        unit = commit.Unit(frozenset((mailbox_id,)), work, folder_ids=frozenset((folder_id,)))
        return commit.submit(unit)

    with Held():
        first = submit(EACH, StoreMode.ADD, Flag.SEEN | Flag.FLAGGED)
        second = submit(range(2, 5), StoreMode.REMOVE, Flag.SEEN)
    assert first.result(20).modseq == second.result(20).modseq
    found = seen_afresh(folder_id)
    assert [found[uid][0] for uid in EACH] == [5, 4, 4, 4, 5, 5]
    settling.settle_all()
    assert in_rows(folder_id) == found
    assert counters_agree(mailbox_id)


def test_what_is_settled_while_a_picture_is_read(
    folder_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the deeds and that at the rows; and left in between, too."""
    done = store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    look = flag_deeds.left

    def looked(folder: int) -> list[flag_deeds.Left]:
        found = look(folder)
        if connection.in_atomic_block or not steps:
            return found
        steps.pop()()
        return found

    steps: list[Callable[[], object]] = [settling.settle_all]
    monkeypatch.setattr(flag_deeds, "left", looked)
    # The settling itself looks, too.
    steps.insert(0, lambda: None)
    assert seen_afresh(folder_id) == {uid: [Flag.SEEN, 0, done.modseq] for uid in EACH}
    index.forget()
    index.picture(folder_id)
    again: list[Stored] = []

    def store() -> None:
        again.append(store_flags(folder_id, EACH, StoreMode.ADD, Flag.DRAFT))
        settling.settle_all()

    kept = index.picture(folder_id)
    steps[:] = [lambda: None, store]
    counters = index._read_counters(folder_id)
    found = index._read_entries(empty(folder_id, counters), counters)
    assert kept is not index.picture(folder_id)
    both = Flag.SEEN | Flag.DRAFT
    assert [row[1:] for row in found] == [(both, 0, again[0].modseq)] * 6


def test_small_changes_find_what_was_left(mailbox_id: int, folder_id: int) -> None:
    done = store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    late = store_flags(
        folder_id, [1, 2], StoreMode.ADD, Flag.DRAFT, unchanged_since=done.modseq - 1
    )
    assert (list(late.changed), list(late.failed)) == ([], [1, 2])
    store_flags(folder_id, EACH, StoreMode.REMOVE, Flag.SEEN)
    store_flags(folder_id, [3], StoreMode.REMOVE, Flag.SEEN | Flag.FLAGGED)
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.ANSWERED)
    store_flags(folder_id, [4], StoreMode.ADD, 0, ["$Junk"])
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.DRAFT)
    store_flags(folder_id, [5], StoreMode.SET, Flag.SEEN)
    found = seen_afresh(folder_id)
    assert [found[uid][:2] for uid in EACH] == [[18, 0]] * 3 + [[18, 1], [1, 0], [18, 0]]
    assert in_rows(folder_id) == found
    assert counters_agree(mailbox_id)


def test_mail_that_comes_settles_nothing(mailbox_id: int, folder_id: int) -> None:
    done = store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    append.append_message(mailbox_id, folder_id, HELLO).result(20)
    folders.take_recent(folder_id)
    with CaptureQueriesContext(connection) as queries:
        fresh = seen_afresh(folder_id)
    assert deeds() == 1
    assert len(queries) < 10
    assert [flags for flags, *_ in fresh.values()] == [1] * 6 + [0]
    assert [modseq for *_, modseq in fresh.values()][:6] == [done.modseq] * 6
    assert folders.get_folder(folder_id).unseen == 1


def test_copies_and_what_is_moved_have_the_flags(mailbox_id: int, folder_id: int) -> None:
    other = folders.create_folder(mailbox_id, "other").id
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    copy_uids(folder_id, [1, 2], other)
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.FLAGGED)
    move_uids(folder_id, [3], other)
    assert flags_of(other) == {1: 1, 2: 1, 3: 5}
    store_flags(folder_id, [1, 2, 4], StoreMode.ADD, Flag.DRAFT)
    assert folders.get_folder(other).unseen == folders.get_folder(folder_id).unseen == 0
    assert deeds() == 1
    folders.rename_folder(mailbox_id, "INBOX", "old")
    old = folders.find_folder(mailbox_id, "old").id
    assert sorted(flags_of(old).values()) == [5, 5, 21, 21, 21]
    assert counters_agree(mailbox_id)


def test_what_is_marked_deleted_goes_and_comes_back_as_it_was(
    mailbox_id: int, folder_id: int
) -> None:
    store_flags(folder_id, [1, 2], StoreMode.ADD, Flag.DELETED | Flag.SEEN)
    assert quota.deleted_octets(folder_id) == 2 * len(HELLO + b"0\r\n")
    store_flags(folder_id, [4, 5], StoreMode.ADD, Flag.DELETED | Flag.FLAGGED)
    assert list(expunge_uids(folder_id, None).uids) == [1, 2, 4, 5]
    store_flags(folder_id, [3, 6], StoreMode.ADD, Flag.DELETED)
    assert list(expunge_uids(folder_id, EACH).uids) == [3, 6]
    assert counters_agree(mailbox_id)
    kept = [each.id for each in recovery.recoverable(mailbox_id)]
    assert recovery.restore(mailbox_id, kept) == {"INBOX": 6}
    assert sorted(flag & ~Flag.DELETED for flag in flags_of(folder_id).values()) == [
        *(0, 0),
        *(Flag.SEEN, Flag.SEEN),
        *(Flag.FLAGGED, Flag.FLAGGED),
    ]
    assert counters_agree(mailbox_id)


def test_a_folder_goes_with_what_was_left(mailbox_id: int) -> None:
    folder_id = folders.create_folder(mailbox_id, "going").id
    append_many(mailbox_id, folder_id, 3)
    index.picture(folder_id)
    store_flags(folder_id, range(1, 4), StoreMode.ADD, Flag.SEEN)
    folders.delete_folder(mailbox_id, "going")
    assert deeds() == 0
    settling.settle(folder_id)


def test_fsck_has_nothing_against_it(mailbox_id: int, folder_id: int) -> None:
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    assert [found for found in fsck.check(lambda _: None) if found.is_fault] == []
    assert deeds() == 0
    Folder.objects.filter(pk=folder_id).update(unseen_count=3)
    assert len([found for found in fsck.check(lambda _: None) if found.is_fault]) == 1


def test_a_key_that_lies_elsewhere_is_settled_too(mailbox_id: int, folder_id: int) -> None:
    other = folders.create_folder(mailbox_id, "other").id
    append_many(mailbox_id, other, 1)
    Entry.objects.filter(folder_id=folder_id, uid=3).update(id=10**6)
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    settling.settle_all()
    assert flags_of(folder_id) == dict.fromkeys(EACH, Flag.SEEN)
    assert flags_of(other) == {1: 0}
    assert counters_agree(mailbox_id)


PICKS = st.lists(st.integers(0, 11), min_size=1, max_size=8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("store"), PICKS, st.sampled_from([*StoreMode]), st.integers(0, 31)),
        st.tuples(st.just("store all"), st.sampled_from([*StoreMode]), st.integers(0, 31)),
        st.tuples(st.just("label"), PICKS),
        st.tuples(st.just("expunge"), PICKS),
        st.tuples(st.just("move"), PICKS),
        st.tuples(st.just("close")),
        st.tuples(st.just("settle")),
        st.tuples(st.just("forget")),
        st.tuples(st.just("snapshot")),
    ),
    max_size=14,
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_flags_are_those_of_a_naive_model(steps: list[tuple]) -> None:
    """Whatever is left, settled or forgotten in between."""
    clean_slate.wipe()
    with pytest.MonkeyPatch.context() as patch:
        make_few_many(patch)
        mailbox_id = make_mailbox()
        folder_id = inbox(mailbox_id)
        other = folders.create_folder(mailbox_id, "other").id
        model: dict[int, int] = {}
        for step in steps:
            take(step, mailbox_id, folder_id, other, model)
            picture = index.picture(folder_id)
            assert dict(zip(picture.uids, picture.flags, strict=True)) == model
            assert folders.get_folder(folder_id).unseen == sum(
                not flags & 1 for flags in model.values()
            )
        known = index.picture(folder_id)
        found = seen_afresh(folder_id)
        assert list(known.modseqs) == [modseq for *_, modseq in found.values()]
        settling.settle_all()
        assert in_rows(folder_id) == found
        assert counters_agree(mailbox_id)


def take(step: tuple, mailbox_id: int, folder_id: int, other: int, model: dict[int, int]) -> None:
    name, *arguments = step
    picked: list[int] = []
    if arguments and isinstance(arguments[0], list) and model:
        uids = sorted(model)
        picked = sorted({uids[pick % len(uids)] for pick in arguments.pop(0)})
    elif name == "store all":
        picked, name = sorted(model), "store"
    match name:
        case "append":
            model |= dict.fromkeys(append_many(mailbox_id, folder_id, arguments[0]), 0)
        case "store" if picked:
            mode, flags = arguments
            store_flags(folder_id, picked, mode, flags)
            for uid in picked:
                match mode:
                    case StoreMode.SET:
                        model[uid] = flags
                    case StoreMode.ADD:
                        model[uid] |= flags
                    case StoreMode.REMOVE:
                        model[uid] &= ~flags
        case "label" if picked:
            store_flags(folder_id, picked, StoreMode.ADD, 0, ["$Junk"])
        case "expunge" if picked:
            for uid in expunge_uids(folder_id, picked).uids:
                assert model.pop(uid) & Flag.DELETED
            assert not any(model[uid] & Flag.DELETED for uid in picked if uid in model)
        case "move" if picked:
            before = max(flags_of(other), default=0)
            move_uids(folder_id, picked, other)
            moved = [flags for uid, flags in sorted(flags_of(other).items()) if uid > before]
            assert moved == [model.pop(uid) for uid in picked]
        case "close":
            for uid in expunge_uids(folder_id, None).uids:
                assert model.pop(uid) & Flag.DELETED
        case "settle":
            settling.settle_all()
        case "forget":
            index.forget()
        case "snapshot":
            index.save_snapshot(index.picture(folder_id)).result()


def test_fsck_counts_what_was_left(folder_id: int) -> None:
    """Or a counter would seem right that agrees with what the entries said before."""
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.SEEN)
    Folder.objects.filter(pk=folder_id).update(unseen_count=6)
    texts = [found.text for found in fsck.check(lambda stage: None) if found.is_fault]
    assert texts == [
        f"Folder {folder_id} (INBOX) has unseen_count 6 and should have 0.",
    ]


def test_the_admin_shows_what_was_left(folder_id: int, admin_client: Client) -> None:
    store_flags(folder_id, EACH, StoreMode.ADD, Flag.FLAGGED)
    page = admin_client.get("/admin/accounts/entry/").content.decode()
    assert page.count("Flagged") == 6
    store_flags(folder_id, EACH, StoreMode.REMOVE, Flag.FLAGGED)
    key = Entry.objects.filter(folder_id=folder_id).latest("pk").pk
    assert (
        "Flagged" not in admin_client.get(f"/admin/accounts/entry/{key}/change/").content.decode()
    )
