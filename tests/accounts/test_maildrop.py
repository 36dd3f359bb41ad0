"""The maildrop: its lock between sessions and processes, its fixed numbers, its reading ahead."""

import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from accounts import directory, maildrop, maildrop_lock
from accounts.directory.domains import create_domain
from accounts.directory.mailboxes import create_mailbox
from accounts.directory.tenants import create_tenant
from accounts.maildrop import InUse, Maildrop, MessageGone
from accounts.maildrop_lock import KernelLock, RowLock
from accounts.mailstore import folders
from accounts.mailstore.append import append_message
from accounts.mailstore.flags import Flag
from accounts.models import Entry, Folder, Mailbox, MaildropLock
from tests.accounts import as_owner
from tests.transcripts.clock import Clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mailbox() -> int:
    create_domain(create_tenant("Tests"), "a.test")
    return create_mailbox("alice@a.test", "secret").pk


@pytest.fixture(params=[KernelLock, RowLock])
def kind(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> type[KernelLock] | type[RowLock]:
    """Either lock; both work on either database."""
    monkeypatch.setattr(maildrop_lock, "lock", request.param)
    chosen: type[KernelLock] | type[RowLock] = request.param
    return chosen


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock that PostgreSQL gets."""
    monkeypatch.setattr(maildrop_lock, "lock", RowLock)


def fill(mailbox: int, *messages: bytes) -> int:
    inbox = folders.find_folder(mailbox, "INBOX").id
    for octets in messages:
        append_message(mailbox, inbox, octets).result(10)
    return inbox


def test_one_session_at_a_time(mailbox: int, kind: object) -> None:
    first = Maildrop(mailbox)
    with pytest.raises(InUse):
        Maildrop(mailbox)
    first.close()
    Maildrop(mailbox).close()
    assert not MaildropLock.objects.exists()


def test_of_many_that_knock_at_once_one_enters(mailbox: int, kind: object) -> None:
    entered: list[Maildrop] = []
    start = threading.Barrier(6)

    def knock() -> None:
        start.wait()
        try:
            entered.append(Maildrop(mailbox))
        except InUse:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=knock) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 1


def test_the_lock_of_a_dead_session_ends_by_itself(mailbox: int, rows: None) -> None:
    fill(mailbox, b"a\r\n")
    dead = Maildrop(mailbox)
    clock = Clock()
    try:
        clock.advance(maildrop_lock.LIFETIME.total_seconds() - 1)
        with pytest.raises(InUse):
            Maildrop(mailbox)
        clock.advance(2)
        heir = Maildrop(mailbox)
        # The first session finds out before it removes anything, and its end frees nothing.
        with pytest.raises(InUse):
            dead.renew()
        with pytest.raises(InUse):
            dead.remove([1])
        dead.close()
        with pytest.raises(InUse):
            Maildrop(mailbox)
        assert heir.read_whole(1) == b"a\r\n"
    finally:
        clock.stop()


def test_a_lock_is_renewed_by_the_minute(mailbox: int, rows: None) -> None:
    drop = Maildrop(mailbox)
    assert not drop.is_renewal_due
    clock = Clock()
    try:
        clock.advance(61)
        assert drop.is_renewal_due
        drop.renew()
        assert not drop.is_renewal_due
        (row,) = MaildropLock.objects.all()
        assert row.expires_at - timezone.now() > maildrop_lock.LIFETIME - timedelta(seconds=5)
    finally:
        clock.stop()


def test_a_login_that_fails_after_the_lock_frees_it(
    mailbox: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(maildrop.index, "picture", fail)
    with pytest.raises(RuntimeError):
        Maildrop(mailbox)
    assert not maildrop_lock.is_locked(mailbox)


def test_the_kernel_keeps_other_processes_out_until_the_holder_dies(mailbox: int) -> None:
    path = settings.MAILHOST.home.absolute() / "run" / "maildrops.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    program = (
        "import fcntl, os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.lockf(fd, fcntl.LOCK_EX, 1, int(sys.argv[2]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(mailbox)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(InUse):
        KernelLock(mailbox)
    KernelLock(mailbox + 1).close()
    other.kill()
    other.communicate()
    lock = KernelLock(mailbox)
    with pytest.raises(InUse):
        KernelLock(mailbox)
    lock.close()
    lock.close()
    KernelLock(mailbox).close()


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
    monkeypatch.setattr(maildrop_lock, "lock", KernelLock)
    fill(mailbox, b"one\r\n", b"three\r\n")
    Maildrop(mailbox).close()
    with django_assert_num_queries(1):
        drop = Maildrop(mailbox)
    assert (len(drop), drop.octets) == (2, sum(drop.sizes))
    drop.close()


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
