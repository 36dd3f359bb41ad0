"""Segments on a volume that several hosts mount, such as NFS."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

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


def test_what_another_host_has_just_written_is_seen(
    other_host: segments.OpenSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = settings.MAILHOST.model_copy(update={"database_url": "postgres:///somewhere"})
    monkeypatch.setattr(settings, "MAILHOST", several)
    seen: dict[int, bytes] = {}
    file_open, file_close = os.open, os.close

    def open_(path: Path, flags: int, mode: int = 0o777) -> int:
        fd = file_open(path, flags, mode)
        if flags == os.O_RDONLY:
            seen[fd] = path.read_bytes()
        return fd

    def close(fd: int) -> None:
        seen.pop(fd, None)
        file_close(fd)

    # NFS promises no more than that who opens a file sees what was written before that.
    monkeypatch.setattr("os.open", open_)
    monkeypatch.setattr("os.close", close)
    monkeypatch.setattr("os.pread", lambda fd, size, at: seen[fd][at : at + size])
    for octets in (b"first", b"second", b"third"):
        places = other_host.write([octets, octets.upper()])
        other_host.wait()
        assert blobs.read(places[0], 1) == octets[1:]
        assert blobs.read_many(places) == [octets, octets.upper()]
        assert blobs.checked_read(places[1]) == octets.upper()
