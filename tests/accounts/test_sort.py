"""SORT reads its keys from stored columns, whatever strangers wrote into them."""

import pytest

from accounts import fsck, garbage
from accounts.mailstore import append, sort_kept
from accounts.mailstore.sort import SLICE, Sorting
from accounts.mailstore.sort_keys import Keys, keys_of
from accounts.models import Message, SortKeys
from protocols.wire.imap.sort import Criterion, SortKey
from tests.accounts import as_owner
from tests.accounts.mail import append_many, inbox, keep_nothing_deleted, make_mailbox

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


def _kept_after(mailbox_id: int) -> int:
    """How many keys are kept once all commits under way are done."""
    append_many(mailbox_id, inbox(mailbox_id), 1)
    return SortKeys.objects.filter(message__mailbox_id=mailbox_id).count()


def test_a_header_is_decoded_once(monkeypatch) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = [_put(mailbox_id, b"Subject: b\r\n"), _put(mailbox_id, b"Subject: a\r\n")]
    by_subject = Criterion(SortKey.SUBJECT)
    assert _sorted(folder_id, uids, by_subject) == uids[::-1]
    assert _kept_after(mailbox_id) == 2
    decoded = []

    def noting(headers: bytes) -> Keys:
        decoded.append(headers)
        return keys_of(headers)

    monkeypatch.setattr(sort_kept, "keys_of", noting)
    assert _sorted(folder_id, uids, by_subject) == uids[::-1]
    assert decoded == []
    # One that came later is read alone, and sorted among those kept.
    uids.append(_put(mailbox_id, b"Subject: Re: AA\r\n"))
    assert _sorted(folder_id, uids, by_subject, Criterion(SortKey.DATE)) == [
        uids[1],
        uids[2],
        uids[0],
    ]
    assert len(decoded) == 1


def test_keys_of_another_version_or_of_prepared_anew_headers_are_made_again() -> None:
    mailbox_id = make_mailbox()
    uids = [_put(mailbox_id, b"Subject: b\r\n"), _put(mailbox_id, b"Subject: a\r\n")]
    expected = uids[::-1]
    by_subject = Criterion(SortKey.SUBJECT)
    _sorted(inbox(mailbox_id), uids, by_subject)
    assert _kept_after(mailbox_id) == 2
    SortKeys.objects.update(version=sort_kept.VERSION - 1, subject=b"?")
    assert _sorted(inbox(mailbox_id), uids, by_subject) == expected
    _kept_after(mailbox_id)
    assert set(SortKeys.objects.values_list("version", flat=True)) == {sort_kept.VERSION}
    SortKeys.objects.update(subject=b"?")
    Message.objects.update(prepared_version=0)
    fsck.prepare_again(lambda text: None)
    assert not SortKeys.objects.exists()
    assert _sorted(inbox(mailbox_id), uids, by_subject) == expected


def test_large_keys_are_not_kept_and_kept_ones_go_with_their_message() -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    folder_id = inbox(mailbox_id)
    huge = b"x" * sort_kept.LARGEST_KEPT
    uids = [_put(mailbox_id, b"Subject: %by\r\n" % huge), _put(mailbox_id, b"Subject: a\r\n")]
    assert _sorted(folder_id, uids, Criterion(SortKey.SUBJECT)) == uids[::-1]
    assert _kept_after(mailbox_id) == 1
    as_owner.expunge_uids(folder_id, None, only_deleted=False)
    garbage.collect()
    assert not SortKeys.objects.exists()
    assert not Message.objects.exists()


def test_octets_of_any_kind_are_kept() -> None:
    mailbox_id = make_mailbox()
    uids = [
        _put(mailbox_id, b"Subject: =?utf-7?q?+2AA-?= \xff\xfe\r\nFrom: \x80@\xc3\r\n"),
        _put(mailbox_id, b"Subject: a\x00b\r\nCc: =?utf-8?b?AA==?= <x@y>\r\n"),
    ]
    for key in SortKey:
        before = _sorted(inbox(mailbox_id), uids, Criterion(key))
        _kept_after(mailbox_id)
        assert _sorted(inbox(mailbox_id), uids, Criterion(key)) == before
    assert _kept_after(mailbox_id) == 2
