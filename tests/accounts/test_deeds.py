"""Deeds of one commit laid over a picture, in their order, or not at all."""

from array import array
from dataclasses import replace

from accounts.mailstore.deeds import (
    UNCHANGED,
    Bits,
    Came,
    Deed,
    Flagged,
    Removed,
    Shown,
    followed,
)
from tests.servers.imap.pictures import counters, picture_of

PICTURE = picture_of({1: 1, 2: 0, 5: 4, 6: 0})
AFTER = counters(modseq=3, uidnext=7, keywords=("$Junk",))


def rows_after(*deeds: Deed) -> list[tuple[int, ...]]:
    picture = followed(PICTURE, AFTER, deeds)
    assert picture is not None
    assert (picture.highest_modseq, picture.keyword_names) == (3, ("$Junk",))
    columns = picture.uids, picture.flags, picture.keywords, picture.modseqs
    return list(zip(*columns, strict=True))


def test_flags_and_keywords() -> None:
    deed = Flagged(range(1, 3), Bits(~1, 2), Bits(-1, 1))
    assert rows_after(deed) == [(1, 2, 1, 3), (2, 2, 1, 3), (5, 4, 0, 2), (6, 0, 0, 2)]
    deed = Flagged([1, 6], UNCHANGED, Bits(0, 1))
    assert rows_after(deed) == [(1, 1, 1, 3), (2, 0, 0, 2), (5, 4, 0, 2), (6, 0, 1, 3)]


def test_several_in_their_order() -> None:
    first = Flagged(range(5, 7), Bits(0, 8), UNCHANGED)
    last = Flagged([2, 6], Bits(-1, 1), UNCHANGED)
    assert rows_after(first, Removed([1, 5]), last) == [(2, 1, 0, 3), (6, 9, 0, 3)]
    named = followed(PICTURE, AFTER, [first, Removed([1, 5]), last])
    assert named is not None
    assert named.changed_since(2) == frozenset({1, 2, 5, 6})


def test_what_came_stands_at_the_end() -> None:
    assert rows_after(Came(7, 1, 1), Came(9, 0, 0))[-2:] == [(7, 1, 1, 3), (9, 0, 0, 3)]
    # As a REPLACE does, and a STORE that is in the same commit.
    done = rows_after(Removed([1]), Came(7, 1, 0), Flagged([7], Bits(-1, 2), UNCHANGED))
    assert (done[0][0], done[-1]) == (2, (7, 3, 0, 3))
    assert [row[0] for row in done] == [2, 5, 6, 7]
    assert list(PICTURE.uids) == [1, 2, 5, 6]
    assert followed(PICTURE, AFTER, [Came(6, 0, 0)]) is None


def test_what_was_shown_is_recent_no_more() -> None:
    now = replace(counters(modseq=2, uidnext=7), recent_from_uid=7)
    shown = followed(PICTURE, now, [Shown()])
    assert shown is not None
    assert (shown.recent_from_uid, shown.uids, shown.journal) == (7, PICTURE.uids, PICTURE.journal)
    # What was made of the entries is as good as it was.
    assert shown.memo is PICTURE.memo


def test_what_is_not_there_fits_no_picture() -> None:
    for deed in (Flagged([1, 3], Bits(0, 1), UNCHANGED), Removed(range(6, 8)), Removed([9])):
        assert followed(PICTURE, AFTER, [deed]) is None


def test_octets_become_what_numbers_become() -> None:
    column = array("B", range(32))
    for bits in (Bits(~4, 0), Bits(-1, 4), Bits(~31, 9), Bits(0, 0)):
        expected = [flags & bits.kept | bits.added for flags in column]
        assert list(bits.applied(column)) == expected == bits.applied(list(column))
        changed = [flags & bits.touched != bits.added for flags in column]
        assert changed == [was != now for was, now in zip(column, expected, strict=True)]
