"""Deeds of one commit laid over a picture, in their order, or not at all."""

from array import array

from accounts.mailstore.deeds import UNCHANGED, Bits, Deed, Flagged, Removed, followed
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
