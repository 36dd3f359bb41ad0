"""Stamps say "nothing has changed" only where nothing has: the invariants of `accounts.stamps`."""

import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import commit, stamps, transactions
from accounts.directory import suspend_mailbox
from accounts.mailstore import append
from accounts.models import Mailbox
from tests.accounts.mail import HELLO, append_many, inbox, make_mailbox

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps"),
]


def elsewhere(work: Any, *arguments: Any) -> Any:
    """What comes of it in another thread, on another connection of the database."""

    def run() -> Any:
        try:
            return work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(30)


def taken(mailbox_id: int) -> int:
    stamp = stamps.take(mailbox_id)
    assert stamp is not None
    assert stamps.is_current(mailbox_id, stamp)
    return stamp


def test_a_commit_ends_the_stamps_of_its_mailboxes_alone(mailbox_id: int) -> None:
    other = make_mailbox()
    stamp, of_other = taken(mailbox_id), taken(other)
    append_many(other, inbox(other), 1)
    assert stamps.is_current(mailbox_id, stamp)
    assert not stamps.is_current(other, of_other)
    # Whoever was told that it is committed finds a stamp again.
    assert taken(other) != of_other


def test_what_changes_in_the_directory_ends_every_stamp(mailbox_id: int) -> None:
    other = make_mailbox()
    stamp = taken(mailbox_id)
    suspend_mailbox(Mailbox.objects.get(pk=other))
    assert not stamps.is_current(mailbox_id, stamp)
    taken(mailbox_id)


def test_a_stamp_of_the_directory_outlives_mail_alone(mailbox_id: int) -> None:
    with transaction.atomic():
        assert stamps.take_of_directory() is None
    stamp = stamps.take_of_directory()
    assert stamp is not None
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert stamps.is_directory_current(stamp)
    with transaction.atomic():
        stamps.change()
        assert not elsewhere(stamps.is_directory_current, stamp)
        assert elsewhere(stamps.take_of_directory) is None
    assert not stamps.is_directory_current(stamp)
    assert stamps.take_of_directory() is not None


def test_two_mailboxes_of_one_slot_only_look_once_more(mailbox_id: int) -> None:
    neighbour = mailbox_id + stamps.SLOTS - 1
    stamp = taken(neighbour)
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert not stamps.is_current(neighbour, stamp)


def test_before_the_commit_no_stamp_is_current_or_given(mailbox_id: int) -> None:
    """Invariant 1."""
    stamp = taken(mailbox_id)
    with transaction.atomic():
        stamps.change([mailbox_id])
        assert not elsewhere(stamps.is_current, mailbox_id, stamp)
        assert elsewhere(stamps.take, mailbox_id) is None
    taken(mailbox_id)


def test_a_commit_says_so_before_it_is_to_be_seen(
    mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariants 1 and 2 of the committer: at its COMMIT, and when it tells of it."""
    stamp = taken(mailbox_id)
    seen: list[object] = []
    real = transactions.commit

    def at_commit(database: Any) -> None:
        seen.append((stamps.is_current(mailbox_id, stamp), stamps.take(mailbox_id)))
        real(database)

    monkeypatch.setattr(transactions, "commit", at_commit)
    future = append.append_message(mailbox_id, inbox(mailbox_id), HELLO)
    has_heard = threading.Event()

    def told(_: object) -> None:
        seen.append(stamps.take(mailbox_id) is not None)
        has_heard.set()

    future.add_done_callback(told)
    assert has_heard.wait(30)
    assert seen == [(False, None), True]


def test_in_a_transaction_no_stamp_is_given(mailbox_id: int) -> None:
    with transaction.atomic():
        assert stamps.take(mailbox_id) is None
    with pytest.raises(RuntimeError):
        stamps.change([mailbox_id])


def test_what_was_undone_costs_looks_until_the_next_batch(mailbox_id: int) -> None:
    """Invariant 4."""
    stamp = taken(mailbox_id)
    with transaction.atomic():
        stamps.change()
        transaction.set_rollback(True)
    assert stamps.take(mailbox_id) is None
    assert not stamps.is_current(mailbox_id, stamp)
    other = make_mailbox()
    append_many(other, inbox(other), 1)
    assert taken(mailbox_id) != stamp


def test_who_was_healed_ends_nothing_of_a_later_one(mailbox_id: int) -> None:
    """A writer that says "ended" late, while another has begun in its slot."""
    table = stamps._table()
    assert table is not None
    slot = stamps._slot(mailbox_id)
    late = table.begin([slot])
    table.heal()
    later = table.begin([slot])
    table.end(late)
    assert stamps.take(mailbox_id) is None
    table.end(later)
    table.end(late)
    taken(mailbox_id)


PROGRAM = """
import os, signal, sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from accounts import stamps
from accounts.models import Mailbox
from django.db import transaction
from tests.accounts.mail import append_many, inbox
mailbox_id, where = int(sys.argv[2]), sys.argv[3]

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

folder_id = inbox(mailbox_id)
match where:
    case "before the commit":
        with transaction.atomic():
            Mailbox.objects.filter(pk=mailbox_id).update(name="changed")
            stamps.change([mailbox_id])
            die()
    case "after the commit":
        stamps._Table.end = die
    case "while it heals":
        stamps._Table.heal = die
append_many(mailbox_id, folder_id, 1)
"""


def run(mailbox_id: int, where: str) -> int:
    """Append a message in another process, which dies there; its exit status."""
    name = str(connection.settings_dict["NAME"])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name, str(mailbox_id), where],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
        check=False,
    )
    return done.returncode


def modseq(mailbox_id: int) -> int:
    return Mailbox.objects.values_list("highest_modseq", flat=True).get(pk=mailbox_id)


def test_a_commit_of_another_process_ends_stamps(mailbox_id: int) -> None:
    stamp = taken(mailbox_id)
    assert run(mailbox_id, "nowhere") == 0
    assert not stamps.is_current(mailbox_id, stamp)
    taken(mailbox_id)


@pytest.mark.parametrize(
    ("where", "is_committed"),
    [("before the commit", False), ("after the commit", True), ("while it heals", False)],
)
def test_kill_9_leaves_look_and_never_current(
    mailbox_id: int, where: str, is_committed: bool
) -> None:
    """Invariant 4: wherever a writer dies, nobody believes what is not so."""
    before, stamp = modseq(mailbox_id), taken(mailbox_id)
    assert run(mailbox_id, where) == -signal.SIGKILL
    has_changed = modseq(mailbox_id) > before
    assert has_changed is is_committed
    assert not (has_changed and stamps.is_current(mailbox_id, stamp))
    if where != "while it heals":
        assert stamps.take(mailbox_id) is None
        assert not stamps.is_current(mailbox_id, stamp)
    other = make_mailbox()
    append_many(other, inbox(other), 1)
    assert stamps.is_current(mailbox_id, stamp) is (where == "while it heals")
    taken(mailbox_id)


@pytest.fixture
def table_file() -> Iterator[Path]:
    """The file of this database, which the test may spoil."""
    path = Path(f"{os.path.realpath(str(connection.settings_dict['NAME']))}.stamps")
    yield path
    if path.is_dir():
        path.rmdir()


def test_a_file_that_is_gone_or_replaced_is_not_believed(mailbox_id: int, table_file: Path) -> None:
    """Others count in another one by now."""
    stamp = taken(mailbox_id)
    table_file.unlink()
    time.sleep(2 * stamps.LOOK_EVERY)
    assert not stamps.is_current(mailbox_id, stamp)
    assert taken(mailbox_id) != stamp
    assert table_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_makes_is_the_databases_owners(mailbox_id: int, table_file: Path) -> None:
    database = str(connection.settings_dict["NAME"])
    os.chown(database, 65534, 65534)
    try:
        table_file.unlink()
        time.sleep(2 * stamps.LOOK_EVERY)
        taken(mailbox_id)
        assert (table_file.stat().st_uid, table_file.stat().st_gid) == (65534, 65534)
    finally:
        os.chown(database, 0, 0)


def test_who_cannot_count_does_not_commit(mailbox_id: int, table_file: Path) -> None:
    """The last invariant: what others cannot be told must not happen."""
    folder_id = inbox(mailbox_id)
    table_file.unlink()
    table_file.mkdir()
    time.sleep(2 * stamps.LOOK_EVERY)
    assert stamps.take(mailbox_id) is None
    with pytest.raises(commit.CommitUnavailable, match=r"stamps"):
        append.append_message(mailbox_id, folder_id, HELLO).result(30)
    table_file.rmdir()
    append_many(mailbox_id, folder_id, 1)
    taken(mailbox_id)


def test_a_file_that_was_half_written_is_written_anew(mailbox_id: int, table_file: Path) -> None:
    table_file.unlink()
    table_file.write_bytes(b"\1" * 1000)
    taken(mailbox_id)


def test_what_a_crash_of_the_machine_left_gives_no_stamp_too_early(mailbox_id: int) -> None:
    """`ended` may have reached the disk, and the `begun` before it not."""
    table = stamps._table()
    assert table is not None
    slot = stamps._slot(mailbox_id)
    table._ended[slot] += 1
    raised = table.begin([slot])
    assert stamps.take(mailbox_id) is None
    table.end(raised)
    taken(mailbox_id)


WRITER = """
import mmap, os, sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from accounts import commit
mailbox_id = int(sys.argv[2])
told = memoryview(mmap.mmap(os.open(sys.argv[3], os.O_RDWR), 8)).cast("Q")

def write(rows, blob_id):
    return rows.list_changed(mailbox_id)

while True:
    modseq = commit.run(commit.Unit(frozenset((mailbox_id,)), write))
    told[0] = max(told[0], modseq)
"""
ROUNDS = 3
# Seconds, for a process to start on a busy machine.
PATIENCE = 120


def test_nothing_that_anybody_was_told_of_is_missed(mailbox_id: int, tmp_path: Path) -> None:
    """Two processes write and are killed again and again; who believes its stamp knows it all."""
    path = tmp_path / "told"
    path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        told = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    found = 0
    for _ in range(ROUNDS):
        writers = [start_writer(mailbox_id, path) for _ in range(2)]
        try:
            began = told[0]
            until = time.monotonic() + PATIENCE
            while told[0] == began:
                assert time.monotonic() < until
                time.sleep(0.01)
            found += believed(mailbox_id, told)
        finally:
            for writer in writers:
                writer.kill()
                writer.wait(30)
    assert found
    append_many(mailbox_id, inbox(mailbox_id), 1)
    taken(mailbox_id)


def believed(mailbox_id: int, told: "memoryview[int]") -> int:
    """How often a stamp was current in a second; each time it knew what anybody had been told."""
    found = 0
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        stamp = stamps.take(mailbox_id)
        if stamp is None:
            continue
        known = modseq(mailbox_id)
        for _ in range(20):
            heard = told[0]
            if not stamps.is_current(mailbox_id, stamp):
                break
            assert known >= heard
            found += 1
    return found


def start_writer(mailbox_id: int, told: Path) -> "subprocess.Popen[bytes]":
    name = str(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(mailbox_id), str(told)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
