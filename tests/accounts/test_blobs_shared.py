"""Segments on a volume that several hosts mount, such as NFS."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import blobs, commit
from accounts.blobs import segments
from accounts.models import Segment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in ("place", "spool", "segments", "reading", "garbage"):
        monkeypatch.setattr(f"accounts.blobs.{module}.directory", lambda: tmp_path)
    monkeypatch.setattr("accounts.blobs.directory", lambda: tmp_path)
    yield
    commit.reset()


@pytest.fixture
def other_host() -> Iterator[segments.OpenSegment]:
    """The segment that another host appends to."""
    segment = segments.OpenSegment()
    yield segment
    segment.close()


def test_an_open_segment_of_another_host_is_left_alone(
    other_host: segments.OpenSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock

    def as_nfs_does(fd: int, kind: int) -> None:
        is_read_only = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        if kind & fcntl.LOCK_EX and is_read_only:
            raise OSError(errno.EBADF, "Bad file descriptor")
        lock(fd, kind)

    monkeypatch.setattr("fcntl.flock", as_nfs_does)
    [place] = blobs.append([b"0123456789"])
    assert blobs.read(place) == b"0123456789"
    assert not Segment.objects.filter(is_sealed=True).exists()
    other_host.close()
    assert blobs.seal_abandoned() == 1
