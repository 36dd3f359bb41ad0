"""The disk of a test: a directory of its own, that grows old and fails."""

import errno
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts import blobs
from accounts.models import Blob, Segment


def keep_blobs_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("place", "spool", "segments", "reading", "garbage"):
        monkeypatch.setattr(f"accounts.blobs.{module}.directory", lambda: directory)
    monkeypatch.setattr("accounts.blobs.directory", lambda: directory)


def age(hours: float) -> None:
    """Make everything there is older."""
    when = timezone.now() - timedelta(hours=hours)
    Blob.objects.update(created_at=when)
    Segment.objects.update(created_at=when)
    Segment.objects.exclude(retired_at=None).update(retired_at=when)
    for path in blobs.directory().rglob("*.*"):
        if path.is_file():
            os.utime(path, (when.timestamp(), when.timestamp()))


def own_spools() -> list[Path]:
    """Spools of this process: one that a test has killed leaves its own behind."""
    return list(blobs.directory().rglob(f"{os.getpid()}-*.spool"))


def fail_one_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk loses what it is asked to keep next; after that it works."""
    failures = iter([True])
    sync = os.fdatasync

    def fail(fd: int) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, "Input/output error")
        sync(fd)

    monkeypatch.setattr("os.fdatasync", fail)
