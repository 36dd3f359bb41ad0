"""APPEND: where a message goes, what is kept of it, and what stops it."""

from importlib import import_module

import pytest
from django.apps import apps

from accounts.blobs import Spool
from accounts.mailstore import append, fetch, folders, quota
from accounts.mailstore.flags import Flag
from accounts.mailstore.refusals import NoSuchFolder, OverQuota, TooManyKeywords
from accounts.models import Blob, Entry, Mailbox, Message
from protocols.wire.message import prepare
from tests.accounts.as_owner import copy_uids, expunge_uids
from tests.accounts.mail import HELLO, append_many, content, counters_agree, inbox, make_mailbox
from tests.accounts.test_commit import Held

pytestmark = pytest.mark.django_db(transaction=True)


def test_append_keeps_everything_it_was_given() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    done = append.append_message(
        mailbox_id,
        folder_id,
        HELLO,
        flags=Flag.SEEN | Flag.FLAGGED,
        keywords=["$Forwarded", "Work"],
        internal_date=1_000_000_000,
        zone_minutes=-90,
    ).result(20)
    info = folders.get_folder(folder_id)
    assert (done.uid, done.uidvalidity, done.modseq) == (1, info.uidvalidity, info.highest_modseq)
    assert (info.exists, info.unseen, info.octets, info.uidnext) == (1, 0, len(HELLO), 2)
    assert info.keywords == ("$Forwarded", "Work")
    prepared = prepare(HELLO)
    every = fetch.Columns(0x3FF)
    [row] = fetch.fetch(folder_id, [1], columns=every)
    assert (row.size, row.internal_date, row.zone_minutes) == (len(HELLO), 1_000_000_000, -90)
    assert (row.envelope, row.bodystructure) == (prepared.envelope, prepared.bodystructure)
    assert (row.body, row.headers, row.sent_at) == (
        prepared.body,
        prepared.headers,
        prepared.sent_at,
    )
    [entry] = Entry.objects.filter(folder_id=folder_id)
    assert (entry.flags, entry.keywords) == (Flag.SEEN | Flag.FLAGGED, 0b11)
    assert fetch.octets(row) == HELLO
    assert counters_agree(mailbox_id)


def test_a_spool_appends_the_same_octets() -> None:
    mailbox_id = make_mailbox()
    spool = Spool()
    spool.write(HELLO[:10])
    spool.write(HELLO[10:])
    append.append_message(mailbox_id, inbox(mailbox_id), spool).result(20)
    assert content(inbox(mailbox_id)) == {1: HELLO}


def test_uids_follow_each_other_without_gaps_or_repeats() -> None:
    mailbox_id = make_mailbox()
    assert append_many(mailbox_id, inbox(mailbox_id), 50) == list(range(1, 51))


def test_a_full_mailbox_takes_nothing_more() -> None:
    mailbox_id = make_mailbox(quota=len(HELLO) + 10)
    folder_id = inbox(mailbox_id)
    append.append_message(mailbox_id, folder_id, HELLO).result(20)
    assert not quota.would_fit(mailbox_id, 11)
    assert quota.would_fit(mailbox_id, 10)
    with pytest.raises(OverQuota):
        append.append_message(mailbox_id, folder_id, HELLO).result(20)
    assert quota.usage(mailbox_id).used_bytes == len(HELLO)
    assert Blob.objects.count() == Message.objects.count() == 1


def test_a_mailbox_may_be_allowed_a_number_of_messages() -> None:
    mailbox_id = make_mailbox()
    Mailbox.objects.update(quota_messages=2)
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 2)
    assert quota.usage(mailbox_id).full_since is not None
    assert not quota.would_fit(mailbox_id, 1)
    with pytest.raises(OverQuota):
        append.append_message(mailbox_id, folder_id, HELLO).result(20)
    with pytest.raises(OverQuota):
        copy_uids(folder_id, [1], folder_id)
    # What is replaced makes its own room.
    append.append_message(mailbox_id, folder_id, HELLO, replaced=(folder_id, 1)).result(20)
    assert counters_agree(mailbox_id)


def test_what_a_message_cannot_replace_for_want_of_room_stays() -> None:
    mailbox_id = make_mailbox(quota=len(HELLO) + 10)
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    # One of two in a batch, whose commit keeps the other.
    with Held():
        other = append.append_message(mailbox_id, folder_id, b"a: b\r\n")
        large = append.append_message(
            mailbox_id, folder_id, HELLO + b"x" * 5, replaced=(folder_id, 1)
        )
    assert other.result(20).uid == 2
    assert isinstance(large.exception(20), OverQuota)
    assert list(Entry.objects.values_list("uid", flat=True)) == [1, 2]
    assert counters_agree(mailbox_id)


def test_messages_stored_before_they_were_counted_are_counted() -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 3)
    append_many(mailbox_id, folders.find_folder(mailbox_id, "Sent").id, 2)
    other_id = make_mailbox()
    Mailbox.objects.update(used_messages=9)
    migration = import_module("accounts.migrations.0010_quotas_of_messages_and_folders")
    migration.count_messages(apps, None)
    assert quota.usage(mailbox_id).used_messages == 5
    assert quota.usage(other_id).used_messages == 0


def test_full_since_is_kept_while_the_mailbox_is_full() -> None:
    mailbox_id = make_mailbox(quota=len(HELLO))
    append.append_message(mailbox_id, inbox(mailbox_id), HELLO).result(20)
    since = quota.usage(mailbox_id).full_since
    assert since is not None

    expunge_uids(inbox(mailbox_id), [1], only_deleted=False)
    assert quota.usage(mailbox_id).full_since is None


def test_a_folder_that_is_gone_refuses() -> None:
    mailbox_id = make_mailbox()
    folder = folders.create_folder(mailbox_id, "Gone")
    folders.delete_folder(mailbox_id, "Gone")
    with pytest.raises(NoSuchFolder):
        append.append_message(mailbox_id, folder.id, HELLO).result(20)


def test_another_mailboxs_folder_is_no_folder() -> None:
    alice, bob = make_mailbox(), make_mailbox()
    with pytest.raises(NoSuchFolder):
        append.append_message(alice, inbox(bob), HELLO).result(20)
    assert Entry.objects.count() == 0


def test_keywords_are_bounded_and_compare_without_case() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    names = [f"k{number}" for number in range(63)]
    append.append_message(mailbox_id, folder_id, HELLO, keywords=names).result(20)
    append.append_message(mailbox_id, folder_id, HELLO, keywords=["K62"]).result(20)
    with pytest.raises(TooManyKeywords):
        append.append_message(mailbox_id, folder_id, HELLO, keywords=["one-more"]).result(20)
    assert Entry.objects.get(folder_id=folder_id, uid=2).keywords == 1 << 62


def test_modseq_is_one_counter_for_the_mailbox() -> None:
    mailbox_id = make_mailbox()
    sent = folders.find_folder(mailbox_id, "Sent").id
    seen = [
        append.append_message(mailbox_id, folder_id, HELLO).result(20).modseq
        for folder_id in (inbox(mailbox_id), sent, inbox(mailbox_id))
    ]
    assert seen == sorted(set(seen))
    assert Mailbox.objects.get(pk=mailbox_id).highest_modseq == seen[-1]
