"""A purge that is cut short at any point leaves a mail store that is consistent."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import directory, fsck, stamps, tasks
from accounts.mailstore import folders, removal
from accounts.mailstore.flags import Flag, StoreMode
from accounts.models import Change, Mailbox, Message, Recoverable
from tests.accounts.as_owner import copy_uids, expunge_uids, store_flags
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(Exception):
    pass


def nobody(told: str) -> None:
    pass


def filled() -> Mailbox:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 7)
    plans = folders.create_folder(mailbox_id, "Plans").id
    copy_uids(inbox(mailbox_id), range(1, 8), plans)
    store_flags(plans, [1, 3, 4], StoreMode.ADD, Flag.SEEN)
    expunge_uids(inbox(mailbox_id), [1, 2, 3], only_deleted=False)
    return Mailbox.objects.get(pk=mailbox_id)


def faults() -> list[str]:
    return [found.text for found in fsck.check(lambda _: None) if found.is_fault]


@pytest.mark.parametrize("step", range(1, 25))
def test_what_a_purge_leaves_is_consistent(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = filled()
    directory.remove_mailbox(mailbox)
    monkeypatch.setattr(removal, "CHUNK", 2)
    change, left = stamps.change, [step]

    def cut_short(*args: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise Killed
        return change(*args)

    with monkeypatch.context() as patched:
        patched.setattr(stamps, "change", cut_short)
        with suppress(Killed):
            removal.purge_mail(mailbox.pk, nobody)
    assert faults() == []
    directory.purge_mailbox(mailbox)
    assert faults() == []
    assert not Message.objects.exists()
    assert not Recoverable.objects.exists()


def test_a_long_change_log_goes_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = filled()
    inbox_id = inbox(mailbox.pk)
    for uid in range(4, 8):
        store_flags(inbox_id, [uid], StoreMode.ADD, Flag.SEEN)
    logged = Change.objects.filter(mailbox=mailbox).count()
    assert logged >= 6
    monkeypatch.setattr(removal, "CHUNK", 2)

    def cut_short(mailbox_id: int, folder_id: int) -> int:
        raise Killed

    with monkeypatch.context() as patched, CaptureQueriesContext(connection) as queries:
        patched.setattr(removal, "_delete_entries", cut_short)
        with suppress(Killed):
            removal.purge_mail(mailbox.pk, nobody)
    found = [query["sql"] for query in queries.captured_queries]
    assert len([sql for sql in found if sql.startswith('DELETE FROM "accounts_change"')]) >= 3
    assert not Change.objects.filter(mailbox=mailbox).exists()


def test_a_purge_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = filled()
    monkeypatch.setattr(removal, "CHUNK", 4)
    told: list[str] = []
    directory.purge_mailbox(mailbox, told.append)
    numbers = [int(text.split()[0]) for text in told]
    assert numbers == [4, 8, 11, 4, 7]
    assert told[0].endswith("taken from their folders")
    assert told[-1].endswith("deleted")


def test_a_purge_that_was_cut_short_is_not_undone_but_ended_by_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox = filled()

    def cut_short(mailbox_id: int, folder_id: int) -> int:
        raise Killed

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(removal, "_delete_entries", cut_short)
        directory.purge_mailbox(mailbox)
    cut = Mailbox.objects.get(pk=mailbox.pk)
    with pytest.raises(directory.DirectoryError, match="being purged"):
        directory.restore_mailbox(cut)
    with pytest.raises(directory.DirectoryError, match="being purged"):
        directory.find_mailbox(cut.address)
    with pytest.raises(directory.DirectoryError, match="being purged"):
        directory.create_mailbox(cut.address, "pass word pass")
    tasks.purge_mailboxes()
    assert not Mailbox.objects.filter(pk=mailbox.pk).exists()
    assert not Message.objects.exists()
    directory.create_mailbox(cut.address, "pass word pass")


def test_two_may_purge_a_mailbox_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = filled()
    directory.remove_mailbox(mailbox)
    purge_mail = removal.purge_mail

    def after_another(mailbox_id: int, progress: Any) -> None:
        monkeypatch.setattr(removal, "purge_mail", purge_mail)
        directory.purge_mailbox(Mailbox.objects.get(pk=mailbox_id))
        purge_mail(mailbox_id, progress)

    monkeypatch.setattr(removal, "purge_mail", after_another)
    directory.purge_mailbox(mailbox)
    assert not Mailbox.objects.filter(pk=mailbox.pk).exists()
    assert faults() == []


def test_who_was_restored_in_the_last_moment_is_not_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = filled(), Mailbox.objects.get(pk=make_mailbox())
    long_ago = timezone.now() - timedelta(days=31)
    for days, mailbox in enumerate((first, second)):
        directory.remove_mailbox(mailbox)
        at = long_ago + timedelta(hours=days)
        Mailbox.objects.filter(pk=mailbox.pk).update(removed_at=at)
    purge_mail = removal.purge_mail

    def meanwhile(mailbox_id: int, progress: Any) -> None:
        directory.restore_mailbox(Mailbox.objects.get(pk=second.pk))
        purge_mail(mailbox_id, progress)

    monkeypatch.setattr(removal, "purge_mail", meanwhile)
    tasks.purge_mailboxes()
    assert list(Mailbox.objects.values_list("pk", "removed_at")) == [(second.pk, None)]
