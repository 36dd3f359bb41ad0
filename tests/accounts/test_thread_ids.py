"""Threads of messages: found by message-ids within a mailbox, and never changed (RFC 8474 §5.2)."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import garbage
from accounts.mailstore import append, folders, recovery, thread_ids
from accounts.models import Entry, Message, ThreadCursor, ThreadedMessage, ThreadName
from tests.accounts import as_owner
from tests.accounts.mail import append_many, inbox, keep_nothing_deleted, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def _put(mailbox_id: int, header: bytes, folder_id: int | None = None) -> int:
    """Append; returns the key of the message."""
    octets = header + b"Subject: x\r\n\r\nText.\r\n"
    folder_id = folder_id or inbox(mailbox_id)
    uid = append.append_message(mailbox_id, folder_id, octets).result().uid
    return Entry.objects.values_list("message_id", flat=True).get(folder_id=folder_id, uid=uid)


def _threads(mailbox_id: int) -> dict[int, int]:
    """The thread of each message of a mailbox."""
    rows = ThreadedMessage.objects.filter(message__mailbox_id=mailbox_id)
    return dict(rows.values_list("message_id", "thread"))


def _catch_up(mailbox_id: int) -> dict[int, int]:
    list(thread_ids.catch_up(mailbox_id))
    return _threads(mailbox_id)


def test_a_thread_is_found_by_the_nearest_relative() -> None:
    mailbox_id = make_mailbox()
    one = _put(mailbox_id, b"Message-ID: <a@t>\r\n")
    other = _put(mailbox_id, b"Message-ID: <b@t>\r\n")
    both = _put(mailbox_id, b"References: <a@t> <b@t>\r\n")
    lone = _put(mailbox_id, b"")
    reply = _put(mailbox_id, b"In-Reply-To: <unseen@t>\r\n")
    late = _put(mailbox_id, b"Message-ID: <unseen@t>\r\nReferences: <a@t>\r\n")
    again = _put(mailbox_id, b"Message-ID: <b@t>\r\n")
    assert _catch_up(mailbox_id) == {
        one: one,
        other: other,
        both: other,
        lone: lone,
        reply: reply,
        # Who was answered before it came is in the thread of the answer.
        late: reply,
        again: other,
    }


_names = st.integers(0, 6).map(lambda number: b"<%d@t>" % number)
_arrivals = st.lists(
    st.tuples(st.none() | _names, st.lists(_names, max_size=3), st.booleans()), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(_arrivals)
def test_it_does_not_matter_when_threads_are_asked_for(arrivals) -> None:
    early, late = make_mailbox(), make_mailbox()
    for own, references, is_asked in arrivals:
        header = b"References: %b\r\n" % b" ".join(references) if references else b""
        header += b"Message-ID: %b\r\n" % own if own else b""
        for mailbox_id in (early, late):
            _put(mailbox_id, header)
        if is_asked:
            before = _threads(early)
            after = _catch_up(early)
            assert before.items() <= after.items()
    found = []
    for mailbox_id in (early, late):
        threads = _catch_up(mailbox_id)
        place = {key: at for at, key in enumerate(sorted(threads))}
        assert len(place) == len(arrivals)
        found.append([place[threads[key]] for key in sorted(threads)])
    assert found[0] == found[1]


def test_a_strangers_mailbox_is_another_world() -> None:
    alice, charlie = make_mailbox(), make_mailbox()
    hers = _put(alice, b"Message-ID: <a@t>\r\n")
    his = _put(charlie, b"References: <a@t>\r\n")
    assert _catch_up(alice) == {hers: hers}
    assert _catch_up(charlie) == {his: his}


def test_copies_are_one_message_and_two_sessions_do_the_work_once() -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, thread_ids.CHUNK + 10)
    target = folders.find_folder(mailbox_id, "Sent").id
    as_owner.copy_uids(folder_id, uids, target)
    slow = thread_ids.catch_up(mailbox_id)
    # It knows what is to be done; the other one does all of it.
    assert list(islice(slow, 1)) == [None]
    threads = _catch_up(mailbox_id)
    assert list(slow) == [None]
    assert _threads(mailbox_id) == threads
    # They all have one Message-ID.
    assert len(threads) == len(uids)
    assert set(threads.values()) == {min(threads)}
    assert list(thread_ids.catch_up(mailbox_id)) == []


def test_the_names_of_a_thread_go_with_its_last_message() -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    folder_id = inbox(mailbox_id)
    first = _put(mailbox_id, b"Message-ID: <a@t>\r\n")
    answer = _put(mailbox_id, b"Message-ID: <b@t>\r\nIn-Reply-To: <a@t>\r\n")
    _put(mailbox_id, b"Message-ID: <c@t>\r\n")
    _catch_up(mailbox_id)
    as_owner.expunge_uids(folder_id, [1, 3], only_deleted=False)
    garbage.collect()
    assert _threads(mailbox_id) == {answer: first}
    assert ThreadName.objects.filter(mailbox_id=mailbox_id).count() == 2
    late = _put(mailbox_id, b"In-Reply-To: <a@t>\r\n")
    assert _catch_up(mailbox_id) == {answer: first, late: first}
    as_owner.expunge_uids(folder_id, None, only_deleted=False)
    garbage.collect()
    assert not Message.objects.filter(mailbox_id=mailbox_id).exists()
    assert not ThreadName.objects.filter(mailbox_id=mailbox_id).exists()


def test_what_is_gone_for_good_gets_no_thread() -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    gone = _put(mailbox_id, b"")
    there = _put(mailbox_id, b"")
    as_owner.expunge_uids(inbox(mailbox_id), [1], only_deleted=False)
    assert _catch_up(mailbox_id) == {there: there}
    assert gone not in _threads(mailbox_id)
    assert ThreadCursor.objects.get(pk=mailbox_id).last_message == there


def test_what_is_brought_back_has_its_thread() -> None:
    mailbox_id = make_mailbox()
    key = _put(mailbox_id, b"Message-ID: <a@t>\r\n")
    answer = _put(mailbox_id, b"References: <a@t>\r\n")
    as_owner.expunge_uids(inbox(mailbox_id), [1], only_deleted=False)
    assert _catch_up(mailbox_id)[answer] == key
    recovery.restore(mailbox_id, [each.id for each in recovery.recoverable(mailbox_id)])
    assert _catch_up(mailbox_id) == {key: key, answer: key}
    garbage.collect()
    assert _threads(mailbox_id) == {key: key, answer: key}


def test_hostile_references_are_bounded() -> None:
    mailbox_id = make_mailbox()
    names = b"\r\n ".join(b"<r%d@b.test>" % number for number in range(10_000))
    key = _put(mailbox_id, b"Message-ID: <own@t>\r\nReferences: " + names + b"\r\n")
    first = _put(mailbox_id, b"Message-ID: <r0@b.test>\r\n")
    last = _put(mailbox_id, b"Message-ID: <r9999@b.test>\r\n")
    assert _catch_up(mailbox_id) == {key: key, first: key, last: key}
    count = ThreadName.objects.filter(mailbox_id=mailbox_id).count()
    assert count == thread_ids.MAX_REFERENCES + 1
