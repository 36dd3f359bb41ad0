"""The change log is pruned, and nobody who relied on it sees anything but the truth."""

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts import limits, tasks
from accounts.commit import telling
from accounts.mailstore import append, catalog, folders, history, index, subscriptions
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Change, Folder, Vanished
from tests.accounts import as_owner
from tests.accounts.mail import HELLO, append_many, flags_of, inbox, make_mailbox
from tests.servers.imap.away import Changes

pytestmark = pytest.mark.django_db(transaction=True)


def prune_all() -> int:
    return history.prune(timezone.now() + timedelta(minutes=1))


def check(folder_id: int) -> None:
    """The picture of a folder says what its rows say."""
    picture = index.picture(folder_id)
    assert dict(zip(picture.uids, picture.flags, strict=True)) == flags_of(folder_id)


def test_what_is_old_goes_and_what_is_new_stays() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    first = as_owner.expunge_uids(folder_id, [1], only_deleted=False).modseq
    long_ago = timezone.now() - limits.CHANGES_KEPT_FOR - timedelta(minutes=1)
    Change.objects.update(at=long_ago)
    second = as_owner.expunge_uids(folder_id, [2], only_deleted=False).modseq
    tasks.prune_changes()
    assert list(Change.objects.values_list("modseq", flat=True)) == [second]
    assert list(Vanished.objects.values_list("modseq", flat=True)) == [second]
    assert Folder.objects.get(pk=folder_id).pruned_modseq == first
    assert history.vanished_after(folder_id, first) == [(second, "2")]
    assert history.vanished_after(folder_id, second) == []
    assert history.vanished_after(folder_id, first - 1) is None
    check(folder_id)


def test_other_folders_and_mailboxes_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "CHUNK", 3)
    mine, other = make_mailbox(), make_mailbox()
    for mailbox_id in (mine, other):
        append_many(mailbox_id, inbox(mailbox_id), 1)
        for mode in (StoreMode.ADD, StoreMode.REMOVE, StoreMode.ADD, StoreMode.REMOVE):
            as_owner.store_flags(inbox(mailbox_id), [1], mode, Flag.SEEN)
    of_mine = Change.objects.filter(mailbox_id=mine)
    of_mine.update(at=timezone.now() - timedelta(days=99))
    number = of_mine.count()
    assert number > history.CHUNK
    assert history.prune(timezone.now() - timedelta(days=1)) == number
    assert not of_mine.exists()
    of_other = Change.objects.filter(mailbox_id=other, kind=Change.Kind.FLAGS)
    assert of_other.count() == 4


def test_changes_of_folders_that_are_gone_go_too() -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, folders.create_folder(mailbox_id, "Work").id, 2)
    folders.delete_folder(mailbox_id, "Work")
    assert Change.objects.filter(folder=None).exists()
    prune_all()
    assert not Change.objects.exists()


def test_a_catalog_older_than_the_history_is_made_anew() -> None:
    mailbox_id = make_mailbox()
    folders.create_folder(mailbox_id, "Work")
    known = catalog.catalog(mailbox_id)
    folders.delete_folder(mailbox_id, "Work")
    subscriptions.subscribe(mailbox_id, "Elsewhere")
    prune_all()
    fresh = catalog.catalog(mailbox_id, known)
    assert "Work" not in {each.name for each in fresh.folders.values()}
    assert "Elsewhere" in fresh.subscribed


def test_a_picture_older_than_the_history_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    # As though another process did it.
    monkeypatch.setattr(telling, "followers", [])
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    before = index.picture(folder_id)
    as_owner.store_flags(folder_id, [3], StoreMode.ADD, Flag.SEEN)
    as_owner.expunge_uids(folder_id, [2], only_deleted=False)
    prune_all()
    check(folder_id)
    assert index.picture(folder_id).changed_since(before.highest_modseq) is None


def test_a_picture_that_knows_all_that_was_pruned_goes_on(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As though another process did it.
    monkeypatch.setattr(telling, "followers", [])
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    before = index.picture(folder_id)
    prune_all()
    as_owner.store_flags(folder_id, [3], StoreMode.ADD, Flag.SEEN)
    # One looks for what large STOREs have left, which there is not on PostgreSQL.
    with django_assert_num_queries(5 if connection.vendor == "sqlite" else 4):
        after = index.picture(folder_id)
    assert after.changed_since(before.highest_modseq) == range(3, 4)


def test_a_snapshot_older_than_the_history_is_not_believed() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    index.save_snapshot(index.picture(folder_id)).result()
    # As many as before, so that a count alone would not tell.
    as_owner.expunge_uids(folder_id, [2], only_deleted=False)
    append.append_message(mailbox_id, folder_id, HELLO).result()
    prune_all()
    index.forget()
    check(folder_id)


@pytest.mark.parametrize("table", [Change, Vanished])
def test_a_history_pruned_while_it_is_read(monkeypatch: pytest.MonkeyPatch, table: Any) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 4)
    index.picture(folder_id)
    as_owner.store_flags(folder_id, [3], StoreMode.ADD, Flag.SEEN)
    as_owner.expunge_uids(folder_id, [2], only_deleted=False)
    name = "_read_entries" if table is Change else "_read_vanished"
    read = getattr(index, name)

    def pruned_first(*arguments: int) -> Any:
        prune_all()
        return read(*arguments)

    monkeypatch.setattr(index, name, pruned_first)
    check(folder_id)


@pytest.mark.parametrize("seed", range(3))
def test_pictures_stay_true_through_changes_and_pruning(seed: int) -> None:
    chance = random.Random(seed)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    changes = Changes(mailbox_id, chance)
    for _ in range(60):
        changes.make()
        match chance.randrange(8):
            case 0:
                prune_all()
            case 1:
                index.save_snapshot(index.picture(folder_id)).result()
            case 2:
                index.forget()
            case 3:
                check(folder_id)
    check(folder_id)
