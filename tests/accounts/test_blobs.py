"""Segments and spools: what is written is read back, what is damaged is told, what is dead goes."""

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import blobs, commit, garbage
from accounts.blobs import BlobMissing, Place, Spool, segments
from accounts.blobs import garbage as blob_garbage
from accounts.blobs.place import SEGMENTS
from accounts.blobs.spool import IN_MEMORY
from accounts.mailstore import fetch
from accounts.mailstore.append import append_message
from accounts.models import Blob, CommitMark, Message, Segment
from tests.accounts import as_owner
from tests.accounts.disk import age
from tests.accounts.mail import (
    HELLO,
    append_many,
    content,
    inbox,
    keep_nothing_deleted,
    make_mailbox,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_blobs"),
]


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8), st.randoms())
def test_what_is_appended_is_read_back(payloads: list[bytes], random: object) -> None:
    places = blobs.append(payloads)
    assert [blobs.read(place) for place in places] == payloads
    order = list(range(len(places)))
    random.shuffle(order)
    assert blobs.read_many([places[i] for i in order]) == [payloads[i] for i in order]
    assert [bytes(blobs.view(place)) for place in places] == payloads
    assert [blobs.checked_read(place) for place in places] == payloads


def test_room_behind_the_records_goes_when_the_segment_is_sealed(tmp_path: Path) -> None:
    places = blobs.append([b"0123456789"]) + blobs.append([b"abc"])
    end = places[1].offset + 3
    [path] = tmp_path.rglob("*.seg")
    assert path.stat().st_size > end
    blobs.close_segment()
    assert Segment.objects.get().size == path.stat().st_size == end
    assert [blobs.checked_read(place) for place in places] == [b"0123456789", b"abc"]


def test_an_abandoned_segment_is_as_long_as_its_records() -> None:
    place = blobs.append([b"0123456789"])[0]
    blobs.forget_segment()
    assert blobs.seal_abandoned() == 1
    assert Segment.objects.get().size == place.offset + 10
    assert blobs.checked_read(place) == b"0123456789"


def test_a_disk_without_room_beforehand_may_still_have_it_for_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite

    def nearly_full(fd: int, octets: memoryview, at: int) -> int:
        if len(octets) > 10_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, octets, at)

    monkeypatch.setattr("os.pwrite", nearly_full)
    place = blobs.append([b"0123456789"])[0]
    assert blobs.checked_read(place) == b"0123456789"
    [path] = tmp_path.rglob("*.seg")
    assert path.stat().st_size == place.offset + 10


def test_ranges() -> None:
    [place] = blobs.append([b"0123456789"])
    assert blobs.read(place, 3) == b"3456789"
    assert blobs.read(place, 3, 2) == b"34"
    assert blobs.read(place, 9, 100) == b"9"
    assert blobs.read(place, 50, 1) == b""
    assert bytes(blobs.view(place)[2:4]) == b"23"


def test_a_spool_is_in_memory_while_small(tmp_path: Path) -> None:
    spool = Spool()
    assert spool.octets() == b""
    spool.write(b"a" * IN_MEMORY)
    assert spool.path is None
    assert not list(tmp_path.rglob("*.spool"))
    assert spool.octets() == b"a" * IN_MEMORY


def test_a_large_spool_is_a_file_until_it_is_discarded(tmp_path: Path) -> None:
    spool = Spool()
    pieces = [bytes([number]) * 400_000 for number in range(5)]
    for piece in pieces:
        spool.write(piece)
    assert spool.size == 2_000_000
    octets = spool.octets()
    assert octets[:] == b"".join(pieces)
    assert octets.find(pieces[3]) == 1_200_000
    (path,) = tmp_path.rglob("*.spool")
    assert path.stat().st_mode & 0o777 == 0o600
    spool.discard()
    spool.discard()
    assert not list(tmp_path.rglob("*.spool"))


def test_a_forgotten_spool_leaves_no_file(tmp_path: Path) -> None:
    spool = Spool()
    spool.write(b"a" * (IN_MEMORY + 1))
    del spool
    assert not list(tmp_path.rglob("*.spool"))


def test_an_adopted_spool_is_a_proved_record() -> None:
    spool = Spool()
    for number in range(30):
        spool.write(bytes([number]) * 50_000)
    adopted = blobs.adopt(spool)
    open_files = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    assert str(blobs.directory() / adopted.name) not in open_files
    row = Segment.objects.create(name=adopted.name, is_sealed=True, size=adopted.size)
    place = Place(row.pk, adopted.offset, adopted.length)
    assert blobs.checked_read(place) == blobs.read(place) == bytes(blobs.view(place))
    assert (blobs.directory() / adopted.name).stat().st_size == adopted.size
    spool.discard()
    assert blobs.read(place, 0, 1) == b"\0"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the disk was asked to keep, by the name it had then."""
    seen: list[str] = []

    def noting(sync: Callable[[int], None]) -> Callable[[int], None]:
        def note(fd: int) -> None:
            sync(fd)
            seen.append(os.readlink(f"/proc/self/fd/{fd}"))

        return note

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, noting(getattr(os, name)))
    return seen


def test_octets_are_durable_with_every_name_on_their_way(tmp_path: Path, synced: list[str]) -> None:
    blobs.append([b"octets"])
    path = tmp_path / Segment.objects.get().name
    ways = [tmp_path, path.parent.parent, path.parent, path]
    assert synced == [str(each) for each in ways]


def test_an_adopted_spool_is_durable_with_its_name(tmp_path: Path, synced: list[str]) -> None:
    spool = Spool()
    spool.write(b"a" * (IN_MEMORY + 1))
    synced.clear()
    was = str(spool.path)
    path = tmp_path / blobs.adopt(spool).name
    # The octets first: a name must not lead to what may not be there.
    assert synced[0] == was
    assert synced[-1] == str(path.parent)


def test_what_is_moved_is_durable_before_its_rows(tmp_path: Path, synced: list[str]) -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 1)
    commit.reset()
    old, blob = Segment.objects.get(), Blob.objects.get()
    synced.clear()
    blob_garbage._move_records(old)
    blob.refresh_from_db()
    assert blob.segment != old
    path = tmp_path / blob.segment.name
    assert synced[-2:] == [str(path.parent), str(path)]


def test_segments_roll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "ROLL_SIZE", 1000)
    places = [blobs.append([b"x" * 400])[0] for _ in range(6)]
    assert len({place.segment_id for place in places}) == 2
    assert list(Segment.objects.order_by("pk").values_list("is_sealed", flat=True)) == [True, False]
    assert all(blobs.read(place) == b"x" * 400 for place in places)


def test_only_a_dead_process_loses_its_segment() -> None:
    blobs.append([b"alive"])
    assert blobs.seal_abandoned() == 0
    blobs.forget_segment()
    assert blobs.seal_abandoned() == 1
    assert Segment.objects.get().is_sealed
    assert Segment.objects.get().size == len(b"alive") + 20


def test_octets_do_not_go_where_those_before_them_are_missing(tmp_path: Path) -> None:
    blobs.append([b"before"])
    blobs.forget_segment()
    there, aside = tmp_path / SEGMENTS, tmp_path / "aside"
    there.rename(aside)
    for size in (10, 2 * IN_MEMORY):
        spool = Spool()
        spool.write(b"x" * size)
        with pytest.raises(commit.CommitUnavailable, match="is the volume mounted"):
            commit.run(commit.Unit(frozenset(), lambda rows, blob_id: blob_id, spool))
        spool.discard()
    assert not there.exists()
    assert not Segment.objects.get().is_sealed
    aside.rename(there)
    assert blobs.append([b"after"])


def test_damage_is_told(tmp_path: Path) -> None:
    [place, other] = blobs.append([b"payload", b"other"])
    path = tmp_path / Segment.objects.get().name
    with path.open("r+b") as stream:
        stream.seek(place.offset + 2)
        stream.write(b"!")
    with pytest.raises(BlobMissing, match="checksum"):
        blobs.checked_read(place)
    with pytest.raises(BlobMissing, match="octets where its row says"):
        blobs.checked_read(other._replace(length=3))
    with pytest.raises(BlobMissing, match="header"):
        blobs.checked_read(Place(place.segment_id, place.offset + 1, 3))
    os.truncate(path, place.offset + 3)
    for read in (blobs.read, blobs.view, blobs.checked_read):
        with pytest.raises(BlobMissing):
            read(place)
    with pytest.raises(BlobMissing):
        blobs.read_many([place, other])
    with pytest.raises(BlobMissing):
        blobs.read(Place(10**9, 20, 1))


def test_a_child_does_not_write_into_its_parents_segment() -> None:
    blobs.append([b"parent"])
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write_end, b"free" if segments._open is None else b"held")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read_end, 4) == b"free"
    os.close(read_end)
    os.close(write_end)
    [place] = blobs.append([b"still ours"])
    assert blobs.read(place) == b"still ours"
    assert Segment.objects.count() == 1


def test_dead_octets_are_collected_and_live_ones_stay(tmp_path: Path) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 10)
    commit.reset()
    keep_nothing_deleted()
    as_owner.expunge_uids(folder_id, range(1, 9), only_deleted=False)
    before = content(folder_id)
    [row, _] = fetch.fetch(folder_id, [9, 10], columns=fetch.Columns.OCTETS)
    old = tmp_path / Segment.objects.get().name

    assert garbage.collect().blobs == 0
    assert Message.objects.count() == 2
    age(2)
    assert garbage.collect().blobs == 8
    assert Segment.objects.filter(retired_at=None).count() == 1
    assert content(folder_id) == before
    assert old.exists()
    assert fetch.octets(row) == before[9]
    age(25)
    assert garbage.collect().segments == 1
    assert not old.exists()
    assert Segment.objects.count() == 1
    blobs.forget_files()
    assert fetch.octets(row) == before[9]
    assert fetch.octets_many([row]) == [before[9]]
    blobs.checked_read(Place(*Blob.objects.values_list("segment_id", "offset", "length")[0]))


def test_what_was_written_lately_stays_in_an_old_segment(tmp_path: Path) -> None:
    blobs.append([b"octets whose row is still to come"])
    commit.reset()
    age(2)
    os.utime(tmp_path / Segment.objects.get().name)
    garbage.collect()
    assert Segment.objects.get().retired_at is None
    age(2)
    garbage.collect()
    assert Segment.objects.get().retired_at is not None


def test_what_a_row_points_at_is_not_retired_and_never_unlinked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 1)
    blobs.append([b"dead" * 1000])
    commit.reset()
    age(2)
    # As for a blob that came after the others were moved.
    monkeypatch.setattr(blob_garbage, "_move_records", lambda segment: None)
    garbage.collect()
    assert Segment.objects.get().retired_at is None
    Segment.objects.update(retired_at=timezone.now())
    age(25)
    garbage.collect()
    assert (tmp_path / Segment.objects.get().name).exists()


def test_little_that_is_dead_goes_too_but_not_every_day(tmp_path: Path) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    secret = HELLO.replace(b"Hello, Bob.", b"Our secret.")
    append_many(mailbox_id, folder_id, 9)
    append_message(mailbox_id, folder_id, secret).result(10)
    commit.reset()
    keep_nothing_deleted()
    before = content(folder_id)
    as_owner.expunge_uids(folder_id, [10], only_deleted=False)
    [old] = tmp_path.rglob("*.seg")
    age(13 * 24)
    assert garbage.collect().blobs == 1
    assert Segment.objects.filter(retired_at=None).count() == 1
    assert b"Our secret." in old.read_bytes()
    age(15 * 24)
    garbage.collect()
    assert old.exists()
    age(25)
    assert garbage.collect().segments == 1
    [new] = tmp_path.rglob("*.seg")
    assert b"Our secret." not in new.read_bytes()
    del before[10]
    assert content(folder_id) == before
    # Where nothing is dead nothing is copied.
    age(30 * 24)
    garbage.collect()
    assert list(tmp_path.rglob("*.seg")) == [new]


def test_an_adopted_spool_that_lives_stays_where_it_is(tmp_path: Path) -> None:
    mailbox_id = make_mailbox()
    spool = Spool()
    spool.write(HELLO + b"x" * (IN_MEMORY + 1))
    append_message(mailbox_id, inbox(mailbox_id), spool).result(10)
    commit.reset()
    files = list(tmp_path.rglob("*.seg"))
    age(30 * 24)
    garbage.collect()
    assert list(tmp_path.rglob("*.seg")) == files
    assert not Segment.objects.exclude(retired_at=None).exists()


def test_a_mailbox_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 3)
    commit.reset()
    keep_nothing_deleted()
    as_owner.expunge_uids(inbox(mailbox_id), None, only_deleted=False)
    for hours in (2, 25):
        age(hours)
        garbage.collect()
    assert not list(tmp_path.rglob("*.seg"))
    assert (Segment.objects.count(), Blob.objects.count()) == (0, 0)


def test_a_model_added_later_keeps_its_blobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its foreign key is all it takes: here the queue, as if it had just been written."""
    [place] = blobs.append([HELLO])
    blob = Blob.objects.create(
        segment_id=place.segment_id,
        offset=place.offset,
        length=place.length,
        created_at=timezone.now() - timedelta(hours=2),
    )
    pointing = {relation.related_model.__name__ for relation in Blob._meta.related_objects}
    assert {"Message", "QueuedMessage"} <= pointing
    from django.apps import apps

    queued = apps.get_model("delivery", "QueuedMessage")
    queued.objects.create(queue_id="Q", blob=blob, size=1, queued_at=timezone.now())
    assert blobs.collect_garbage().blobs == 0
    queued.objects.all().delete()
    assert blobs.collect_garbage().blobs == 1


def test_nothing_is_unlinked_during_a_backup(tmp_path: Path) -> None:
    blobs.append([HELLO])
    blobs.close_segment()
    age(2)
    blobs.collect_garbage()
    age(25)
    with blobs.backup_running():
        assert blobs.collect_garbage().unlinked == 0
    assert blobs.collect_garbage().unlinked == 1


def test_leftovers_of_crashes_go_after_a_day(tmp_path: Path) -> None:
    spool = Spool()
    spool.write(b"x" * (IN_MEMORY + 1))
    blobs.adopt(spool)
    unfinished = Spool()
    unfinished.write(b"x" * (IN_MEMORY + 1))
    assert blobs.collect_garbage().unlinked == 0
    assert len(blobs.leftovers(timedelta(0))) == 2
    age(25)
    done = blobs.collect_garbage()
    assert done.unlinked == 2
    assert done.octets > 2 * IN_MEMORY


def test_two_collectors_do_not_meet() -> None:
    [_] = blobs.append([HELLO])
    with blob_garbage._lock("collector.lock", 2):
        age(25)
        assert blobs.collect_garbage() == blobs.Collected()


def test_old_marks_go() -> None:
    # What stores no octets leaves a mark.
    commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    CommitMark.objects.update(left_at=timezone.now() - timedelta(hours=25))
    commit.reset()
    commit.run(commit.Unit(frozenset(), lambda rows, blob: None))
    blobs.collect_garbage()
    # That of the committer that is gone; the other lives.
    assert CommitMark.objects.count() == 1


def test_collection_damages_nothing_it_cannot_prove(tmp_path: Path) -> None:
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 4)
    commit.reset()
    keep_nothing_deleted()
    as_owner.expunge_uids(inbox(mailbox_id), [1, 2, 3], only_deleted=False)
    age(2)
    path = tmp_path / Segment.objects.get().name
    place = Blob.objects.order_by("pk").last()
    assert place is not None
    with path.open("r+b") as stream:
        stream.seek(place.offset)
        stream.write(b"?")
    age(2)
    with pytest.raises(BlobMissing):
        garbage.collect()
    assert Blob.objects.get().segment.retired_at is None
    assert path.exists()
