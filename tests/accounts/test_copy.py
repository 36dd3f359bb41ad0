"""COPY and MOVE: the same message in another folder, all or nothing."""

import pytest

from accounts.mailstore import folders
from accounts.mailstore.copy import Copied
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.refusals import NoSuchFolder, OverQuota, TooManyKeywords
from accounts.models import Blob, Entry, Message, Vanished
from tests.accounts.as_owner import copy_uids, move_uids, store_flags
from tests.accounts.mail import (
    HELLO,
    append_many,
    content,
    counters_agree,
    flags_of,
    inbox,
    make_mailbox,
)

pytestmark = pytest.mark.django_db(transaction=True)


def two_folders(messages: int = 4) -> tuple[int, int, int]:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), messages)
    return mailbox_id, inbox(mailbox_id), folders.find_folder(mailbox_id, "Archive").id


def test_a_copy_shares_message_and_octets() -> None:
    mailbox_id, source, target = two_folders()
    store_flags(source, [2], StoreMode.ADD, Flag.SEEN | Flag.FLAGGED)
    done = copy_uids(source, [4, 2, 99], target)
    info = folders.get_folder(target)
    assert done == Copied(info.uidvalidity, (2, 4), (1, 2))
    assert Message.objects.count() == Blob.objects.count() == 4
    assert content(target) == {1: content(source)[2], 2: content(source)[4]}
    assert flags_of(target) == {1: Flag.SEEN | Flag.FLAGGED, 2: 0}
    assert (info.exists, info.unseen) == (2, 1)
    assert counters_agree(mailbox_id)


def test_keywords_get_the_bits_of_the_target() -> None:
    mailbox_id, source, target = two_folders()
    store_flags(source, [1], StoreMode.ADD, 0, ["a", "b", "c"])
    store_flags(source, [2], StoreMode.ADD, 0, ["c"])
    append_many(mailbox_id, target, 1)
    store_flags(target, [1], StoreMode.ADD, 0, ["c", "x"])
    copy_uids(source, [2, 1, 3], target)
    assert folders.get_folder(target).keywords == ("c", "x", "a", "b")
    bits = dict(Entry.objects.filter(folder_id=target).values_list("uid", "keywords"))
    assert bits == {1: 0b0011, 2: 0b1101, 3: 0b0001, 4: 0}


def test_the_highest_keyword_bit_survives_a_copy() -> None:
    _, source, target = two_folders(1)
    store_flags(source, [1], StoreMode.ADD, 0, [f"k{number}" for number in range(63)])
    copy_uids(source, [1], target)
    assert Entry.objects.get(folder_id=target).keywords == (1 << 63) - 1


def test_too_many_keywords_copy_nothing() -> None:
    _, source, target = two_folders(2)
    store_flags(source, [2], StoreMode.ADD, 0, ["new"])
    store_flags(target, [], StoreMode.ADD, 0)
    copy_uids(source, [1], target)
    store_flags(target, [1], StoreMode.ADD, 0, [f"k{number}" for number in range(63)])
    with pytest.raises(TooManyKeywords):
        copy_uids(source, [1, 2], target)
    assert folders.get_folder(target).exists == 1


def test_a_copy_into_the_same_folder() -> None:
    mailbox_id, source, _ = two_folders(2)
    assert copy_uids(source, [1, 2], source).targets == (3, 4)
    assert counters_agree(mailbox_id)


def test_a_copy_over_quota_copies_nothing() -> None:
    mailbox_id = make_mailbox(quota=len(HELLO) * 4)
    append_many(mailbox_id, inbox(mailbox_id), 3)
    target = folders.find_folder(mailbox_id, "Archive").id
    with pytest.raises(OverQuota):
        copy_uids(inbox(mailbox_id), [1, 2], target)
    assert Entry.objects.filter(folder_id=target).count() == 0
    assert counters_agree(mailbox_id)


def test_a_move_leaves_each_message_in_one_place() -> None:
    mailbox_id, source, target = two_folders()
    before = content(source)
    done = move_uids(source, [1, 3], target)
    assert (done.sources, done.targets) == ((1, 3), (1, 2))
    assert content(target) == {1: before[1], 2: before[3]}
    assert sorted(content(source)) == [2, 4]
    assert Vanished.objects.get().uids == "1,3"
    assert counters_agree(mailbox_id)


def test_a_move_works_in_a_full_mailbox() -> None:
    mailbox_id = make_mailbox(quota=1)
    from accounts import commit
    from tests.accounts.mail import delivery

    commit.run(delivery(mailbox_id, HELLO))
    target = folders.find_folder(mailbox_id, "Trash").id
    assert move_uids(inbox(mailbox_id), [1], target).targets == (1,)


def test_large_moves_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.mailstore.uids.CHUNK", 10)
    mailbox_id, source, target = two_folders(25)
    done = move_uids(source, list(range(1, 26)), target)
    assert done.targets == tuple(range(1, 26))
    assert Vanished.objects.count() == 3
    assert counters_agree(mailbox_id)


def test_another_mailboxs_folder_is_no_target() -> None:
    _, source, _ = two_folders(1)
    with pytest.raises(NoSuchFolder):
        copy_uids(source, [1], inbox(make_mailbox()))


def test_nothing_to_copy() -> None:
    _, source, target = two_folders(1)
    assert copy_uids(source, [9], target) == Copied(folders.get_folder(target).uidvalidity, (), ())
