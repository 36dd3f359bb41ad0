"""The row locks that PostgreSQL takes and SQLite does without: who waits reads what was written.

Each test changes something in a transaction, has a thread begin what must wait for it, and commits.
"""

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from accounts import app_passwords, commit, directory, flag_deeds
from accounts.counters import lock_mailboxes
from accounts.directory import DirectoryError, mailboxes, quota_setters, uidvalidity
from accounts.maildrop_lock import RowLock
from accounts.mailstore import append_together, removal
from accounts.mailstore.refusals import TookTooLong
from accounts.models import Blob, Mailbox
from tests.accounts.mail import HELLO, delivery, inbox, make_mailbox
from tests.accounts.meanwhile import meanwhile
from tests.accounts.test_append_together import stored
from tests.partners.platform import PLATFORM

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(PLATFORM != "scaled", reason="SQLite has one writer at a time"),
]


@pytest.fixture
def mailbox_id() -> int:
    return make_mailbox()


def row(mailbox_id: int) -> Any:
    return Mailbox.objects.filter(pk=mailbox_id)


def test_a_commit_counts_on_from_what_another_process_has_written(mailbox_id: int) -> None:
    deliver = lambda: commit.submit(delivery(mailbox_id, HELLO)).result(30)  # noqa: E731
    with meanwhile(deliver) as outcome:
        row(mailbox_id).update(used_messages=7)
    outcome.result()
    assert row(mailbox_id).get().used_messages == 8


def test_a_commit_keeps_nobody_from_pointing_at_its_mailbox(mailbox_id: int) -> None:
    with transaction.atomic():
        lock_mailboxes([mailbox_id])
        other = threading.Thread(target=lambda: (RowLock(mailbox_id), connections.close_all()))
        other.start()
        other.join(10)
        assert not other.is_alive()


def test_uidvalidities_are_handed_out_once() -> None:
    uidvalidity.first_of_new()
    with meanwhile(uidvalidity.first_of_new) as outcome:
        ours = uidvalidity.first_of_new()
    assert outcome.result() > ours


def test_of_two_app_passwords_of_a_label_one_is_made(mailbox_id: int) -> None:
    mailbox = row(mailbox_id).get()
    create = lambda: app_passwords.create_app_password(mailbox, "phone", ["imap"])  # noqa: E731
    with meanwhile(create) as outcome:
        create()
    with pytest.raises(DirectoryError, match="phone"):
        outcome.result()


def test_what_was_restored_a_moment_ago_is_not_purged(mailbox_id: int) -> None:
    mailbox = row(mailbox_id).get()
    directory.remove_mailbox(mailbox)
    with meanwhile(lambda: mailboxes.ask_purge(row(mailbox_id).get())) as outcome:
        mailboxes.restore_mailbox(row(mailbox_id).get())
    with pytest.raises(DirectoryError):
        outcome.result()
    assert row(mailbox_id).get().purge_asked_at is None


def test_octets_that_are_being_collected_are_not_appended(mailbox_id: int) -> None:
    message = stored(HELLO)
    append = lambda: append_together.append_stored(  # noqa: E731
        mailbox_id, inbox(mailbox_id), [message], folder_name="INBOX", actor=mailbox_id
    ).result(30)
    with meanwhile(append) as outcome:
        Blob.objects.filter(pk=message.blob.result(30)).delete()
    with pytest.raises(TookTooLong):
        outcome.result()


def test_a_limit_below_what_came_a_moment_ago_finds_the_mailbox_full(mailbox_id: int) -> None:
    with meanwhile(lambda: quota_setters.set_quotas_of(mailbox_id, 100, 0, 0)) as outcome:
        row(mailbox_id).update(used_bytes=200)
    outcome.result()
    assert row(mailbox_id).get().full_since is not None


def test_a_large_store_leaves_no_deed_for_servers_that_know_none() -> None:
    assert not flag_deeds.may_be_left(range(1, 5_000))


def test_a_purge_waits_for_a_commit_under_way(mailbox_id: int) -> None:
    with meanwhile(lambda: removal._forget_deleted(mailbox_id)) as outcome:
        lock_mailboxes([mailbox_id])
    outcome.result()
