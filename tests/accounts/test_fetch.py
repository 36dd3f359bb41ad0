"""FETCH: the right columns, in UID order, few queries, and octets by range."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from accounts import blobs, commit
from accounts.blobs import BlobMissing
from accounts.mailstore.fetch import Columns, FetchRow, fetch, octets, octets_many
from accounts.models import Blob
from tests.accounts.mail import HELLO, append_many, delivery, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

Asserting = Callable[[int], AbstractContextManager[object]]


def test_only_what_was_asked_for_comes() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 3)
    rows = fetch(folder_id, [3, 1, 7], columns=Columns.SIZE)
    assert [row.uid for row in rows] == [1, 3]
    assert rows[0] == FetchRow(uid=1, size=len(HELLO) + 3)
    assert fetch(folder_id, [2], columns=Columns(0)) == [FetchRow(uid=2)]
    [row] = fetch(folder_id, [2], columns=Columns.ENVELOPE | Columns.DATES | Columns.SAVED_AT)
    assert isinstance(row.envelope, bytes)
    assert row.internal_date == row.saved_at
    assert row.size is None
    assert row.place is None


def test_binary_columns_are_bytes() -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 1)
    [row] = fetch(inbox(mailbox_id), [1], columns=Columns(0x3FF))
    for name in ("envelope", "bodystructure", "body", "headers", "prefix"):
        assert type(getattr(row, name)) is bytes


def test_one_query_for_500(django_assert_num_queries: Asserting) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, 20)
    every = Columns(0x3FF)
    with django_assert_num_queries(1):
        assert len(fetch(folder_id, uids, columns=every)) == 20
    with django_assert_num_queries(1):
        fetch(folder_id, range(1, 501), columns=every)
    with django_assert_num_queries(2):
        fetch(folder_id, range(1, 502), columns=every)


def test_a_range_of_octets_may_cross_the_prefix() -> None:
    mailbox_id = make_mailbox()
    prefix = b"Return-Path: <x@y.test>\r\n"
    commit.run(delivery(mailbox_id, HELLO, prefix))
    [row] = fetch(inbox(mailbox_id), [1], columns=Columns.OCTETS)
    whole = prefix + HELLO
    for start in (0, 1, 24, 25, 26, 60, len(whole), len(whole) + 9):
        assert octets(row, start) == whole[start:]
        for length in (0, 1, 24, 25, 26, 500):
            assert octets(row, start, length) == whole[start : start + length]


def test_octets_of_many_keep_their_order() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 9)
    rows = fetch(folder_id, range(1, 10), columns=Columns.OCTETS)[::-1]
    assert octets_many(rows) == [octets(row) for row in rows]


def test_octets_need_their_columns() -> None:
    with pytest.raises(ValueError, match="OCTETS"):
        octets(FetchRow(uid=1))
    with pytest.raises(ValueError, match="OCTETS"):
        octets_many([FetchRow(uid=1)])


def test_a_blob_that_moved_is_found_again() -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 2)
    rows = fetch(inbox(mailbox_id), [1, 2], columns=Columns.OCTETS)
    wanted = octets_many(rows)
    blob = Blob.objects.get(pk=rows[0].place[3])
    commit.reset()
    [moved] = blobs.append([wanted[0]])
    old = blobs.directory() / blob.segment.name
    Blob.objects.filter(pk=blob.pk).update(segment_id=moved.segment_id, offset=moved.offset)
    old.unlink()
    assert octets(rows[0]) == wanted[0]
    with pytest.raises(BlobMissing):
        octets(rows[1])
