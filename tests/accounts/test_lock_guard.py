"""The guard of SQLite's locks sees whoever opens the embedded database past SQLite."""

import os
import shutil
from pathlib import Path

import pytest
from django.db import connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's files are its server's"),
]


@pytest.fixture
def database() -> Path:
    connection.ensure_connection()
    return Path(connection.settings_dict["NAME"])


@pytest.mark.parametrize("suffix", ["", "-shm"])
def test_what_has_locks_is_not_opened(database: Path, suffix: str, tmp_path: Path) -> None:
    path = database.with_name(database.name + suffix)
    link = tmp_path / database.name
    link.symlink_to(path)
    assert path.exists()
    for opened in (path, link):
        with pytest.raises(AssertionError, match="another process"):
            opened.read_bytes()
        with pytest.raises(AssertionError, match="another process"):
            os.open(opened, os.O_RDONLY)
        with pytest.raises(AssertionError, match="another process"):
            shutil.copyfile(opened, tmp_path / "copy")


def test_what_has_none_is(database: Path, tmp_path: Path) -> None:
    for path in (database.with_name(database.name + "-wal"), tmp_path / database.name):
        path.touch()
        path.read_bytes()
