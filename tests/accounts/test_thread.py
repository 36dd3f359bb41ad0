"""THREAD reads what it needs of messages, whatever strangers wrote into them (RFC 5256 §3)."""

import time

import pytest

from accounts.mailstore import append, expunge
from accounts.mailstore.thread import Threading
from accounts.mailstore.thread_names import MAX_REFERENCES
from protocols.wire.imap.thread import Algorithm
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def _put(mailbox_id: int, header: bytes) -> int:
    octets = header + b"\r\nText.\r\n"
    return append.append_message(mailbox_id, inbox(mailbox_id), octets).result().uid


def _threaded(folder_id: int, uids: list[int]) -> list[list[int]]:
    """The UIDs of each thread, the first message first."""
    threading = Threading(folder_id, Algorithm.REFERENCES)
    list(threading.work(uids))
    found = []
    for top in threading.threads.tops:
        members, waiting = [], [top]
        while waiting:
            node = waiting.pop()
            members.append(threading.uids[node])
            waiting += threading.threads.children.get(node, [])
        found.append(members)
    return found


def test_of_ten_thousand_references_the_first_and_the_latest_count() -> None:
    mailbox_id = make_mailbox()
    names = [b"<r%d@b.test>" % number for number in range(10_000)]
    first = _put(mailbox_id, b"Subject: a\r\nMessage-ID: " + names[0] + b"\r\n")
    middle = _put(mailbox_id, b"Subject: b\r\nMessage-ID: " + names[5_000] + b"\r\n")
    late = _put(mailbox_id, b"Subject: c\r\nMessage-ID: " + names[1 - MAX_REFERENCES] + b"\r\n")
    last = _put(mailbox_id, b"Subject: d\r\nReferences: " + b"\r\n ".join(names) + b"\r\n")
    uids = [first, middle, late, last]
    started = time.process_time()
    assert _threaded(inbox(mailbox_id), uids) == [[first, late, last], [middle]]
    assert time.process_time() - started < 2


def test_loops_and_repeated_ids_end() -> None:
    mailbox_id = make_mailbox()
    one = _put(mailbox_id, b"Message-ID: <a@b>\r\nReferences: <c@d> <a@b> <c@d> <a@b>\r\n")
    other = _put(mailbox_id, b"Message-ID: <c@d>\r\nReferences: <a@b> <a@b>\r\n")
    assert _threaded(inbox(mailbox_id), [one, other]) == [[one, other]]


def test_only_the_first_field_of_a_name_counts() -> None:
    mailbox_id = make_mailbox()
    one = _put(mailbox_id, b"Message-ID: <a@b>\r\nMessage-ID: <x@y>\r\nSubject: a\r\n")
    other = _put(mailbox_id, b"References: <x@y>\r\nIn-Reply-To: <a@b>\r\nSubject: b\r\n")
    assert _threaded(inbox(mailbox_id), [one, other]) == [[one], [other]]


def test_what_was_expunged_meanwhile_is_left_out() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, 3)
    expunge.expunge_uids(folder_id, uids[1:2], only_deleted=False, actor=mailbox_id)
    found = _threaded(folder_id, uids[:2])
    assert found == [[uids[0]]]
