"""backup and restore on disks: what is durable, on which volume, and what is said of none."""

import os
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import blobs, commit
from accounts.backup import back_up, restore
from tests.accounts.test_backup import filled, forget_what_was_replaced, manage, quiet

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_backup_and_what_it_gave_back_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled()
    (settings.HOME / "keys").mkdir(exist_ok=True)
    (settings.HOME / "keys" / "secret-key").touch()
    synced: set[int] = set()
    sync = os.fsync

    def noted(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        sync(fd)

    monkeypatch.setattr("os.fsync", noted)
    back_up(tmp_path / "saved", quiet)
    linked = [path for path in (tmp_path / "saved").rglob("*.seg") if path.stat().st_nlink > 1]
    assert not_in(synced, tmp_path / "saved") <= set(linked)
    synced.clear()
    commit.reset()
    restore(tmp_path / "saved", quiet, is_forced=True)
    assert not_in(synced, blobs.directory() / "segments") == set()
    assert not_in(synced, settings.HOME / "keys") == {settings.HOME / "keys"}
    forget_what_was_replaced()


def not_in(inodes: set[int], top: Path) -> set[Path]:
    return {path for path in (top, *top.rglob("*")) if path.stat().st_ino not in inodes}


def test_octets_come_back_to_the_volume_they_lie_on(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("has a SQLite database of its own; the same on every platform")
    filled()
    saved, fresh, volume = tmp_path / "saved", tmp_path / "fresh", tmp_path / "volume"
    back_up(saved, quiet)
    for path in (fresh, volume):
        path.mkdir()
    (fresh / "blobs").symlink_to(volume)
    for options in ([], ["--force"]):
        done = manage(fresh, "restore", str(saved), *options)
        assert done.returncode == 0, done.stderr
    assert (fresh / "blobs").readlink() == volume
    assert manage(fresh, "fsck").stdout == "clean\n"
    [aside] = fresh.glob("replaced-*")
    assert list((aside / "blobs" / "segments").rglob("*.seg"))


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"file/saved cannot be used: Not a directory\.$"):
        call_command("backup", str(tmp_path / "file" / "saved"))


def test_a_disk_without_room_for_the_database_is_one_line(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("pg_dump says so itself")
    home, saved = tmp_path / "home", tmp_path / "saved"
    assert manage(home, "migrate", "-v0").returncode == 0
    refused = manage(home, "backup", str(saved), most_blocks=200)
    assert refused.returncode == 1
    assert "The database cannot be copied to " in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr
    assert not (saved / "manifest.json").exists()
