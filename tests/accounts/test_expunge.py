"""EXPUNGE: what goes, what is remembered of it, what the counters say."""

import pytest

from accounts.mailstore import folders
from accounts.mailstore.expunge import Expunged
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.refusals import NoSuchFolder
from accounts.models import Message, Vanished
from tests.accounts.as_owner import expunge_uids, store_flags
from tests.accounts.mail import append_many, counters_agree, flags_of, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_only_what_is_deleted_goes() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 6)
    store_flags(folder_id, [2, 3, 5], StoreMode.ADD, Flag.DELETED)
    done = expunge_uids(folder_id, None)
    assert done.uids == (2, 3, 5)
    assert sorted(flags_of(folder_id)) == [1, 4, 6]
    assert [(row.modseq, row.uids) for row in Vanished.objects.all()] == [(done.modseq, "2:3,5")]
    assert folders.get_folder(folder_id).highest_modseq == done.modseq
    assert counters_agree(mailbox_id)


def test_uid_expunge_takes_only_the_deleted_of_the_set() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4, flags=Flag.DELETED)
    store_flags(folder_id, [2], StoreMode.REMOVE, Flag.DELETED)
    assert expunge_uids(folder_id, [1, 2, 99]).uids == (1,)


def test_without_only_deleted_all_of_the_set_go() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    assert expunge_uids(folder_id, [1, 3], only_deleted=False).uids == (1, 3)
    assert expunge_uids(folder_id, None, only_deleted=False).uids == (2,)


def test_nothing_to_do_changes_nothing() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    before = folders.get_folder(folder_id)
    assert expunge_uids(folder_id, [1, 2]) == Expunged(before.highest_modseq, ())
    assert expunge_uids(folder_id, None) == Expunged(0, ())
    assert folders.get_folder(folder_id) == before


def test_a_uid_never_comes_back() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    expunge_uids(folder_id, None, only_deleted=False)
    assert append_many(mailbox_id, folder_id, 1) == [3]


def test_large_sets_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.commit.MAX_ROWS", 10)
    monkeypatch.setattr("accounts.commit.committer.MAX_ROWS", 10)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, 25, flags=Flag.DELETED)
    assert expunge_uids(folder_id, None).uids == tuple(uids)
    assert [row.uids for row in Vanished.objects.order_by("modseq")] == ["1:10", "11:20", "21:25"]
    assert counters_agree(mailbox_id)


def test_messages_stay_for_the_collector() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    expunge_uids(folder_id, [1], only_deleted=False)
    assert Message.objects.count() == 1


def test_a_folder_that_is_gone() -> None:
    with pytest.raises(NoSuchFolder):
        expunge_uids(10**9, [1])
