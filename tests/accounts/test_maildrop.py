"""The maildrop: its fixed numbers, its reading ahead, what becomes of what is deleted."""

from datetime import UTC, date, datetime

import pytest
from django.conf import settings
from django.db import connection

from accounts import commit, directory, maildrop, maildrop_lock, maildrop_table, stamps
from accounts.directory.domains import create_domain
from accounts.directory.mailboxes import create_mailbox
from accounts.directory.tenants import create_tenant
from accounts.maildrop import Maildrop, MessageGone
from accounts.mailstore import acl, folders
from accounts.mailstore.append import append_message
from accounts.mailstore.flags import Flag
from accounts.mailstore.rights import NONE, Right
from accounts.models import Entry, Folder, Mailbox
from tests.accounts import as_owner
from tests.accounts.mail import delivery
from tests.accounts.test_index import unsaid

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mailbox() -> int:
    create_domain(create_tenant("Tests"), "a.test")
    return create_mailbox("alice@a.test", "secret").pk


def fill(mailbox: int, *messages: bytes) -> int:
    inbox = folders.find_folder(mailbox, "INBOX").id
    for octets in messages:
        append_message(mailbox, inbox, octets).result(10)
    return inbox


def test_a_login_that_fails_after_the_lock_frees_it(
    mailbox: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(maildrop.index, "picture", fail)
    with pytest.raises(RuntimeError):
        Maildrop(mailbox)
    assert not maildrop_lock.is_locked(mailbox)


def test_numbers_stay_what_they_were_at_login(mailbox: int) -> None:
    inbox = fill(mailbox, b"one\r\n", b"two\r\n", b"three\r\n")
    drop = Maildrop(mailbox)
    fill(mailbox, b"four\r\n")
    as_owner.expunge_uids(inbox, [drop.uids[1]], only_deleted=False)
    assert len(drop) == 3
    with pytest.raises(MessageGone):
        drop.read_whole(2)
    with pytest.raises(MessageGone):
        drop.open_message(2)
    assert drop.read_whole(3) == b"three\r\n"
    drop.remove([1, 2])
    drop.close()
    left = Maildrop(mailbox)
    assert [left.read_whole(1), left.read_whole(2)] == [b"three\r\n", b"four\r\n"]


def test_a_maildrop_that_is_known_takes_one_statement(
    mailbox: int,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries,
) -> None:
    home = settings.MAILHOST.home
    monkeypatch.setattr(maildrop_lock, "lock", lambda box: maildrop_table.of(home).take(box))
    fill(mailbox, b"one\r\n", b"three\r\n")
    Maildrop(mailbox).close()
    with django_assert_num_queries(1):
        drop = Maildrop(mailbox)
    assert (len(drop), drop.octets) == (2, sum(drop.sizes))
    drop.close()


def test_what_is_read_ahead_is_what_was_delivered(mailbox: int) -> None:
    commit.run(delivery(mailbox, b"a: 1\r\n\r\n", b"Received: here\r\n"))
    inbox = fill(mailbox, *[b"a: %d\r\n\r\n" % number for number in range(2, 6)])
    drop = Maildrop(mailbox)
    as_owner.expunge_uids(inbox, [drop.uids[2]], only_deleted=False)
    assert drop.read_whole(1) == b"Received: here\r\na: 1\r\n\r\n"
    assert [drop.has_ready(number) for number in range(2, 6)] == [True, False, True, True]
    assert [drop.read_whole(number) for number in (2, 4, 5)] == [
        b"a: %d\r\n\r\n" % number for number in (2, 4, 5)
    ]


def test_what_follows_is_read_ahead_within_bounds(
    mailbox: int, django_assert_num_queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maildrop, "AHEAD_OCTETS", 1000)
    fill(mailbox, *[b"%d" % n * 300 for n in range(1, 6)])
    drop = Maildrop(mailbox)
    drop.read_whole(5)  # the store learns where its segment lies
    assert not drop.has_ready(1)
    with django_assert_num_queries(1):
        for number in (1, 2, 3):
            assert drop.read_whole(number) == b"%d" % number * 300
    assert not drop.has_ready(3)
    assert not drop.has_ready(4)
    with django_assert_num_queries(1):
        assert drop.read_whole(4) + drop.read_whole(5) == b"4" * 300 + b"5" * 300
    # What was read ahead in vain is not kept beside what is read ahead next.
    drop.read_whole(1)
    drop.read_whole(4)
    assert [drop.has_ready(number) for number in (2, 3, 5)] == [False, False, True]


def test_a_large_message_is_read_in_pieces(mailbox: int) -> None:
    octets = bytes(range(256)) * 300
    fill(mailbox, octets)
    drop = Maildrop(mailbox)
    row = drop.open_message(1)
    pieces = [drop.read_piece(row, start, 10_000) for start in range(0, len(octets), 10_000)]
    assert b"".join(pieces) == octets


def choose(mailbox: int, deletion: str, since: date | None = None) -> None:
    directory.set_pop(Mailbox.objects.get(pk=mailbox), deletion, since)


def remove(mailbox: int, *numbers: int) -> None:
    drop = Maildrop(mailbox)
    drop.remove(numbers)
    drop.close()


def shown(mailbox: int) -> dict[int, int]:
    """The UIDs that POP3 sees, and their sizes."""
    drop = Maildrop(mailbox)
    drop.close()
    return dict(zip(drop.uids, drop.sizes, strict=True))


def test_what_pop3_deletes_can_stay(mailbox: int) -> None:
    inbox = fill(mailbox, b"a: 1\r\n\r\n", b"a: 22\r\n\r\n", b"a: 333\r\n\r\n")
    everything = shown(mailbox)
    choose(mailbox, "read")
    remove(mailbox, 1, 3)
    assert shown(mailbox) == {2: everything[2]}
    assert dict(Entry.objects.filter(folder_id=inbox).values_list("uid", "flags")) == {
        1: Flag.SEEN,
        2: 0,
        3: Flag.SEEN,
    }
    fill(mailbox, b"a: 4\r\n\r\n")
    assert list(shown(mailbox)) == [2, 4]
    remove(mailbox, 1)
    assert list(shown(mailbox)) == [4]
    choose(mailbox, "remove")
    assert list(shown(mailbox)) == [1, 2, 3, 4]


def test_what_pop3_deletes_stays_even_where_no_keyword_fits(mailbox: int) -> None:
    inbox = fill(mailbox, b"a: 1\r\n\r\n")
    Folder.objects.filter(pk=inbox).update(keywords=[f"k{number}" for number in range(63)])
    choose(mailbox, "read")
    remove(mailbox, 1)
    assert Entry.objects.get(folder_id=inbox).flags == Flag.SEEN
    assert list(shown(mailbox)) == [1]


@pytest.mark.parametrize("is_there", [True, False])
def test_what_pop3_deletes_can_go_to_trash(mailbox: int, is_there: bool) -> None:
    fill(mailbox, b"a: 1\r\n\r\n", b"a: 2\r\n\r\n")
    if is_there:
        folders.rename_folder(mailbox, "Trash", "Papelera")
    else:
        folders.delete_folder(mailbox, "Trash")
    choose(mailbox, "trash")
    remove(mailbox, 1)
    assert list(shown(mailbox)) == [2]
    name = "Papelera" if is_there else "Trash"
    assert folders.find_folder(mailbox, name).exists == 1


def test_nobody_else_reads_what_pop3_deletes_where_all_else_is_shared(mailbox: int) -> None:
    fill(mailbox, b"a: 1\r\n\r\n")
    anyone = acl.Identifier(None)
    acl.set_rights_everywhere(mailbox, anyone, Right.LOOKUP | Right.READ)
    acl.set_rights(mailbox, folders.find_folder(mailbox, "INBOX"), anyone, "", NONE)
    folders.delete_folder(mailbox, "Trash")
    choose(mailbox, "trash")
    remove(mailbox, 1)
    assert not acl.entries(folders.find_folder(mailbox, "Trash"))[1:]


def test_only_mail_since_a_day_is_shown(mailbox: int) -> None:
    inbox = fill(mailbox, *(b"a: %d\r\n\r\n" % number for number in range(4)))
    noon = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
    for uid in range(1, 5):
        Entry.objects.filter(folder_id=inbox, uid=uid).update(saved_at=noon + uid * 86400)
    for day, uids in ((21, [1, 2, 3, 4]), (23, [3, 4]), (25, [])):
        choose(mailbox, "remove", date(2026, 11, day))
        assert list(shown(mailbox)) == uids
    choose(mailbox, "remove", date(2026, 11, 23))
    remove(mailbox, 1)
    choose(mailbox, "remove")
    assert list(shown(mailbox)) == [1, 2, 4]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps")
def test_whether_a_message_is_left_is_known_without_a_query(
    mailbox: int, django_assert_num_queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = fill(mailbox, b"one\r\n", b"two\r\n", b"three\r\n")
    drop = Maildrop(mailbox)
    with django_assert_num_queries(0):
        assert drop.look_at_hand()
        assert drop.is_left(1)
        assert drop.is_left(2)
    as_owner.expunge_uids(inbox, [drop.uids[2]], only_deleted=False)
    with django_assert_num_queries(0):
        assert drop.look_at_hand()
        assert not drop.is_left(3)
    # From here on it takes a look to know which state a commit left.
    monkeypatch.setattr(stamps, "change", unsaid(stamps.change))
    as_owner.expunge_uids(inbox, [drop.uids[0]], only_deleted=False)
    with django_assert_num_queries(1):
        assert not drop.look_at_hand()
        assert not drop.is_left(1)
        assert drop.look_at_hand()
        # What is at hand is of the moment of the look.
        as_owner.expunge_uids(inbox, [drop.uids[1]], only_deleted=False)
        assert drop.is_left(2)
    assert not drop.is_left(2)
