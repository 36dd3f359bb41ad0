"""A disk that fails."""

import errno
import os

import pytest


def fail_one_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk loses what it is asked to keep next; after that it works."""
    failures = iter([True])
    sync = os.fdatasync

    def fail(fd: int) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, "Input/output error")
        sync(fd)

    monkeypatch.setattr("os.fdatasync", fail)
