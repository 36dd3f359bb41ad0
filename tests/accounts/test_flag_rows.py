"""STORE of many messages: quicker ways to the rows, and the same rows by each of them."""

from concurrent.futures import Future

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import commit
from accounts.mailstore import flag_rows, folders, index
from accounts.mailstore.flags import Flag, Stored, StoreMode, _Store
from accounts.models import Entry
from accounts.rows import Rows
from tests.accounts.as_owner import store_flags
from tests.accounts.mail import append_many, counters_agree, flags_of
from tests.accounts.test_commit import Held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flag_rows, "MANY", 2)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What STOREs ask of the table of entries, in the committer's connection."""
    said: list[str] = []
    work = _Store.__call__

    def watched(store: _Store, rows: Rows, blob_id: object) -> Stored:
        with CaptureQueriesContext(connection) as queries:
            done = work(store, rows, None)
        said.extend(query["sql"] for query in queries if Entry._meta.db_table in query["sql"])
        return done

    monkeypatch.setattr(_Store, "__call__", watched)
    return said


def by_keys(statements: list[str]) -> list[bool]:
    return ["id BETWEEN" in text.split("WHERE")[1].split("uid")[0] for text in statements]


def agrees(mailbox_id: int, folder_id: int, flags: dict[int, int]) -> bool:
    """Rows, picture and counters say the same."""
    picture = index.picture(folder_id)
    assert flags_of(folder_id) == flags == dict(zip(picture.uids, picture.flags, strict=True))
    rows = (
        Entry.objects.filter(folder_id=folder_id).order_by("uid").values_list("modseq", flat=True)
    )
    assert list(rows) == list(picture.modseqs)
    return counters_agree(mailbox_id)


def test_all_that_differ_are_told_by_the_picture(
    mailbox_id: int, folder_id: int, statements: list[str]
) -> None:
    done = store_flags(folder_id, range(1, 7), StoreMode.ADD, Flag.FLAGGED)
    assert list(done.changed) == [1, 2, 3, 4, 5, 6]
    again = store_flags(folder_id, range(1, 7), StoreMode.ADD, Flag.FLAGGED)
    assert (list(again.changed), again.modseq) == ([], done.modseq)
    # The keys, and one UPDATE; where nothing will change, nothing.
    assert by_keys(statements) == ([False, True] if connection.vendor == "sqlite" else [False])
    assert agrees(mailbox_id, folder_id, dict.fromkeys(range(1, 7), 4))


def test_some_that_differ(mailbox_id: int, folder_id: int, statements: list[str]) -> None:
    store_flags(folder_id, [2, 3], StoreMode.ADD, Flag.SEEN)
    statements.clear()
    done = store_flags(folder_id, range(1, 6), StoreMode.ADD, Flag.SEEN)
    assert list(done.changed) == [1, 4, 5]
    assert len(statements) == (2 if connection.vendor == "sqlite" else 1)
    done = store_flags(folder_id, [1, 4, 6], StoreMode.SET, Flag.DRAFT)
    assert list(done.changed) == [1, 4, 6]
    there = {1: Flag.DRAFT, 2: Flag.SEEN, 3: Flag.SEEN, 4: Flag.DRAFT, 5: Flag.SEEN, 6: Flag.DRAFT}
    assert agrees(mailbox_id, folder_id, there)


def test_what_is_seen_is_not_counted_where_the_picture_tells(
    mailbox_id: int, folder_id: int, statements: list[str]
) -> None:
    store_flags(folder_id, [2], StoreMode.ADD, Flag.SEEN | Flag.DRAFT, ["a"])
    store_flags(folder_id, [1, 2], StoreMode.SET, Flag.SEEN, ["a"])
    store_flags(folder_id, [2, 3], StoreMode.SET, Flag.DRAFT, ["b"])
    assert not any("COUNT(" in text for text in statements)
    index.forget()
    store_flags(folder_id, [1, 3], StoreMode.SET, Flag.SEEN, ["b"])
    assert any("COUNT(" in text for text in statements)
    there = {1: Flag.SEEN, 2: Flag.DRAFT, 3: Flag.SEEN, 4: 0, 5: 0, 6: 0}
    assert agrees(mailbox_id, folder_id, there)


def test_a_key_that_lies_elsewhere_is_found(mailbox_id: int, folder_id: int) -> None:
    Entry.objects.filter(folder_id=folder_id, uid=3).update(id=10**6)
    done = store_flags(folder_id, range(1, 7), StoreMode.ADD, Flag.SEEN | Flag.FLAGGED)
    assert list(done.changed) == [1, 2, 3, 4, 5, 6]
    assert agrees(mailbox_id, folder_id, dict.fromkeys(range(1, 7), 5))


def test_entries_of_others_in_between_are_not_gone_through(
    mailbox_id: int, folder_id: int, statements: list[str]
) -> None:
    other = folders.create_folder(mailbox_id, "other")
    append_many(mailbox_id, other.id, 20)
    append_many(mailbox_id, folder_id, 2)
    append_many(mailbox_id, other.id, 1)
    index.picture(folder_id)
    done = store_flags(folder_id, range(1, 9), StoreMode.ADD, Flag.SEEN)
    assert list(done.changed) == list(range(1, 9))
    assert not any(by_keys(statements))
    assert set(flags_of(other.id).values()) == {0}
    index.picture(other.id)
    store_flags(other.id, range(1, 22), StoreMode.ADD, Flag.DRAFT)
    assert set(flags_of(other.id).values()) == {Flag.DRAFT}
    assert agrees(mailbox_id, folder_id, dict.fromkeys(range(1, 9), 1))


def test_without_a_picture_that_is_true(
    mailbox_id: int, folder_id: int, statements: list[str]
) -> None:
    def submit(uids: range, flag: Flag) -> Future[Stored]:
        work = _Store(mailbox_id, folder_id, uids, StoreMode.ADD, int(flag), (), None)
        unit = commit.Unit(frozenset((mailbox_id,)), work, folder_ids=frozenset((folder_id,)))
        return commit.submit(unit)

    with Held():
        first, second = submit(range(1, 4), Flag.SEEN), submit(range(2, 6), Flag.SEEN)
    assert list(first.result(20).changed) == [1, 2, 3]
    second.result(20)
    assert agrees(mailbox_id, folder_id, dict.fromkeys(range(1, 6), 1) | {6: 0})
    statements.clear()
    index.forget()
    done = store_flags(folder_id, range(1, 7), StoreMode.ADD, Flag.SEEN)
    assert list(done.changed) == [6]
    assert not any(by_keys(statements))
    done = store_flags(folder_id, range(4, 9), StoreMode.REMOVE, Flag.SEEN)
    assert list(done.changed) == [4, 5, 6]
    assert agrees(
        mailbox_id, folder_id, dict.fromkeys(range(1, 4), 1) | dict.fromkeys((4, 5, 6), 0)
    )
