"""The guard of `accounts.flag_deeds` sees whoever leaves out the look at what STOREs left."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from django.db import connection

from accounts import flag_deeds, fsck
from accounts.mailstore import index, quota, settling
from accounts.mailstore.flags import Flag, StoreMode
from accounts.rows import Rows
from tests import deed_guard
from tests.accounts.as_owner import copy_uids, expunge_uids, store_flags

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="on PostgreSQL nothing is left"),
]


@pytest.fixture(autouse=True)
def what_is_broken_here_is_meant_to_be() -> Iterator[None]:
    yield
    deed_guard.broken.clear()


def read_picture(folder_id: int) -> None:
    index.forget()
    index.picture(folder_id)


def check(folder_id: int) -> None:
    list(fsck.check(lambda stage: None))


LOOKS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[int], object]]] = {
    "a picture": (
        lambda patch: patch.setattr(
            index, "flag_deeds", SimpleNamespace(left=lambda _: [], laid_over=lambda rows, _: rows)
        ),
        read_picture,
    ),
    "a query of its own": (
        lambda patch: patch.setattr(quota, "settle", lambda _: None),
        quota.deleted_octets,
    ),
    "a query of all folders": (
        lambda patch: patch.setattr(settling, "settle_all", lambda: 0),
        check,
    ),
    "a copy under the lock": (
        lambda patch: patch.setattr(Rows, "settle", lambda *_: None),
        lambda folder_id: copy_uids(folder_id, [1], folder_id),
    ),
    "an expunge under the lock": (
        lambda patch: patch.setattr(Rows, "settle", lambda *_: None),
        lambda folder_id: expunge_uids(folder_id, [1], only_deleted=False),
    ),
    "a small STORE": (
        lambda patch: patch.setattr(Rows, "settle", lambda *_: None),
        lambda folder_id: store_flags(folder_id, [1], StoreMode.ADD, Flag.SEEN),
    ),
}


@pytest.mark.parametrize(("leave_out", "read"), LOOKS.values(), ids=LOOKS)
def test_who_does_not_look_is_seen(
    leave_out: Callable[[pytest.MonkeyPatch], None],
    read: Callable[[int], object],
    folder_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read(folder_id)
    assert deed_guard.broken == []
    leave_out(monkeypatch)
    read(folder_id)
    assert deed_guard.broken


def test_a_look_serves_one_query_of_the_same_folder(folder_id: int) -> None:
    flag_deeds.left(folder_id + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quota, "settle", lambda _: None)
        quota.deleted_octets(folder_id)
        assert len(deed_guard.broken) == 1
        flag_deeds.left(folder_id)
        quota.deleted_octets(folder_id)
        assert len(deed_guard.broken) == 1
        quota.deleted_octets(folder_id)
        assert len(deed_guard.broken) == 2
