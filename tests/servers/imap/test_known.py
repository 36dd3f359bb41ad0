"""What a client of STORE.SILENT knows, held against pictures of the folder."""

import pytest

from protocols.servers.imap.known import NOTHING, Known
from tests.servers.imap.pictures import after, picture_of

SEEN, FLAGGED = 1, 4
PICTURE = picture_of({1: SEEN, 2: SEEN, 4: SEEN | FLAGGED, 9: 0})


@pytest.mark.parametrize(
    ("uids", "flags", "is_so"),
    [
        ([], [], True),
        (range(1, 3), [SEEN, SEEN], True),
        ([2, 4, 9], [SEEN, SEEN | FLAGGED, 0], True),
        ([1, 9], [SEEN, 0], True),
        ([1, 9], [SEEN, SEEN], False),
        (range(1, 4), [SEEN] * 3, False),
        ([9, 10], [0, 0], False),
        ([3], [SEEN], False),
    ],
)
def test_it_is_so_where_all_of_it_is(uids: list[int], flags: list[int], is_so: bool) -> None:
    assert Known(uids, flags, [0] * len(uids)).is_so(PICTURE) is is_so


def test_keywords_count_too() -> None:
    assert not Known([1], [SEEN], [1]).is_so(PICTURE)


def test_what_went_is_not_so() -> None:
    assert not Known([1, 2], [SEEN, SEEN], [0, 0]).is_so(after(PICTURE, gone=(2,)))


def test_the_doubtful_are_left_out() -> None:
    known = Known([1, 2, 4], [SEEN, SEEN, FLAGGED], [0, 0, 1])
    assert known.without(()) is known
    assert known.without({2}).by_uid() == {1: (SEEN, 0), 4: (FLAGGED, 1)}
    assert known.without({1, 2, 4}) == NOTHING
