"""A committer's counters are kept from batch to batch, and never used where anybody wrote since."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from accounts import commit, counters, rows, stamps
from accounts.mailstore import folders
from accounts.mailstore.refusals import NoSuchFolder, OverQuota
from accounts.models import Folder, Mailbox
from tests.accounts.mail import HELLO, append_many, counters_agree, delivery, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

only_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="a row lock must be taken, and with it the row is read"
)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What commits read of counters from now on."""
    seen: list[str] = []

    def noting(name: str) -> Callable[..., object]:
        real = getattr(counters, name)

        def load(keys: list[int]) -> object:
            seen.append(name)
            return real(keys)

        return load

    for name in ("lock_mailboxes", "load_folders", "load_inboxes"):
        monkeypatch.setattr(rows, name, noting(name))
    return seen


def deliver(mailbox_id: int) -> int:
    return commit.run(delivery(mailbox_id, HELLO)).uid


@only_sqlite
def test_the_second_commit_reads_no_counters(loads: list[str]) -> None:
    mailbox_id = make_mailbox()
    assert deliver(mailbox_id) == 1
    loads.clear()
    assert [deliver(mailbox_id) for _ in range(3)] == [2, 3, 4]
    assert loads == []
    assert counters_agree(mailbox_id)


@only_sqlite
def test_several_mailboxes_are_kept(loads: list[str]) -> None:
    first, second = make_mailbox(), make_mailbox()
    for mailbox_id in (first, second):
        deliver(mailbox_id)
    loads.clear()
    assert [deliver(first), deliver(second), deliver(first)] == [2, 2, 3]
    assert loads == []
    assert counters_agree(first)
    assert counters_agree(second)


def test_what_another_connection_changed_counts_at_once() -> None:
    mailbox_id = make_mailbox()
    deliver(mailbox_id)
    Mailbox.objects.filter(pk=mailbox_id).update(quota_messages=1)
    folder_id = inbox(mailbox_id)
    with pytest.raises(OverQuota):
        append_many(mailbox_id, folder_id, 1)
    Mailbox.objects.filter(pk=mailbox_id).update(quota_messages=0)
    append_many(mailbox_id, folder_id, 1)
    with transaction.atomic():
        stamps.change([mailbox_id])
        Folder.objects.filter(pk=folder_id).update(uidnext=100)
    assert deliver(mailbox_id) == 100


@only_sqlite
def test_what_another_process_changed_counts_at_once() -> None:
    mailbox_id = make_mailbox()
    deliver(mailbox_id)
    program = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "database.execute('UPDATE accounts_folder SET uidnext = 50 WHERE id = ?', sys.argv[2:])"
    )
    name, folder_id = str(connection.settings_dict["NAME"]), str(inbox(mailbox_id))
    subprocess.run([sys.executable, "-c", program, name, folder_id], check=True)
    assert deliver(mailbox_id) == 50


def test_a_unit_with_statements_of_its_own_leaves_nothing_kept() -> None:
    mailbox_id = make_mailbox()
    deliver(mailbox_id)
    folder_id = inbox(mailbox_id)

    def write(held: rows.Rows, blob_id: object) -> None:
        held.folder(folder_id)
        held.direct()
        Folder.objects.filter(pk=folder_id).update(recent_from_uid=77)

    commit.run(commit.Unit(frozenset((mailbox_id,)), write))
    seen: list[int] = []

    def look(held: rows.Rows, blob_id: object) -> None:
        seen.append(held.folder(folder_id).recent_from_uid)

    commit.run(commit.Unit(frozenset((mailbox_id,)), look))
    assert seen == [77]


def test_what_was_undone_was_never_kept() -> None:
    mailbox_id = make_mailbox()
    deliver(mailbox_id)

    def fail(held: rows.Rows, blob_id: object) -> None:
        held.inbox(mailbox_id).take_uids(40)
        held.mailbox(mailbox_id).use(1 << 20, 40)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        commit.run(commit.Unit(frozenset((mailbox_id,)), fail))
    assert deliver(mailbox_id) == 2
    assert counters_agree(mailbox_id)


def test_a_folder_that_was_deleted_is_not_brought_back() -> None:
    mailbox_id = make_mailbox()
    folder_id = folders.create_folder(mailbox_id, "Away").id
    append_many(mailbox_id, folder_id, 1)
    folders.delete_folder(mailbox_id, "Away")
    with pytest.raises(NoSuchFolder):
        append_many(mailbox_id, folder_id, 1)
