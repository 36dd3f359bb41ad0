"""Searches that a client follows: what comes to their results and what leaves (RFC 5267 §4.3).

Results are those of the picture told last. When the client is taken to a new picture, only messages
that changed are looked at again; keys of order never change, so the others stay in their places.
"""

import time
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from accounts.mailstore import search as store
from accounts.mailstore import thread_ids
from accounts.mailstore.picture import Picture
from accounts.mailstore.search_work import is_always_done
from accounts.mailstore.sort import Sorting
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.news import Overflow
from protocols.servers.imap.watch import Fetcher
from protocols.wire.imap import search as keys
from protocols.wire.imap.contexts import Kind, Placed, no_update, results_changed
from protocols.wire.imap.responses import Origin, untagged
from protocols.wire.imap.search import SearchKey
from protocols.wire.imap.sequence_set import Range, SequenceSet
from protocols.wire.imap.sort import Criterion

MAX_FOLLOWED = 8
# Of all searches of a connection but the first, which is always followed (§4.3.1).
MAX_RESULTS = 200_000
# Of what all of them tell of new messages at one look.
MAX_OCTETS = 16 << 20


@dataclass(slots=True)
class Followed:
    """One search with its results so far, in order; without criteria that of the folder.

    `origin` is said with them where the search was one of several folders; `fetch` tells of new
    messages among them (RFC 5465 §7).
    """

    tag: bytes
    is_uid: bool
    program: SearchKey
    criteria: tuple[Criterion, ...]
    results: "array[int]"
    origin: Origin | None = None
    fetch: Fetcher | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What leaves the results of a search and then comes to them: UIDs by context position."""

    followed: Followed
    removed: Sequence[Placed]
    added: Sequence[Placed]

    def removed_line(self, view: FolderView) -> bytes:
        """To be said before the EXPUNGE of what is gone: its numbers must still hold."""
        return self._line(view, "REMOVEFROM", self.removed)

    def added_line(self, view: FolderView) -> bytes:
        """To be said after the EXISTS of what is new."""
        return self._line(view, "ADDTO", self.added)

    def fetch_lines(self, arrivals: range) -> bytes:
        """What was asked for of the messages that have just arrived; Overflow.

        RFC 5465 §7: of others, whose flags have changed, nothing is told.
        """
        if self.followed.fetch is None or not arrivals:
            return b""
        fresh = sorted(uid for _, uids in self.added for uid in uids if uid in arrivals)
        return self.followed.fetch([(uid, uid) for uid in fresh]) if fresh else b""

    def _line(self, view: FolderView, kind: Kind, placed: Sequence[Placed]) -> bytes:
        if not placed:
            return b""
        tag, is_uid = self.followed.tag, self.followed.is_uid
        if not is_uid:
            placed = [(at, [view.number(uid) or 0 for uid in uids]) for at, uids in placed]
        return results_changed(tag, kind, placed, is_uid=is_uid, origin=self.followed.origin)


class Contexts:
    """The searches of one client that are followed, as long as its folder is selected."""

    __slots__ = ("_followed",)

    def __init__(self) -> None:
        self._followed: dict[bytes, Followed] = {}

    def __contains__(self, tag: bytes) -> bool:
        return tag in self._followed

    @property
    def are_followed(self) -> bool:
        """Whether there is any."""
        return bool(self._followed)

    def follow(self, followed: Followed) -> bool:
        """Follow a search from now on; False: it is refused."""
        # News must not be refused later.
        if store.reads_octets(followed.program) or not is_always_done(followed.program):
            return False
        if self._followed:
            total = sum(len(each.results) for each in self._followed.values())
            too_many = total + len(followed.results) > MAX_RESULTS
            if too_many or len(self._followed) >= MAX_FOLLOWED:
                return False
        self._followed[followed.tag] = followed
        return True

    def cancel(self, tags: Collection[bytes]) -> bool:
        """Follow these no longer; False, and nothing is done, when one of them is not followed."""
        if not self._followed.keys() >= set(tags):
            return False
        for tag in set(tags):
            del self._followed[tag]
        return True

    def drop_numbers(self) -> bytes:
        """Follow no longer what is told by number; the lines that say so (RFC 5267 §4.3.1)."""
        dropped = [tag for tag, each in self._followed.items() if not each.is_uid]
        return self._drop(dropped, "Numbers are no longer spoken of.")

    def drop_all(self) -> bytes:
        """Follow nothing any longer; the lines that say so."""
        return self._drop(list(self._followed), "Messages are no longer spoken of.")

    def added_lines(
        self, differences: Iterable[Difference], view: FolderView, arrivals: range
    ) -> bytes:
        """To be said after the EXISTS of the arrivals, given by UID: these, then ADDTO.

        RFC 5465 §7 wants that order. A search of whose new messages too much would have to be told
        is followed no longer: the client may ask itself.
        """
        lines = b""
        for each in differences:
            try:
                fetched = each.fetch_lines(arrivals)
                if len(lines) + len(fetched) > MAX_OCTETS:
                    raise Overflow
            except Overflow:
                lines += self._drop([each.followed.tag], "Too much has come at once.")
            else:
                lines += fetched + each.added_line(view)
        return lines

    def _drop(self, tags: Collection[bytes], reason: str) -> bytes:
        self.cancel(tags)
        return b"".join(untagged("NO", reason, no_update(tag)) for tag in tags)

    def look(self, view: FolderView, picture: Picture) -> list[Difference]:
        """Take all results from the picture that `view` was told to a new one."""
        if not self._followed or picture is view.told:
            return []
        changed = view.changed_uids(picture)
        found = (_renewed(each, view, picture, changed) for each in self._followed.values())
        return [difference for difference in found if difference is not None]


def _renewed(
    followed: Followed, view: FolderView, picture: Picture, changed: Collection[int]
) -> Difference | None:
    again = set(changed)
    if _has_star(followed.program):
        # What `*` stood for, and what it stands for now.
        again.update(view.told.uids[-1:], picture.uids[-1:])
    known = set(followed.results)
    matching = set(_matching(followed.program, view, picture, again))
    removed = {uid for uid in again if uid in known} - matching
    added = matching - known
    if not removed and not added:
        return None
    if not followed.criteria:
        kept = known - removed
        followed.results = array("Q", sorted(kept | added))
        return Difference(followed, _in_order(removed), _in_order(added))
    before = followed.results
    after: Sequence[int] = [uid for uid in before if uid not in removed]
    if added:
        wanted = sorted([*after, *added])
        sorting = Sorting(picture.folder_id, followed.criteria)
        for _ in sorting.read(wanted):
            pass
        after = sorting.ordered(wanted)
        # What was expunged this instant has no keys any more: it leaves now.
        gone = set(wanted).difference(after)
        removed |= gone & known
        added -= gone
    followed.results = array("Q", after)
    # From the last one up, so that no position shifts before it is named; then downwards.
    return Difference(
        followed, list(_runs(before, removed))[::-1], list(_runs(followed.results, added))
    )


def _matching(
    program: SearchKey, view: FolderView, picture: Picture, uids: Collection[int]
) -> list[int]:
    if keys.asks_thread(program):
        for _ in thread_ids.catch_up(picture.mailbox_id):
            pass
    scope = store.Scope(picture, picture.uids, view.recent_runs(), int(time.time()))
    return store.matching_among(scope, program, sorted(uids))


def _in_order(uids: Collection[int]) -> list[Placed]:
    """Results in mailbox order, whose places the client finds (§4.3.3)."""
    return [(0, sorted(uids))] if uids else []


def _runs(results: Sequence[int], chosen: Collection[int]) -> Iterator[Placed]:
    """The chosen results by position, neighbours together."""
    start = 0
    run: list[int] = []
    for place, uid in enumerate(results, 1):
        if uid not in chosen:
            if run:
                yield start, run
                run = []
            continue
        if not run:
            start = place
        run.append(uid)
    if run:
        yield start, run


def fixed(key: SearchKey, view: FolderView) -> SearchKey:
    """The program with message numbers, and what `$` stands for, as they are now (§4.3)."""
    match key:
        case keys.NumberIn(numbers=numbers):
            if numbers.is_saved:
                return _uids_in(view.saved)
            resolved = numbers.resolve(len(view.uids))
            return _uids_in([(view.uids[low - 1], view.uids[high - 1]) for low, high in resolved])
        case keys.UidIn(uids=uids) if uids.is_saved:
            return _uids_in(view.saved)
        case keys.Not(key=inner):
            return keys.Not(fixed(inner, view))
        case keys.And(keys=several):
            return keys.And(tuple(fixed(each, view) for each in several))
        case keys.Or(keys=several):
            return keys.Or(tuple(fixed(each, view) for each in several))
        case _:
            return key


def _uids_in(ranges: Sequence[Range]) -> SearchKey:
    # A set without ranges would be `$`.
    return keys.UidIn(SequenceSet(tuple(ranges))) if ranges else keys.Not(keys.Everything())


def _has_star(key: SearchKey) -> bool:
    match key:
        case keys.UidIn(uids=uids):
            return uids.has_star
        case keys.Not(key=inner):
            return _has_star(inner)
        case keys.And(keys=several) | keys.Or(keys=several):
            return any(map(_has_star, several))
        case _:
            return False
