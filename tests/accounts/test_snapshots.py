"""Snapshots give back what was kept, are small, and are not believed when torn or foreign."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from accounts.mailstore import picture as pictures
from accounts.mailstore import snapshots
from accounts.mailstore.picture import Picture
from tests.accounts.test_index_picture import counters_of


def picture_of(rows: list[tuple[int, int, int, int]]) -> Picture:
    counters = counters_of(1 << 62, 1 << 31, len(rows))
    return pictures.advanced(pictures.empty(5, counters), counters, rows, [])


def again(picture: Picture) -> Picture:
    octets = snapshots.to_octets(picture)
    found = snapshots.from_octets(5, octets, counters_of(1 << 62, 1 << 31, len(picture)))
    assert found is not None
    return found


COLUMNS = st.tuples(
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**8 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(1, 1 << 62),
)


@given(st.lists(COLUMNS, max_size=30, unique_by=lambda row: row[0]))
def test_a_snapshot_gives_the_arrays_back(rows: list[tuple[int, int, int, int]]) -> None:
    kept = picture_of(sorted(rows))
    found = again(kept)
    assert (found.uids, found.flags, found.keywords, found.modseqs, found.highest_modseq) == (
        kept.uids,
        kept.flags,
        kept.keywords,
        kept.modseqs,
        kept.highest_modseq,
    )


def test_what_came_by_copying_is_a_few_pages() -> None:
    rows = [(uid, 1, 0, 40 + uid // 10_000) for uid in range(1, 100_001)]
    kept = picture_of(rows)
    assert len(snapshots.to_octets(kept)) < 4_096
    assert again(kept).uids == array("I", range(1, 100_001))


def test_a_snapshot_that_does_not_fit_is_not_used() -> None:
    counters = counters_of(9, 10, 1)
    full = pictures.advanced(pictures.empty(5, counters_of(1, 1, 0)), counters, [(4, 0, 0, 8)], [])
    octets = snapshots.to_octets(full)
    assert snapshots.from_octets(5, octets, counters) is not None
    assert snapshots.from_octets(5, b"", counters) is None
    assert snapshots.from_octets(5, octets, counters_of(8, 10, 1)) is None
    other_version = b"\1" + octets[1:]
    assert snapshots.from_octets(5, other_version, counters) is None


def test_a_torn_snapshot_is_not_used() -> None:
    rows = [(uid, uid % 3, 0, 40 + uid) for uid in range(1, 500, 3)]
    octets = snapshots.to_octets(picture_of(rows))
    counters = counters_of(1 << 62, 1 << 31, len(rows))
    assert snapshots.from_octets(5, octets, counters) is not None
    for end in range(len(octets)):
        assert snapshots.from_octets(5, octets[:end], counters) is None
        blank = octets[:end].ljust(len(octets), b"\0")
        assert blank == octets or snapshots.from_octets(5, blank, counters) is None
