"""What a large batch overwrites of the embedded database's log is read ahead."""

import os
from pathlib import Path

import pytest
from django.db import connection

from accounts.commit.log_ahead import MANY_ROWS, OCTETS, read_log_ahead
from accounts.mailstore.flags import Flag, StoreMode
from tests.accounts.as_owner import store_flags
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has its own log")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int, int, int]]:
    """What the system was asked to read ahead, of a database that has a log."""
    log = tmp_path / "a.sqlite3-wal"
    log.write_bytes(b"frames")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "a.sqlite3"))
    asked: list[tuple[Path, int, int, int]] = []

    def ask(file: int, *how: int) -> None:
        asked.append((Path(os.readlink(f"/proc/self/fd/{file}")), *how))

    monkeypatch.setattr(os, "posix_fadvise", ask)
    return asked


def test_for_a_large_batch_alone(asked: list[object], tmp_path: Path) -> None:
    files = len(os.listdir("/proc/self/fd"))
    read_log_ahead(MANY_ROWS - 1)
    assert asked == []
    read_log_ahead(MANY_ROWS)
    assert asked == [(tmp_path / "a.sqlite3-wal", 0, OCTETS, os.POSIX_FADV_WILLNEED)]
    assert len(os.listdir("/proc/self/fd")) == files


def test_without_a_log_or_leave_to_read_it(asked: list[object], tmp_path: Path) -> None:
    log = tmp_path / "a.sqlite3-wal"
    log.unlink()
    read_log_ahead(MANY_ROWS)
    log.symlink_to(log)
    read_log_ahead(MANY_ROWS)
    assert asked == []


@pytest.mark.django_db(transaction=True)
def test_a_large_store_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("accounts.commit.committer.read_log_ahead", sizes.append)
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    uids = append_many(mailbox_id, folder_id, 7)
    store_flags(folder_id, uids, StoreMode.ADD, Flag.SEEN)
    assert sizes[-1] == 7


@pytest.mark.django_db
def test_statements_keep_what_they_may_undo_in_memory() -> None:
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA temp_store").fetchone() == (2,)
