"""Deleted mail comes back as it was, counts for nothing meanwhile, and goes for good in the end."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from accounts import blobs, commit, directory, fsck, garbage, tasks
from accounts.mailstore import acl, append, folders, recovery, search_kept, subscriptions
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.forgetting import forget_mailbox, forget_old
from accounts.mailstore.refusals import OverQuota
from accounts.mailstore.rights import NONE, Right
from accounts.models import (
    Blob,
    Domain,
    Entry,
    Folder,
    Mailbox,
    Message,
    Recoverable,
    RecoverableEntry,
    SearchText,
    Segment,
)
from tests.accounts.as_owner import copy_uids, expunge_uids, move_uids, store_flags
from tests.accounts.mail import (
    HELLO,
    append_many,
    content,
    counters_agree,
    flags_of,
    inbox,
    keep_nothing_deleted,
    make_mailbox,
)
from tests.accounts.people import PASSWORD
from tests.accounts.test_commands import run, run_as_typed

pytestmark = pytest.mark.django_db(transaction=True)


def restore_all(mailbox_id: int) -> dict[str, int]:
    return recovery.restore(mailbox_id, [each.id for each in recovery.recoverable(mailbox_id)])


def is_clean() -> bool:
    return not [found for found in fsck.check(lambda _: None) if found.is_fault]


def age(days: float) -> None:
    """Let so many days pass for all that was deleted."""
    for batch in Recoverable.objects.all():
        Recoverable.objects.filter(pk=batch.pk).update(at=batch.at - timedelta(days=days))


def test_messages_come_back_with_their_flags_and_under_new_uids() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    was = content(folder_id)
    store_flags(folder_id, [2], StoreMode.ADD, Flag.SEEN | Flag.DELETED, ["Work", "$Later"])
    store_flags(folder_id, [3], StoreMode.ADD, Flag.FLAGGED | Flag.DELETED, ["$Later"])
    expunge_uids(folder_id, None)
    assert Mailbox.objects.get().used_messages == 1
    assert restore_all(mailbox_id) == {"INBOX": 2}
    assert flags_of(folder_id) == {1: 0, 4: Flag.SEEN, 5: Flag.FLAGGED}
    assert content(folder_id) == {1: was[1], 4: was[2], 5: was[3]}
    names = folders.get_folder(folder_id).keywords
    bits = dict(Entry.objects.values_list("uid", "keywords"))
    assert [names[bit] for bit in range(len(names)) if bits[5] >> bit & 1] == ["$Later"]
    assert not Recoverable.objects.exists()
    assert counters_agree(mailbox_id)
    assert is_clean()


def test_keywords_find_their_place_in_a_folder_that_counts_them_otherwise() -> None:
    mailbox_id = make_mailbox()
    first = folders.create_folder(mailbox_id, "Work").id
    append_many(mailbox_id, first, 1)
    store_flags(first, [1], StoreMode.ADD, 0, ["one", "two"])
    folders.delete_folder(mailbox_id, "Work")
    second = folders.create_folder(mailbox_id, "Work").id
    append_many(mailbox_id, second, 1)
    store_flags(second, [1], StoreMode.ADD, 0, ["two"])
    assert restore_all(mailbox_id) == {"Work": 1}
    assert folders.get_folder(second).keywords == ("two", "one")
    assert Entry.objects.get(folder_id=second, uid=2).keywords == 0b11


def test_a_keyword_that_finds_no_place_holds_no_mail_back() -> None:
    mailbox_id = make_mailbox()
    folder_id = folders.create_folder(mailbox_id, "Work").id
    append_many(mailbox_id, folder_id, 1)
    store_flags(folder_id, [1], StoreMode.ADD, 0, ["rare"])
    folders.delete_folder(mailbox_id, "Work")
    full = folders.create_folder(mailbox_id, "Work").id
    Folder.objects.filter(pk=full).update(keywords=[f"k{number}" for number in range(63)])
    assert restore_all(mailbox_id) == {"Work": 1}
    assert Entry.objects.get(folder_id=full).keywords == 0


def test_mail_of_a_folder_that_is_gone_comes_back_beside_it() -> None:
    mailbox_id = make_mailbox()
    for name in ("Work", "Play", "Play/Chess"):
        append_many(mailbox_id, folders.create_folder(mailbox_id, name).id, 2)
    for name in ("Work", "Play"):
        folders.delete_folder(mailbox_id, name)
    assert [(each.folder, each.is_folder_gone) for each in recovery.recoverable(mailbox_id)] == [
        ("Work", True),
        ("Play", True),
    ]
    # A folder made anew takes its namesake's mail, and the list says so.
    new = folders.create_folder(mailbox_id, "Play/Chess/Old").id
    assert [each.is_folder_gone for each in recovery.recoverable(mailbox_id)] == [True, True]
    folders.rename_folder(mailbox_id, "Play/Chess/Old", "Work")
    assert [each.is_folder_gone for each in recovery.recoverable(mailbox_id)] == [False, True]
    assert Folder.objects.get(pk=new).name == "Work"
    folders.delete_folder(mailbox_id, "Work")
    assert restore_all(mailbox_id) == {recovery.RESTORED: 4}
    assert recovery.RESTORED in subscriptions.list_subscriptions(mailbox_id)
    assert counters_agree(mailbox_id)
    assert is_clean()


@pytest.mark.parametrize("is_shared", [False, True])
def test_nobody_else_reads_what_came_back_from_a_folder_of_one_s_own(is_shared: bool) -> None:
    mailbox_id = make_mailbox()
    Mailbox.objects.filter(pk=mailbox_id).update(is_shared=is_shared)
    anyone = acl.Identifier(None)
    acl.set_rights_everywhere(mailbox_id, anyone, Right.LOOKUP | Right.READ)
    private = folders.create_folder(mailbox_id, "Private")
    acl.set_rights(mailbox_id, private, anyone, "", NONE)
    append_many(mailbox_id, private.id, 1)
    folders.delete_folder(mailbox_id, "Private")
    assert restore_all(mailbox_id) == {recovery.RESTORED: 1}
    listed = acl.entries(folders.find_folder(mailbox_id, recovery.RESTORED))[1:]
    # Nobody would see it in a mailbox that nobody logs in to.
    assert [each.name for each in listed] == ([acl.ANYONE] if is_shared else [])


def test_a_folder_is_known_by_the_name_it_had_and_the_name_it_has() -> None:
    mailbox_id = make_mailbox()
    folder_id = folders.create_folder(mailbox_id, "Old").id
    append_many(mailbox_id, folder_id, 1)
    expunge_uids(folder_id, [1], only_deleted=False)
    folders.rename_folder(mailbox_id, "Old", "New")
    for name in ("Old", "New"):
        assert [each.folder for each in recovery.recoverable(mailbox_id, folder=name)] == ["New"]
    assert recovery.recoverable(mailbox_id, folder="inbox") == []
    assert restore_all(mailbox_id) == {"New": 1}


def test_since_leaves_out_what_was_deleted_before() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    expunge_uids(folder_id, [1], only_deleted=False)
    age(1)
    expunge_uids(folder_id, [2], only_deleted=False)
    since = timezone.now() - timedelta(hours=1)
    assert len(recovery.recoverable(mailbox_id)) == 2
    assert len(recovery.recoverable(mailbox_id, since=since)) == 1


def test_what_is_moved_or_renamed_is_not_deleted_and_what_is_replaced_is() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    move_uids(folder_id, [1], folders.find_folder(mailbox_id, "Trash").id)
    folders.rename_folder(mailbox_id, "INBOX", "Old mail")
    folders.rename_folder(mailbox_id, "Old mail", "Older mail")
    assert not Recoverable.objects.exists()
    drafts = folders.find_folder(mailbox_id, "Drafts").id
    append_many(mailbox_id, drafts, 1)
    append.append_message(mailbox_id, drafts, HELLO, replaced=(drafts, 1)).result(20)
    assert [each.folder for each in recovery.recoverable(mailbox_id)] == ["Drafts"]


def test_both_copies_come_back() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    trash = folders.find_folder(mailbox_id, "Trash").id
    copy_uids(folder_id, [1], trash)
    for each in (folder_id, trash):
        expunge_uids(each, None, only_deleted=False)
    assert restore_all(mailbox_id) == {"INBOX": 1, "Trash": 1}
    assert Message.objects.count() == 1


def test_nothing_is_kept_where_the_domain_says_so() -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    expunge_uids(folder_id, [1], only_deleted=False)
    folders.rename_folder(mailbox_id, "INBOX", "Old")
    folders.delete_folder(mailbox_id, "Old")
    assert not Recoverable.objects.exists()
    assert garbage.collect().messages == 2


def test_large_batches_come_back_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "CHUNK", 4)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 10)
    was = content(folder_id)
    expunge_uids(folder_id, None, only_deleted=False)
    assert Recoverable.objects.get().messages == 10
    assert restore_all(mailbox_id) == {"INBOX": 10}
    assert list(content(folder_id).values()) == list(was.values())
    assert counters_agree(mailbox_id)


def test_a_mailbox_without_room_gets_nothing_back() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    expunge_uids(folder_id, None, only_deleted=False)
    Mailbox.objects.update(quota_bytes=len(HELLO))
    with pytest.raises(OverQuota):
        restore_all(mailbox_id)
    assert flags_of(folder_id) == {}
    assert Recoverable.objects.get().messages == 2


def test_one_mailbox_gets_nothing_of_another() -> None:
    mine, other = make_mailbox(), make_mailbox()
    append_many(mine, inbox(mine), 1)
    expunge_uids(inbox(mine), [1], only_deleted=False)
    keys = [each.id for each in recovery.recoverable(mine)]
    assert recovery.recoverable(other) == []
    assert recovery.restore(other, keys) == {}
    assert flags_of(inbox(other)) == {}


def test_what_was_kept_long_enough_goes_with_its_octets_and_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    message = Message.objects.order_by("pk")[0]
    search_kept.keep_soon([(message.pk, search_kept.texts_of(HELLO))])
    expunge_uids(folder_id, None, only_deleted=False)
    commit.reset()
    assert SearchText.objects.count() == 1
    age(13.9)
    tasks.forget_deleted_mail()
    garbage.collect()
    assert Message.objects.count() == 2
    age(0.2)
    tasks.forget_deleted_mail()
    assert not RecoverableEntry.objects.exists()
    assert not Recoverable.objects.exists()
    for name in ("SETTLED_AFTER", "UNLINKED_AFTER"):
        monkeypatch.setattr(f"accounts.blobs.garbage.{name}", timedelta())
    [segment] = Segment.objects.values_list("name", flat=True)
    path: Path = blobs.directory() / segment
    assert b"Hello, Bob." in path.read_bytes()
    garbage.collect()
    garbage.collect()
    assert not path.exists()
    for model in (Message, SearchText, Blob):
        assert not model.objects.exists()


def test_what_has_expired_neither_shows_nor_comes_back_before_it_is_forgotten(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mailbox, patient = alice(), make_mailbox()
    Domain.objects.filter(mailboxes=patient).update(recoverable_days=20)
    append_many(patient, inbox(patient), 1)
    for mailbox_id in (mailbox.pk, patient):
        expunge_uids(inbox(mailbox_id), [1], only_deleted=False)
    [batch] = recovery.recoverable(mailbox.pk)
    age(13.9)
    assert [each.id for each in recovery.recoverable(mailbox.pk)] == [batch.id]
    age(0.2)
    assert recovery.restore(mailbox.pk, [batch.id]) == {}
    assert run("mailbox", "restore", "alice@a.test", "--list") == ""
    status, _out, told = run_as_typed(capsys, "mailbox", "restore", "alice@a.test")
    assert status == 1
    assert "nothing deleted can be brought back" in told
    assert restore_all(patient) == {"INBOX": 1}
    assert Recoverable.objects.get().pk == batch.id


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's vacuum takes its time")
def test_the_database_file_does_not_hold_what_was_deleted_for_good() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    # More than fits beside others on one page: rows long and short.
    for words in (b"Our secret", b"Our secret " * 300):
        secret = HELLO.replace(b"Subject: ", b"Subject: " + words)
        append.append_message(mailbox_id, folder_id, secret).result(10)
    append_many(mailbox_id, folder_id, 5)
    commit.reset()
    assert b"Our secret" in _database_file()
    expunge_uids(folder_id, [1, 2], only_deleted=False)
    commit.reset()
    forget_mailbox(mailbox_id)
    garbage.collect()
    commit.reset()
    assert Message.objects.count() == 5
    assert b"Our secret" not in _database_file()


def _database_file() -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # A process that reads it by itself loses SQLite's locks on it.
    return subprocess.check_output(["cat", str(connection.settings_dict["NAME"])])


def test_no_more_is_kept_than_the_mailbox_may_hold_and_the_oldest_goes_first() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 5)
    size = Message.objects.first().size
    expunge_uids(folder_id, [1, 2, 3, 4], only_deleted=False)
    expunge_uids(folder_id, [5], only_deleted=False)
    Mailbox.objects.update(quota_bytes=3 * size)
    kept = list(RecoverableEntry.objects.order_by("pk").values_list("message_id", flat=True))
    assert forget_old(timezone.now()) == 2
    assert [each.messages for each in recovery.recoverable(mailbox_id)] == [2, 1]
    left = RecoverableEntry.objects.order_by("pk").values_list("message_id", flat=True)
    assert list(left) == kept[2:]
    assert is_clean()
    assert forget_old(timezone.now()) == 0
    Mailbox.objects.update(quota_bytes=0, quota_messages=1)
    assert forget_old(timezone.now()) == 2
    assert restore_all(mailbox_id) == {"INBOX": 1}


def test_a_mailbox_can_be_made_to_forget() -> None:
    mailbox_id, other = make_mailbox(), make_mailbox()
    for each in (mailbox_id, other):
        append_many(each, inbox(each), 3)
        expunge_uids(inbox(each), None, only_deleted=False)
    assert forget_mailbox(mailbox_id) == 3
    assert recovery.recoverable(mailbox_id) == []
    assert len(recovery.recoverable(other)) == 1


def test_fsck_counts_what_is_recoverable() -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 2)
    expunge_uids(inbox(mailbox_id), None, only_deleted=False)
    assert is_clean()
    Recoverable.objects.update(messages=5)
    assert not is_clean()
    assert [each.is_repaired for each in fsck.check(lambda _: None, is_repairing=True)] == [True]
    assert is_clean()
    Message.objects.update(mailbox_id=make_mailbox())
    assert not is_clean()


def alice() -> Mailbox:
    run("mailbox", "add", "alice@a.test", "--password", PASSWORD, "--create-domain")
    mailbox = directory.find_mailbox("alice@a.test")
    append_many(mailbox.pk, inbox(mailbox.pk), 3)
    return mailbox


def test_the_verb_lists_and_restores() -> None:
    mailbox = alice()
    folder_id = inbox(mailbox.pk)
    expunge_uids(folder_id, [1, 2], only_deleted=False)
    [row] = json.loads(run("mailbox", "restore", "alice@a.test", "--list", "--json"))
    assert (row["folder"], row["into"], row["messages"]) == ("INBOX", "INBOX", 2)
    assert run("mailbox", "restore", "alice@a.test", "--list", "--since", "2999-01-01") == ""
    said = run("mailbox", "restore", "alice@a.test", "--since", "2h", "--folder", "inbox", "--json")
    assert json.loads(said) == [{"folder": "INBOX", "messages": 2}]
    assert sorted(flags_of(folder_id)) == [3, 4, 5]


def test_a_removed_mailbox_comes_back_first_and_then_what_was_deleted_in_it() -> None:
    mailbox = alice()
    expunge_uids(inbox(mailbox.pk), [1], only_deleted=False)
    run("mailbox", "remove", "alice@a.test")
    assert "INBOX" in run("mailbox", "restore", "alice@a.test", "--list")
    assert run("mailbox", "restore", "alice@a.test") == "alice@a.test is back.\n"
    assert run("mailbox", "restore", "alice@a.test").splitlines()[1].split() == ["INBOX", "1"]


def test_a_purged_mailbox_takes_what_was_recoverable_with_it() -> None:
    mailbox = alice()
    expunge_uids(inbox(mailbox.pk), [1], only_deleted=False)
    run("mailbox", "remove", "alice@a.test", "--purge")
    for model in (RecoverableEntry, Recoverable, Message):
        assert not model.objects.exists()


def test_the_verb_forgets() -> None:
    mailbox = alice()
    expunge_uids(inbox(mailbox.pk), [1, 3], only_deleted=False)
    assert run("mailbox", "forget", "alice@a.test").startswith("2 deleted messages")
    assert recovery.recoverable(mailbox.pk) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mailbox restore alice@a.test --since yesterday", "2026-11-20T08:00"),
        ("mailbox restore alice@a.test --folder Trash", "nothing deleted there"),
        ("domain keep-deleted a.test 9999", "0 to 3650 days"),
        ("domain keep-deleted a.test -1", "0 to 3650 days"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    alice()
    status, out, err = run_as_typed(capsys, *line.split())
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert said in err


def test_an_option_that_does_not_fit_a_removed_mailbox(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alice()
    run("mailbox", "remove", "alice@a.test")
    line = ("mailbox", "restore", "alice@a.test", "--since", "2h")
    assert "restore it as a whole" in run_as_typed(capsys, *line)[2]


def test_a_domain_says_how_long() -> None:
    alice()
    said = run("domain", "keep-deleted", "a.test", "30")
    assert said == "Deleted mail of a.test can be brought back for 30 days.\n"
    assert json.loads(run("domain", "show", "a.test", "--json"))[0]["recoverable_days"] == 30
    assert "cannot be brought back" in run("domain", "keep-deleted", "a.test", "0")
