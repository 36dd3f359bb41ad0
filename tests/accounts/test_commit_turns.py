"""What a committer does while other processes have the turn to write, and what it leaves for it."""

import os
from pathlib import Path

import pytest
from django.db import connection

from accounts import blobs, commit
from accounts.models import Blob, Entry, Segment
from accounts.rows import Rows
from accounts.turns import Turns
from tests.accounts.disk import fail_one_sync
from tests.accounts.mail import HELLO, content, delivery, inbox, make_mailbox
from tests.accounts.test_turns import await_waiters, turn

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL needs no turns"),
]


def await_committer() -> None:
    """Until the committer has nothing left to do but to wait for its turn."""
    await_waiters(Path(connection.settings_dict["NAME"]), 1)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How large a file was at each sync of it."""
    sizes: list[int] = []
    sync = os.fdatasync

    def noting(fd: int) -> None:
        sync(fd)
        sizes.append(os.fstat(fd).st_size)

    monkeypatch.setattr("os.fdatasync", noting)
    return sizes


def octets_on_disk() -> bytes:
    [segment] = Segment.objects.filter(is_sealed=False)
    return (blobs.directory() / segment.name).read_bytes()


def test_the_disk_has_the_octets_before_the_turn_comes(synced: list[int]) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    synced.clear()
    other = b"Subject: other\r\n\r\nOther.\r\n"
    with turn():
        coming = commit.submit(delivery(mailbox_id, other))
        await_committer()
        assert other in octets_on_disk()
        assert len(synced) == 1
        assert Entry.objects.count() == 1
    assert coming.result(20).uid == 2
    assert len(synced) == 1
    assert list(content(inbox(mailbox_id)).values()) == [HELLO, other]


def test_what_comes_before_the_turn_does_is_in_the_same_commit() -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    with turn():
        first = commit.submit(delivery(mailbox_id, HELLO))
        await_committer()
        second = commit.submit(delivery(mailbox_id, HELLO))
    assert first.result(20).modseq == second.result(20).modseq


def test_no_segment_begins_without_the_turn() -> None:
    mailbox_id = make_mailbox()
    commit.reset()
    with turn():
        coming = commit.submit(delivery(mailbox_id, HELLO))
        await_committer()
        assert not Segment.objects.filter(is_sealed=False).exists()
    assert coming.result(20).uid == 1


def test_no_segment_ends_beneath_octets_whose_rows_are_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    with turn():
        early = commit.submit(delivery(mailbox_id, HELLO))
        await_committer()
        monkeypatch.setattr(blobs.segments, "ROLL_SIZE", 1)
        late = commit.submit(delivery(mailbox_id, HELLO))
    assert (early.result(20).uid, late.result(20).uid) == (2, 3)
    assert Blob.objects.values("segment").distinct().count() == 1
    commit.run(delivery(mailbox_id, HELLO))
    assert Blob.objects.values("segment").distinct().count() == 2


def test_octets_that_the_disk_loses_meanwhile_are_stored_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox_id = make_mailbox()
    commit.run(delivery(mailbox_id, HELLO))
    fail_one_sync(monkeypatch)
    with turn():
        early = commit.submit(delivery(mailbox_id, HELLO))
        await_committer()
        late = commit.submit(delivery(mailbox_id, HELLO))
    assert {early.result(20).uid, late.result(20).uid} == {2, 3}
    assert set(content(inbox(mailbox_id)).values()) == {HELLO}
    assert list(Segment.objects.order_by("pk").values_list("is_sealed", flat=True)) == [True, False]


def test_what_fails_gives_the_turn_back() -> None:
    def fail(rows: Rows, blob_id: int | None) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        commit.run(commit.Unit(frozenset(), fail))
    turns = Turns()
    assert turns.take_at_once()
    turns.give_back()
    turns.close()
