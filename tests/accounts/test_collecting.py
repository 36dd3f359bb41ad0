"""What the collector meets on a disk that is full or damaged: no mail is lost, the rest goes."""

import errno
import os
from pathlib import Path

import pytest
from django.core.management import call_command

from accounts import blobs, commit, fsck, garbage
from accounts.blobs import BlobMissing, OutOfSpace
from accounts.models import Blob, Segment
from tests.accounts.as_owner import expunge_uids
from tests.accounts.disk import age
from tests.accounts.mail import append_many, content, inbox, keep_nothing_deleted, make_mailbox

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_blobs"),
]


def mostly_dead(mailbox_id: int) -> Path:
    """A sealed segment, old enough, of four messages of which the last is left."""
    known = set(Segment.objects.values_list("pk", flat=True))
    uids = append_many(mailbox_id, inbox(mailbox_id), 4)
    commit.reset()
    expunge_uids(inbox(mailbox_id), uids[:3], only_deleted=False)
    age(2)
    return blobs.directory() / Segment.objects.exclude(pk__in=known).get().name


def test_a_write_that_is_cut_short_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is nearly full, where the next write is the one that is refused."""
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    mostly_dead(mailbox_id)
    before = content(inbox(mailbox_id))
    write, room = os.pwrite, [100]

    def nearly_full(fd: int, octets: bytes, at: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(fd, octets[: room[0]], at)
        room[0] -= written
        return written

    monkeypatch.setattr("os.pwrite", nearly_full)
    with pytest.raises(OSError, match="No space left"):
        garbage.collect()
    monkeypatch.setattr("os.pwrite", write)
    blobs.forget_files()
    assert content(inbox(mailbox_id)) == before
    assert [each.text for each in fsck.check(lambda _: None) if each.is_fault] == []
    # What was half written is gone at once.
    assert len(list(tmp_path.rglob("*.seg"))) == 1
    garbage.collect()
    blobs.forget_files()
    assert content(inbox(mailbox_id)) == before


def test_a_full_disk_gets_back_what_was_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    retired = mostly_dead(mailbox_id)
    garbage.collect()
    mostly_dead(mailbox_id)
    age(25)

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        garbage.collect()
    assert not retired.exists()


def test_a_database_without_room_keeps_no_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    retired = mostly_dead(mailbox_id)
    garbage.collect()
    age(25)

    def full(*arguments: object) -> int:
        raise OutOfSpace(errno.ENOSPC, "database or disk is full")

    monkeypatch.setattr("accounts.garbage.forget_old", full)
    with pytest.raises(OutOfSpace):
        garbage.collect()
    assert not retired.exists()


def test_a_damaged_record_keeps_nothing_else_from_going(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mailbox_id = make_mailbox()
    keep_nothing_deleted()
    damaged, sound = mostly_dead(mailbox_id), mostly_dead(mailbox_id)
    place = Blob.objects.filter(segment__name=damaged.relative_to(blobs.directory())).latest("pk")
    with damaged.open("r+b") as stream:
        stream.seek(place.offset)
        stream.write(b"?")
    age(2)
    with pytest.raises(BlobMissing):
        garbage.collect()
    age(25)
    with pytest.raises(SystemExit):
        call_command("fsck", "--collect")
    assert not sound.exists()
    assert damaged.exists()
    told = capsys.readouterr()
    assert f"Blob {place.pk}: " in told.out
    assert "Not everything was collected: " in told.err
