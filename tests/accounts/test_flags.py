"""STORE: what changes, what keeps its MODSEQ, and what the counters say after."""

from concurrent.futures import Future

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import commit
from accounts.mailstore import folders, index
from accounts.mailstore.flags import MAX_KEYWORD, Flag, Stored, StoreMode, _Store
from accounts.mailstore.refusals import NoSuchFolder, TooManyKeywords
from accounts.models import Change, Entry
from tests.accounts.as_owner import store_flags
from tests.accounts.mail import append_many, counters_agree, flags_of, inbox, make_mailbox
from tests.accounts.test_commit import Held

pytestmark = pytest.mark.django_db(transaction=True)


def test_set_add_and_remove() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    store_flags(folder_id, [1, 2], StoreMode.ADD, Flag.SEEN | Flag.FLAGGED)
    store_flags(folder_id, [2], StoreMode.REMOVE, Flag.SEEN)
    store_flags(folder_id, [3], StoreMode.SET, Flag.DRAFT)
    store_flags(folder_id, [3], StoreMode.SET, Flag.DELETED)
    assert flags_of(folder_id) == {
        1: Flag.SEEN | Flag.FLAGGED,
        2: Flag.FLAGGED,
        3: Flag.DELETED,
    }
    assert folders.get_folder(folder_id).unseen == 2
    assert counters_agree(mailbox_id)


def test_keywords_have_a_length_that_each_select_can_tell() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    store_flags(folder_id, [1], StoreMode.ADD, 0, ["k" * MAX_KEYWORD])
    with pytest.raises(TooManyKeywords, match="at most 255 octets"):
        store_flags(folder_id, [1], StoreMode.ADD, 0, ["$ok", "k" * (MAX_KEYWORD + 1)])
    assert index.picture(folder_id).keyword_names == ("k" * MAX_KEYWORD,)
    # To take away what is not known needs no room.
    store_flags(folder_id, [1], StoreMode.REMOVE, 0, ["k" * (MAX_KEYWORD + 1)])


def test_what_another_unit_of_the_commit_changed_fails_unchanged_since() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    before = index.picture(folder_id).highest_modseq

    def submit(uids: list[int], flag: Flag, since: int | None) -> Future[Stored]:
        work = _Store(mailbox_id, folder_id, uids, StoreMode.ADD, int(flag), (), since)
        return commit.submit(
            commit.Unit(frozenset((mailbox_id,)), work, folder_ids=frozenset((folder_id,)))
        )

    with Held():
        first = submit([1], Flag.SEEN, None)
        second = submit([1, 2, 3], Flag.FLAGGED, before)
    assert first.result(20).modseq == second.result(20).modseq
    assert (list(second.result().failed), list(second.result().changed)) == ([1], [2, 3])
    there = {1: Flag.SEEN, 2: Flag.FLAGGED, 3: Flag.FLAGGED}
    assert flags_of(folder_id) == there
    kept = index.picture(folder_id)
    assert dict(zip(kept.uids, kept.flags, strict=True)) == there


def test_two_units_of_a_commit_count_what_each_has_seen() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 5)

    def submit(uids: list[int], mode: StoreMode) -> Future[Stored]:
        work = _Store(mailbox_id, folder_id, uids, mode, int(Flag.SEEN), (), None)
        return commit.submit(
            commit.Unit(frozenset((mailbox_id,)), work, folder_ids=frozenset((folder_id,)))
        )

    with Held():
        submit([1, 2], StoreMode.ADD)
        submit([1, 2, 3, 4], StoreMode.ADD)
        last = submit([2, 5], StoreMode.REMOVE)
    last.result(20)
    assert folders.get_folder(folder_id).unseen == 2
    assert counters_agree(mailbox_id)


def test_keywords_come_and_go() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    store_flags(folder_id, [1, 2], StoreMode.ADD, 0, ["$Junk", "work"])
    store_flags(folder_id, [2], StoreMode.REMOVE, 0, ["$junk", "never-seen"])
    assert folders.get_folder(folder_id).keywords == ("$Junk", "work")
    assert list(Entry.objects.order_by("uid").values_list("keywords", flat=True)) == [0b11, 0b10]
    store_flags(folder_id, [1], StoreMode.SET, Flag.SEEN, ["work"])
    assert Entry.objects.get(uid=1).keywords == 0b10


def test_what_does_not_change_keeps_its_modseq() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    first = store_flags(folder_id, [2], StoreMode.ADD, Flag.SEEN)
    again = store_flags(folder_id, [1, 2, 3, 99], StoreMode.ADD, Flag.SEEN)
    assert again.changed == [1, 3]
    assert again.modseq > first.modseq
    assert Entry.objects.get(uid=2).modseq == first.modseq
    nothing = store_flags(folder_id, [1, 2, 3], StoreMode.ADD, Flag.SEEN)
    assert nothing == Stored(again.modseq, [], [])
    nothing = store_flags(folder_id, [1, 2, 3], StoreMode.ADD, 0)
    assert nothing == Stored(again.modseq, [], [])


def test_unchanged_since() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    before = folders.get_folder(folder_id).highest_modseq
    store_flags(folder_id, [2], StoreMode.ADD, Flag.FLAGGED)
    done = store_flags(folder_id, [1, 2, 3], StoreMode.ADD, Flag.SEEN, unchanged_since=before)
    assert (done.changed, done.failed) == ([1, 3], [2])


def test_large_sets_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.commit.MAX_ROWS", 10)
    monkeypatch.setattr("accounts.commit.committer.MAX_ROWS", 10)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, 35)
    done = store_flags(folder_id, uids, StoreMode.ADD, Flag.SEEN)
    assert done.changed == uids
    sets = Change.objects.filter(kind="flags").order_by("modseq").values_list("uids", flat=True)
    assert list(sets) == ["1:10", "11:20", "21:30", "31:35"]
    assert counters_agree(mailbox_id)


def test_sparse_uids_beyond_a_short_list() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 130)
    odd = list(range(1, 131, 2))
    assert store_flags(folder_id, odd, StoreMode.ADD, Flag.SEEN).changed == odd
    assert [uid for uid, flags in sorted(flags_of(folder_id).items()) if flags] == odd


def test_a_folder_that_is_gone() -> None:
    with pytest.raises(NoSuchFolder):
        store_flags(10**9, [1], StoreMode.ADD, Flag.SEEN)


operations = st.lists(
    st.tuples(
        st.sets(st.integers(1, 6), min_size=1),
        st.sampled_from(StoreMode),
        st.integers(0, 31),
        st.lists(st.sampled_from(["a", "B", "c"]), max_size=3),
    ),
    max_size=6,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations)
def test_store_is_what_a_naive_model_says(
    todo: list[tuple[set[int], StoreMode, int, list[str]]],
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    model: dict[int, tuple[int, set[str]]] = {
        uid: (0, set()) for uid in append_many(mailbox_id, folder_id, 5)
    }
    for uids, mode, flags, keywords in todo:
        changed = []
        for uid in sorted(uids & model.keys()):
            old_flags, old_words = model[uid]
            new = {
                StoreMode.SET: (flags, set(keywords)),
                StoreMode.ADD: (old_flags | flags, old_words | set(keywords)),
                StoreMode.REMOVE: (old_flags & ~flags, old_words - set(keywords)),
            }[mode]
            if new != model[uid]:
                changed.append(uid)
            model[uid] = new
        done = store_flags(folder_id, sorted(uids), mode, flags, keywords)
        assert list(done.changed) == changed
    names = folders.get_folder(folder_id).keywords
    found = {
        uid: (flags, {name for place, name in enumerate(names) if bits >> place & 1})
        for uid, flags, bits in Entry.objects.filter(folder_id=folder_id).values_list(
            "uid", "flags", "keywords"
        )
    }
    assert found == model
    assert counters_agree(mailbox_id)
