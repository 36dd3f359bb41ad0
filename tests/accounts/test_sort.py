"""SORT reads its keys from stored columns, whatever strangers wrote into them."""

import pytest

from accounts.mailstore import append
from accounts.mailstore.sort import SLICE, Sorting
from protocols.wire.imap.sort import Criterion, SortKey
from tests.accounts import as_owner
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def _put(mailbox_id: int, header: bytes, internal_date: int = 1_000_000) -> int:
    octets = header + b"\r\nText.\r\n"
    folder_id = inbox(mailbox_id)
    future = append.append_message(mailbox_id, folder_id, octets, internal_date=internal_date)
    return future.result().uid


def _sorted(folder_id: int, uids: list[int], *criteria: Criterion) -> list[int]:
    sorting = Sorting(folder_id, criteria)
    list(sorting.read(uids))
    return sorting.ordered(uids)


def test_a_missing_or_broken_date_is_the_internal_date() -> None:
    mailbox_id = make_mailbox()
    second = _put(mailbox_id, b"Date: Thu, 99 Foo 2026 11:00:00 +0000\r\n", 2_000_000)
    third = _put(mailbox_id, b"Subject: none\r\n", 3_000_000)
    first = _put(mailbox_id, b"Date: Mon, 05 Jan 1970 00:00:00 -0500\r\n", 9_000_000)
    uids = sorted([first, second, third])
    assert _sorted(inbox(mailbox_id), uids, Criterion(SortKey.DATE)) == [first, second, third]


def test_ties_keep_their_order_in_reverse_too() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, SLICE + 10)
    by_subject = Criterion(SortKey.SUBJECT, is_reverse=True)
    assert _sorted(folder_id, uids, by_subject) == uids


def test_huge_headers_and_hostile_subjects_are_sorted_like_others() -> None:
    mailbox_id = make_mailbox()
    last = _put(mailbox_id, b"Subject: " + b"Re: [x] " * 8000 + b"z\r\n")
    first = _put(mailbox_id, b"Subject: m\r\nTo: " + b"a@b.test,\r\n " * 4000 + b"c@d.test\r\n")
    middle = _put(mailbox_id, b"Subject: =?utf-8?q?N?=\r\nFrom: (((((\r\n")
    uids = [last, first, middle]
    assert _sorted(inbox(mailbox_id), uids, Criterion(SortKey.SUBJECT)) == [first, middle, last]


def test_what_was_expunged_meanwhile_is_left_out() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, 3)
    as_owner.expunge_uids(folder_id, uids[1:2], only_deleted=False)
    assert _sorted(folder_id, uids, Criterion(SortKey.SIZE)) == [uids[0], uids[2]]
