"""What a search reads of a folder: columns, texts that are kept, and octets where none are.

Texts and octets are counted as work before they are read; columns are counted by whoever asks for
them. What is large is in memory alone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from accounts.mailstore import fetch, search_index, search_kept, search_recent, search_work
from accounts.mailstore.columns import large_ones, read_columns
from accounts.mailstore.fetch import Columns, FetchRow
from accounts.mailstore.picture import Picture
from accounts.mailstore.search_text import Needle
from accounts.mailstore.search_work import Work

_OCTETS_AT_ONCE = 4 << 20
# The index is asked for so many strings of a program; for more, texts in memory are quicker.
_NEEDLES_ASKED = 20
# Longer texts are read one at a time.
_TEXT_OCTETS = 16 << 10

# Octets of text that a test takes in one look.
EXACT, LIKE = search_work.TEXT_OCTETS, search_work.LIKE_TEXT_OCTETS

Places = list[int]
"""Of messages, in the order of the picture."""
Test = Callable[[int, bytes], bool]
"""Whether a message, by its UID, matches by its text."""


class Reading:
    """Reads messages of one picture, for one search."""

    def __init__(self, picture: Picture, work: Work) -> None:
        self._picture = picture
        self._work = work
        self._possible: dict[str, frozenset[int] | None] = {}

    def with_texts(
        self, places: Places, test: Test, *, with_header: bool, a_look: int = EXACT
    ) -> Places:
        """By the texts that are kept; from octets, and then kept, where there are none yet.

        `a_look` are the octets of text that the test takes in one look.
        """
        self._work.add(len(places) * search_work.A_TEXT)
        uids = [self._picture.uids[place] for place in places]
        known = search_recent.texts(self._picture, uids, with_header=with_header)
        held = {uid: known[uid] for uid in uids if uid in known}
        self._work.add(sum(map(len, held.values())) // a_look)
        found = {uid for uid, text in held.items() if test(uid, text)}
        unread = [uid for uid in uids if uid not in held]
        columns = Columns.OCTETS | Columns.SIZE | Columns.MESSAGE
        rows = fetch.fetch(self._picture.folder_id, unread, columns=columns)
        for group in _groups(rows):
            made: list[tuple[int, search_kept.Texts]] = []
            read: dict[int, bytes] = {}
            size = sum(row.size or 0 for row in group)
            self._work.add(len(group) * search_work.A_WHOLE_MESSAGE)
            self._work.add(size // search_work.DECODED_OCTETS + size // a_look)
            for row, octets in zip(group, fetch.octets_many(group), strict=True):
                texts = search_kept.texts_of(octets)
                assert row.message_id is not None
                made.append((row.message_id, texts))
                read[row.uid] = texts.octets if with_header else texts.body
            found.update(uid for uid, text in read.items() if test(uid, text))
            search_recent.hold(self._picture, read, with_header=with_header)
            search_kept.keep_soon(made)
        return [place for place, uid in zip(places, uids, strict=True) if uid in found]

    def possibly(self, places: Places, needle: Needle) -> Places:
        """Those of `places` that the index cannot rule out."""
        if needle.text not in self._possible:
            if len(self._possible) == _NEEDLES_ASKED:
                return places
            self._possible[needle.text] = search_index.possible_uids(self._picture, needle.octets)
        possible = self._possible[needle.text]
        if possible is None:
            return places
        uids = self._picture.uids
        return [place for place in places if uids[place] in possible]

    def with_octets(self, places: Places, test: Callable[[bytes], bool]) -> Places:
        uids = [self._picture.uids[place] for place in places]
        columns = Columns.OCTETS | Columns.SIZE
        rows = fetch.fetch(self._picture.folder_id, uids, columns=columns)
        place_of = dict(zip(uids, places, strict=True))
        found: Places = []
        for group in _groups(rows):
            size = sum(row.size or 0 for row in group)
            self._work.add(len(group) * search_work.A_WHOLE_MESSAGE)
            self._work.add(size // search_work.DECODED_OCTETS)
            found += _holding(group, test, place_of)
        return found

    def read(self, places: Places, columns: Columns, *names: str) -> Iterator[tuple[Any, ...]]:
        """(place, values…) of the messages; one that was expunged meanwhile is left out."""
        if not places:
            return iter(())
        uids = [self._picture.uids[place] for place in places]
        folder_id = self._picture.folder_id
        found = read_columns(folder_id, uids, columns=columns, at_most=_TEXT_OCTETS)
        there: Sequence[int] = places
        if len(found["uid"]) < len(uids):
            place_of = dict(zip(uids, places, strict=True))
            there = [place_of[uid] for uid in found["uid"]]
        rows = zip(there, *(found[name] for name in names), strict=True)
        large = large_ones(found)
        return self._filled(rows, frozenset(large), columns, names) if large else rows

    def _filled(
        self,
        rows: Iterable[tuple[Any, ...]],
        large: Collection[int],
        columns: Columns,
        names: Sequence[str],
    ) -> Iterator[tuple[Any, ...]]:
        """The rows, with what is large read one at a time."""
        for at, row in enumerate(rows):
            if at not in large:
                yield row
                continue
            uid = self._picture.uids[row[0]]
            alone = read_columns(self._picture.folder_id, [uid], columns=columns)
            if alone["uid"]:
                yield (row[0], *(alone[name][0] for name in names))


def _groups(rows: Sequence[FetchRow]) -> Iterator[list[FetchRow]]:
    """The rows in order, so many at a time that their octets may be in memory together."""
    group: list[FetchRow] = []
    total = 0
    for row in rows:
        if group and total + (row.size or 0) > _OCTETS_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(row)
        total += row.size or 0
    if group:
        yield group


def _holding(
    rows: Sequence[FetchRow], test: Callable[[bytes], bool], place_of: Mapping[int, int]
) -> Places:
    octets = fetch.octets_many(rows)
    return [place_of[row.uid] for row, each in zip(rows, octets, strict=True) if test(each)]
