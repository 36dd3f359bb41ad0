"""Folders: names, hierarchy, INBOX, UIDVALIDITY, subscriptions, \\Recent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from accounts import commit
from accounts.mailstore import folders, quota, subscriptions
from accounts.mailstore.expunge import expunge_uids
from accounts.mailstore.names import checked
from accounts.mailstore.refusals import (
    BadFolderName,
    FolderExists,
    FolderHasChildren,
    InboxIsFixed,
    NoSuchFolder,
    OverQuota,
    TooManyFolders,
)
from accounts.models import Change, Entry, Mailbox
from accounts.rows import Rows
from tests.accounts.mail import append_many, content, counters_agree, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def names(mailbox_id: int) -> list[str]:
    return [folder.name for folder in folders.list_folders(mailbox_id)]


def test_a_new_mailbox_has_its_folders() -> None:
    mailbox_id = make_mailbox()
    found = {folder.name: folder.special_use for folder in folders.list_folders(mailbox_id)}
    assert found == {
        "INBOX": "",
        "Drafts": "\\Drafts",
        "Sent": "\\Sent",
        "Trash": "\\Trash",
        "Junk": "\\Junk",
        "Archive": "\\Archive",
    }
    assert subscriptions.list_subscriptions(mailbox_id) == sorted(found)
    assert len({folder.uidvalidity for folder in folders.list_folders(mailbox_id)}) == 6


def test_inbox_has_no_case_and_others_have() -> None:
    mailbox_id = make_mailbox()
    assert folders.find_folder(mailbox_id, "inBox").name == "INBOX"
    folders.create_folder(mailbox_id, "inbox/Bills")
    assert "INBOX/Bills" in names(mailbox_id)
    folders.create_folder(mailbox_id, "sent")
    with pytest.raises(NoSuchFolder):
        folders.find_folder(mailbox_id, "SENT")


def test_create_makes_the_parents() -> None:
    mailbox_id = make_mailbox()
    made = folders.create_folder(mailbox_id, "a/b/c")
    assert made.name == "a/b/c"
    assert {"a", "a/b", "a/b/c"} <= set(names(mailbox_id))
    with pytest.raises(FolderExists):
        folders.create_folder(mailbox_id, "a/b")
    with pytest.raises(FolderExists):
        folders.create_folder(mailbox_id, "Inbox")
    assert Change.objects.filter(kind="folder").count() == 3


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "a/", "/a", "a//b", "/".join("a" * 51)),
        *("a\nb", "a\x00", "tab\t", "line\u2028end", "\udcff"),
        *("x" * 1001, "é" * 501, "a*", "50%"),
    ],
)
def test_names_that_no_folder_may_have(name: str) -> None:
    with pytest.raises(BadFolderName):
        checked(name)


@pytest.mark.parametrize("name", ["x" * 1000, "/".join("a" * 50), "Gelöscht", "日本語/受信", "a b"])
def test_names_that_a_folder_may_have(name: str) -> None:
    mailbox_id = make_mailbox()
    assert folders.create_folder(mailbox_id, name).name == name


def test_names_are_composed() -> None:
    assert checked("e\u0301") == "é"


def test_too_many_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_FOLDERS", 8)
    monkeypatch.setattr(quota, "MAX_FOLDERS", 8)
    mailbox_id = make_mailbox()
    folders.create_folder(mailbox_id, "a/b")
    with pytest.raises(OverQuota):
        folders.create_folder(mailbox_id, "c")
    subscriptions.subscribe(mailbox_id, "one")
    subscriptions.subscribe(mailbox_id, "two")
    with pytest.raises(TooManyFolders):
        subscriptions.subscribe(mailbox_id, "three")


def test_a_mailbox_may_be_allowed_fewer_folders() -> None:
    mailbox_id = make_mailbox()
    Mailbox.objects.update(quota_folders=8)
    folders.create_folder(mailbox_id, "a/b")
    with pytest.raises(OverQuota):
        folders.create_folder(mailbox_id, "c")
    with pytest.raises(OverQuota):
        folders.rename_folder(mailbox_id, "Archive", "x/Archive")
    assert quota.folders(mailbox_id) == (8, 8)
    folders.delete_folder(mailbox_id, "a/b")
    folders.create_folder(mailbox_id, "c")


def test_delete_takes_the_messages_along() -> None:
    mailbox_id = make_mailbox()
    folder = folders.create_folder(mailbox_id, "old")
    append_many(mailbox_id, folder.id, 3)
    folders.delete_folder(mailbox_id, "old")
    assert Entry.objects.count() == 0
    assert counters_agree(mailbox_id)
    with pytest.raises(NoSuchFolder):
        folders.delete_folder(mailbox_id, "old")
    with pytest.raises(InboxIsFixed):
        folders.delete_folder(mailbox_id, "inbox")


def test_delete_and_create_never_reuse_uidvalidity() -> None:
    mailbox_id = make_mailbox()
    seen = []
    for _ in range(3):
        seen.append(folders.create_folder(mailbox_id, "again").uidvalidity)
        folders.delete_folder(mailbox_id, "again")
    assert seen == sorted(set(seen))


def test_a_deleted_parent_stays_as_a_name() -> None:
    mailbox_id = make_mailbox()
    parent = folders.create_folder(mailbox_id, "p")
    folders.create_folder(mailbox_id, "p/c")
    append_many(mailbox_id, parent.id, 2)
    folders.delete_folder(mailbox_id, "p")
    left = folders.find_folder(mailbox_id, "p")
    assert (left.is_selectable, left.exists) == (False, 0)
    assert counters_agree(mailbox_id)
    with pytest.raises(FolderHasChildren):
        folders.delete_folder(mailbox_id, "p")
    with pytest.raises(NoSuchFolder):
        append_many(mailbox_id, parent.id, 1)
    again = folders.create_folder(mailbox_id, "p")
    assert again.is_selectable
    assert again.uidvalidity > parent.uidvalidity
    assert append_many(mailbox_id, again.id, 1) == [1]
    # Who still has the folder before open must not take this message for one of that.
    with pytest.raises(NoSuchFolder):
        expunge_uids(parent.id, [1], actor=mailbox_id, only_deleted=False)
    assert folders.find_folder(mailbox_id, "p").exists == 1


def test_a_name_without_children_left_can_go() -> None:
    mailbox_id = make_mailbox()
    folders.create_folder(mailbox_id, "p/c")
    folders.delete_folder(mailbox_id, "p")
    folders.delete_folder(mailbox_id, "p/c")
    folders.delete_folder(mailbox_id, "p")
    assert "p" not in names(mailbox_id)


def test_rename_moves_a_whole_tree() -> None:
    mailbox_id = make_mailbox()
    deep = folders.create_folder(mailbox_id, "a/b/c")
    folders.create_folder(mailbox_id, "ab")
    folders.create_folder(mailbox_id, "A/b")
    append_many(mailbox_id, deep.id, 2)
    folders.rename_folder(mailbox_id, "a", "new/home")
    found = set(names(mailbox_id))
    assert {"new", "new/home", "new/home/b", "new/home/b/c", "ab", "A", "A/b"} <= found
    assert not {"a", "a/b", "a/b/c"} & found
    assert folders.find_folder(mailbox_id, "new/home/b/c").uidvalidity == deep.uidvalidity
    assert len(content(deep.id)) == 2


@contextmanager
def committed_statements() -> Iterator[list[str]]:
    """The statements of commits in the block: these have a connection of their own."""
    found: list[str] = []

    def note(execute: Any, statement: str, *rest: Any) -> Any:
        found.append(statement)
        return execute(statement, *rest)

    def install(rows: Rows, blob_id: int | None) -> None:
        connection.execute_wrappers.append(note)

    def remove(rows: Rows, blob_id: int | None) -> None:
        connection.execute_wrappers.remove(note)

    commit.run(commit.Unit(frozenset(), install))
    yield found
    commit.run(commit.Unit(frozenset(), remove))


def test_rename_of_a_large_tree_is_no_longer_than_of_a_small_one() -> None:
    mailbox_id = make_mailbox()
    for number in range(3):
        folders.create_folder(mailbox_id, f"small/{number}")
    for number in range(60):
        folders.create_folder(mailbox_id, f"large/{number}")
    with committed_statements() as of_small:
        folders.rename_folder(mailbox_id, "small", "few")
    with committed_statements() as of_large:
        folders.rename_folder(mailbox_id, "large", "many")
    assert len(of_large) == len(of_small)
    assert {"few/2", "many/59"} <= set(names(mailbox_id))
    changed = Change.objects.filter(folder__name__startswith="many", kind=Change.Kind.FOLDER)
    assert changed.values("folder").distinct().count() == 61


def test_rename_refuses() -> None:
    mailbox_id = make_mailbox()
    folders.create_folder(mailbox_id, "a/b")
    with pytest.raises(FolderExists):
        folders.rename_folder(mailbox_id, "a", "Sent")
    with pytest.raises(FolderExists):
        folders.rename_folder(mailbox_id, "a", "INBOX")
    with pytest.raises(NoSuchFolder):
        folders.rename_folder(mailbox_id, "nowhere", "x")
    with pytest.raises(BadFolderName):
        folders.rename_folder(mailbox_id, "a", "a/b/c")
    with pytest.raises(BadFolderName):
        folders.rename_folder(mailbox_id, "a", "x" * 999)
    assert {"a", "a/b"} <= set(names(mailbox_id))
    assert "x" * 999 not in names(mailbox_id)


def test_rename_of_inbox_moves_its_messages() -> None:
    mailbox_id = make_mailbox()
    folders.create_folder(mailbox_id, "INBOX/child")
    append_many(mailbox_id, inbox(mailbox_id), 3)
    before = content(inbox(mailbox_id))
    folders.rename_folder(mailbox_id, "INBOX", "2025")
    assert content(folders.find_folder(mailbox_id, "2025").id) == before
    assert folders.find_folder(mailbox_id, "INBOX").exists == 0
    assert "INBOX/child" in names(mailbox_id)
    assert counters_agree(mailbox_id)
    assert append_many(mailbox_id, inbox(mailbox_id), 1) == [4]


def test_recent_belongs_to_one_session() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    assert folders.take_recent(folder_id) == 1
    assert folders.take_recent(folder_id) == 3
    append_many(mailbox_id, folder_id, 1)
    assert folders.take_recent(folder_id) == 3
    assert folders.get_folder(folder_id).recent_from_uid == 4
    with pytest.raises(NoSuchFolder):
        folders.take_recent(10**9)


def test_subscriptions_outlive_folders() -> None:
    mailbox_id = make_mailbox()
    subscriptions.subscribe(mailbox_id, "not/there")
    subscriptions.subscribe(mailbox_id, "not/there")
    subscriptions.unsubscribe(mailbox_id, "inbox")
    subscriptions.unsubscribe(mailbox_id, "never was")
    assert "not/there" in subscriptions.list_subscriptions(mailbox_id)
    assert "INBOX" not in subscriptions.list_subscriptions(mailbox_id)


def test_levels_above_what_is_subscribed_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_LEVELS", 5)
    mailbox_id = make_mailbox()
    subscriptions.subscribe(mailbox_id, "a/b/c")
    with pytest.raises(TooManyFolders):
        subscriptions.subscribe(mailbox_id, "d/e/f/g/h")
    subscriptions.subscribe(mailbox_id, "d/e/f/g")
    subscriptions.subscribe(mailbox_id, "flat")
    with pytest.raises(TooManyFolders):
        subscriptions.subscribe(mailbox_id, "i/j")
