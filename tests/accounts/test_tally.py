"""What entries come to: by the folder's counters where all of it is meant, else by the entries."""

import pytest

from accounts import commit
from accounts.mailstore import append, expunge, flags
from accounts.mailstore.flags import Flag
from accounts.mailstore.tally import Tally, tally
from accounts.rows import Rows
from tests.accounts.mail import HELLO, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {1: 10, 2: 200, 3: 3_000, 4: 40_000, 5: 500_000}
UNSEEN = {1, 2, 4}


@pytest.fixture
def mailbox_id() -> int:
    """INBOX has UIDs 1 to 5; their sizes differ, 3 and 5 are \\Seen, 2 and 4 are \\Deleted."""
    key = make_mailbox()
    for uid, size in SIZES.items():
        marks = (0 if uid in UNSEEN else Flag.SEEN) | (Flag.DELETED if uid in (2, 4) else 0)
        append.append_message(key, inbox(key), HELLO + b"x" * size, flags=marks).result(30)
    return key


def tallied(mailbox_id: int, uids: list[int] | None, marks: int = 0) -> Tally:
    def work(rows: Rows, blob_id: int | None) -> Tally:
        folder = rows.folder(inbox(mailbox_id))
        rows.direct()
        return tally(folder, uids, flags=marks)

    return commit.run(commit.Unit(frozenset((mailbox_id,)), work))


def expected(*uids: int) -> tuple[list[int], int, int]:
    octets = sum(len(HELLO) + SIZES[uid] for uid in uids)
    return list(uids), octets, len(UNSEEN.intersection(uids))


def said(found: Tally) -> tuple[list[int], int, int]:
    return list(found.uids), found.octets, found.unseen


@pytest.mark.parametrize("uids", [[1, 2, 3, 4, 5], None, [2, 3, 4], [1, 5], [5], list(range(1, 9))])
def test_what_is_named_and_there_is_summed(mailbox_id: int, uids: list[int] | None) -> None:
    there = [uid for uid in SIZES if uids is None or uid in uids]
    assert said(tallied(mailbox_id, uids)) == expected(*there)


def test_as_many_as_there_are_but_others(mailbox_id: int) -> None:
    folder_id = inbox(mailbox_id)
    expunge.expunge_uids(folder_id, [2], only_deleted=False, actor=mailbox_id)
    assert said(tallied(mailbox_id, [1, 2, 3, 4])) == expected(1, 3, 4)
    assert said(tallied(mailbox_id, [2, 3, 4, 5])) == expected(3, 4, 5)
    assert said(tallied(mailbox_id, [1, 3, 4, 5])) == expected(1, 3, 4, 5)


def test_of_all_only_those_with_a_flag(mailbox_id: int) -> None:
    everything = list(SIZES)
    assert said(tallied(mailbox_id, everything, Flag.DELETED)) == expected(2, 4)
    flags.store_flags(
        inbox(mailbox_id), everything, flags.StoreMode.ADD, Flag.DELETED, actor=mailbox_id
    )
    assert said(tallied(mailbox_id, everything, Flag.DELETED)) == expected(*everything)


def test_what_came_in_the_same_batch_counts(mailbox_id: int) -> None:
    folder_id = inbox(mailbox_id)

    def add_and_sum(rows: Rows, blob_id: int | None) -> Tally:
        assert blob_id is not None
        append.add_entry(
            rows,
            mailbox_id=mailbox_id,
            folder_id=folder_id,
            blob_id=blob_id,
            prefix=b"",
            prepared=append.prepare(HELLO),
            octets_size=len(HELLO),
        )
        rows.direct()
        return tally(rows.folder(folder_id), [1, 2, 3, 4, 5, 6])

    unit = commit.Unit(frozenset((mailbox_id,)), add_and_sum, HELLO)
    uids, octets, unseen = expected(*SIZES)
    assert said(commit.run(unit)) == ([*uids, 6], octets + len(HELLO), unseen + 1)
