"""The lock of a maildrop, as a row of the database and of the file: both hold, end and are lost."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from signal import SIGCONT, SIGSTOP

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.utils import timezone

from accounts import maildrop_lock, maildrop_table
from accounts.maildrop import InUse, Maildrop
from accounts.maildrop_lock import Lock, RowLock
from accounts.mailstore import folders
from accounts.models import MaildropLock
from tests.accounts.mail import HELLO, append_many, inbox, make_mailbox
from tests.partners.daemon import wait_until
from tests.transcripts.clock import Clock

pytestmark = pytest.mark.django_db(transaction=True)

LIFETIME = maildrop_table.LIFETIME.total_seconds()

HOLDER = """
import sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from accounts.maildrop import InUse, Maildrop
drop = Maildrop(int(sys.argv[2]))
print("held", flush=True)
sys.stdin.readline()
try:
    drop.remove([1])
    print("removed")
except InUse:
    print("lost")
"""


def in_table(mailbox_id: int) -> Lock:
    return maildrop_table.of(settings.MAILHOST.home).take(mailbox_id)


@pytest.fixture
def mailbox() -> int:
    return make_mailbox()


@pytest.fixture(params=[in_table, RowLock])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Lock]:
    """Either lock; both work on either database."""
    chosen: Callable[[int], Lock] = request.param
    monkeypatch.setattr(maildrop_lock, "lock", chosen)
    return chosen


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    clock.stop()


def test_one_session_at_a_time(mailbox: int, kind: object) -> None:
    first = Maildrop(mailbox)
    with pytest.raises(InUse):
        Maildrop(mailbox)
    first.close()
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


def test_a_lock_ends_by_itself_and_its_holder_finds_out(
    mailbox: int, kind: object, clock: Clock
) -> None:
    append_many(mailbox, inbox(mailbox), 1)
    dead = Maildrop(mailbox)
    clock.advance(LIFETIME - 1)
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
    assert heir.remove([1]) == 1


def test_renewing_keeps_a_lock(mailbox: int, kind: object, clock: Clock) -> None:
    drop = Maildrop(mailbox)
    for _ in range(3):
        clock.advance(LIFETIME - 1)
        drop.renew()
    with pytest.raises(InUse):
        Maildrop(mailbox)


def test_a_lock_that_ended_unnoticed_is_held_on(
    mailbox: int, kind: Callable[[int], Lock], clock: Clock
) -> None:
    lock = kind(mailbox)
    clock.advance(LIFETIME + 1)
    lock.secure()
    with pytest.raises(InUse):
        kind(mailbox)


def test_to_read_a_large_message_keeps_the_lock(mailbox: int, kind: object, clock: Clock) -> None:
    append_many(mailbox, inbox(mailbox), 1)
    drop = Maildrop(mailbox)
    row = drop.open_message(1)
    for _ in range(3):
        clock.advance(LIFETIME - 1)
        assert drop.read_piece(row, 0, 5) == HELLO[:5]
    with pytest.raises(InUse):
        Maildrop(mailbox)


def test_a_row_is_written_by_the_minute(mailbox: int, clock: Clock) -> None:
    lock = RowLock(mailbox)
    assert lock.is_renewed_at_once
    clock.advance(61)
    assert not lock.is_renewed_at_once
    lock.renew()
    assert lock.is_renewed_at_once
    (row,) = MaildropLock.objects.all()
    assert row.expires_at - timezone.now() > maildrop_table.LIFETIME - timedelta(seconds=5)


@contextmanager
def database_away(first: str = "") -> Iterator[None]:
    """This thread loses its database at the next statement, or at the first that begins so."""
    is_away = False

    def refuse(execute: Callable[..., object], sql: str, *rest: object) -> object:
        nonlocal is_away
        is_away = is_away or sql.startswith(first)
        if is_away:
            raise OperationalError("the connection is lost")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        yield


def test_a_lock_given_up_while_the_database_is_away_is_free_soon_after(mailbox: int) -> None:
    lock = RowLock(mailbox)
    with database_away():
        lock.close()
    wait_until(lambda: not MaildropLock.objects.exists(), "the maildrop is free")


@pytest.mark.parametrize("first", ["SELECT", "SELECT f.id"])
def test_a_login_that_loses_the_database_leaves_no_lock(
    mailbox: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is there when the database goes: the look at it fails, or that at the folder."""
    monkeypatch.setattr(maildrop_lock, "lock", RowLock)
    monkeypatch.setattr(maildrop_lock.clock, "now", timezone.now)
    with database_away(first), pytest.raises(OperationalError):
        Maildrop(mailbox)
    assert MaildropLock.objects.exists()
    wait_until(lambda: not MaildropLock.objects.exists(), "the maildrop is free")


def test_a_host_whose_clock_is_ahead_takes_nobodys_lock(
    mailbox: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("all that use the embedded database have the same clock")
    lock = maildrop_lock.lock(mailbox)
    right = timezone.now
    ahead = maildrop_table.LIFETIME + timedelta(minutes=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: right() + ahead)
    assert maildrop_lock.is_locked(mailbox)
    with pytest.raises(InUse):
        maildrop_lock.lock(mailbox)
    lock.secure()


def test_a_process_that_was_stopped_loses_its_lock_and_removes_nothing(mailbox: int) -> None:
    append_many(mailbox, inbox(mailbox), 1)
    name = str(connection.settings_dict["NAME"])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, name, str(mailbox)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(SIGSTOP)
    with pytest.raises(InUse):
        Maildrop(mailbox)
    clock = Clock()
    try:
        clock.advance(LIFETIME + 60)
        heir = Maildrop(mailbox)
        holder.send_signal(SIGCONT)
        assert holder.communicate("\n", timeout=30)[0] == "lost\n"
        assert folders.find_folder(mailbox, "INBOX").exists == 1
        # The other's end has freed nothing either.
        with pytest.raises(InUse):
            Maildrop(mailbox)
        heir.close()
    finally:
        clock.stop()
        holder.kill()
        holder.wait()
