"""What one client believes about its selected folder, and what it must still be told.

Pure: pictures of the folder come in, values to be said come out. A client numbers messages by the
order it was told of them, so a message that another session expunged keeps its number (it is a
*ghost*) until EXPUNGE may be said, which is never while a FETCH, STORE or SEARCH by number runs
(RFC 3501 §7.4.1).

With NOTIFY a client may refuse news (RFC 5465 §3.1). Then its numbering stays: what came meanwhile
it does not know, what went is a ghost. Both, and whose flags changed (`Withheld`), are told when it
wants news again.

Invariants: without ghosts and without news that are kept back the client's numbering is the
picture's UID array itself, shared and not copied. Numbers only shrink by EXPUNGE and only grow at
the end.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from accounts.mailstore.flags import Flag
from accounts.mailstore.picture import Picture
from accounts.mailstore.rights import ALL, Right
from protocols.servers.imap.known import NOTHING, Known
from protocols.servers.imap.news import EVERYTHING, NO_NEWS, Changed, News, Wanted
from protocols.servers.imap.spans import Chunk, Span, numbers_of, pieces
from protocols.servers.imap.withheld import Withheld
from protocols.wire.imap.sequence_set import Range, SequenceSet


class Wording(NamedTuple):
    """How a client has asked to be told of messages."""

    # Header strings come in UTF-8, not in ASCII (RFC 9755 §3).
    in_utf8: bool = False
    # Messages are called by UID, in UIDFETCH (RFC 9586 §3.2).
    by_uid: bool = False


PLAIN = Wording()
# Shared by all views: an empty set of its own would be a sixteenth of what an idle client costs.
_NO_UIDS: frozenset[int] = frozenset()


class FolderView:
    """The client's side of a selected folder."""

    __slots__ = (
        "_ghosts",
        "_modseq_before_ghosts",
        "_recent",
        "_recent_told",
        "_withheld",
        "is_read_only",
        "owes_modseq",
        "rights",
        "saved",
        "told",
        "uidnext_told",
        "uids",
        "wording",
    )

    def __init__(
        self, picture: Picture, *, is_read_only: bool, recent: range, rights: Right = ALL
    ) -> None:
        """`recent` are the UIDs that this session is the first to see."""
        self.rights = rights
        self.told = picture
        self.uids: array[int] = picture.uids
        self.is_read_only = is_read_only
        self.wording = PLAIN
        # The UIDs that `$` stands for (RFC 5182).
        self.saved: tuple[Range, ...] = ()
        # EXISTS has counted the messages below it.
        self.uidnext_told = picture.uidnext
        self._ghosts = _NO_UIDS
        self._modseq_before_ghosts = 0
        # The client was told a mod-sequence below what it then knew.
        self.owes_modseq = False
        self._withheld = Withheld()
        # Ascending; other sessions may have taken what came between them.
        self._recent: list[range] = [recent] if recent else []
        self._recent_told = self.recent_count

    @property
    def marks_seen(self) -> bool:
        """Whether what the client reads becomes \\Seen, and no longer \\Recent to others."""
        return not self.is_read_only and Right.SEEN in self.rights

    @property
    def is_current(self) -> bool:
        """True while the client's numbering is the picture's."""
        return self.uids is self.told.uids

    def has_told_all_of(self, picture: Picture) -> bool:
        """Whether `refresh` has nothing to say of the picture."""
        is_told = (picture.uidvalidity, picture.highest_modseq) == (
            self.told.uidvalidity,
            self.told.highest_modseq,
        )
        return is_told and self._withheld.is_empty and not self._ghosts

    @property
    def modseq_told(self) -> int:
        """The mod-sequence up to which the client has been told of everything."""
        told = self._withheld.modseq_told(self.told.highest_modseq)
        return min(told, self._modseq_before_ghosts) if self._ghosts else told

    @property
    def has_ghosts(self) -> bool:
        """Whether messages went of which the client has not been told."""
        return bool(self._ghosts)

    @property
    def recent_count(self) -> int:
        """How many messages are \\Recent to this session."""
        return sum(
            bisect_left(self.uids, run.stop) - bisect_left(self.uids, run.start)
            for run in self._recent
        )

    @property
    def first_unseen(self) -> int | None:
        """The number of the first message without \\Seen, for a client without ghosts."""
        told = self.told
        return told.remembered("first unseen", lambda: told.first_without(Flag.SEEN) + 1 or None)

    def is_recent(self, uid: int) -> bool:
        """Whether the message is \\Recent to this session."""
        at = bisect_right(self._recent, uid, key=attrgetter("start")) - 1
        return at >= 0 and uid in self._recent[at]

    def recent_runs(self) -> Sequence[range]:
        """The UIDs that are \\Recent to this session."""
        return self._recent

    def number(self, uid: int) -> int | None:
        """The client's number of a message, None when it knows no such message."""
        place = bisect_left(self.uids, uid)
        return place + 1 if place < len(self.uids) and self.uids[place] == uid else None

    # --- what is new

    def own(self, uids: range) -> None:
        """This session is the first to see these messages."""
        if not uids:
            return
        if self._recent and self._recent[-1].stop == uids.start:
            self._recent[-1] = range(self._recent[-1].start, uids.stop)
        else:
            self._recent.append(uids)

    def forget_recent(self) -> None:
        """From now on no message is \\Recent to this session: IMAP4rev2 has no such flag."""
        self._recent = []
        self._recent_told = 0

    def refresh(
        self,
        picture: Picture,
        *,
        may_expunge: bool,
        known: Known = NOTHING,
        untold: Collection[int] = (),
        with_modseq: bool = False,
        wanted: Wanted = EVERYTHING,
        removed: Collection[int] = (),
    ) -> News:
        """Take the client to `picture`; what it must be told on the way there.

        `known` holds flags that the client knows already, having set them: they are not told
        again unless something else became of them. Flags of the UIDs in `untold` are left out.
        `with_modseq`: the client keeps mod-sequences, so a new one is news by itself. What the
        client removed itself, `removed`, is told though it does not want to hear of messages.
        """
        before = self.told
        if not self._ghosts:
            self._modseq_before_ghosts = before.highest_modseq
        has_more = bool(self._ghosts) and may_expunge
        if picture is before and self._withheld.is_empty and not has_more:
            return NO_NEWS
        candidates = self.changed_uids(picture)
        vanished = self._gone(picture, candidates)
        candidates = _without(_without(candidates, vanished), untold)
        if wanted.messages:
            expunged = self._renumber(picture, vanished, may_expunge)
        else:
            self._ghosts = frozenset(vanished.difference(removed))
            vanished = vanished.intersection(removed)
            expunged = self._take_out(picture, vanished)
        self.told = picture
        exists = recent = None
        if wanted.messages:
            exists = len(self.uids) if picture.uidnext != self.uidnext_told else None
            count = self.recent_count
            recent = count if count != self._recent_told else None
            self.uidnext_told, self._recent_told = picture.uidnext, count
        if wanted.flags:
            candidates = self._withheld.and_unheard(candidates)
            changed = self._changed(before, candidates, known, with_modseq)
            self._withheld.tell()
        else:
            # What became of its own STORE is all that the client hears of.
            changed = self._changed(before, known.uids, known, with_modseq)
            self._withheld.withhold(uid for uid in candidates if uid < self.uidnext_told)
        has_messages = self.uidnext_told == picture.uidnext and (
            wanted.messages or not self._ghosts
        )
        self._withheld.note(before.highest_modseq, has_messages=has_messages)
        return News(
            expunged=expunged,
            vanished=tuple(sorted(vanished)) if expunged else (),
            exists=exists,
            recent=recent,
            keyword_names=(
                picture.keyword_names if picture.keyword_names != before.keyword_names else None
            ),
            changed=changed,
        )

    def changed_uids(self, picture: Picture) -> Collection[int]:
        """UIDs that may differ between the picture told last and this one."""
        modseq = self.told.highest_modseq
        candidates = picture.changed_since(modseq)
        if candidates is not None:
            return candidates
        changed = [
            uid for uid, at in zip(picture.uids, picture.modseqs, strict=True) if at > modseq
        ]
        return frozenset(self.told.uids).difference(picture.uids).union(changed)

    def _gone(self, picture: Picture, candidates: Collection[int]) -> set[int]:
        """The UIDs that the client still numbers and the folder no longer has."""
        if picture.uids is self.uids:
            return set()
        if _is_much(len(candidates), self.uids):
            gone = set(candidates).difference(picture.uids).intersection(self.uids)
        else:
            gone = {uid for uid in candidates if picture.position(uid) < 0 and self.number(uid)}
        return gone | self._ghosts

    def _renumber(self, picture: Picture, gone: set[int], may_expunge: bool) -> tuple[int, ...]:
        if may_expunge or not gone:
            numbers = self._numbers(gone)
            self.uids = picture.uids
            self._ghosts = _NO_UIDS
            return numbers
        last = self.uids[-1] if self.uids else 0
        self.uids = self.uids + picture.uids[bisect_right(picture.uids, last) :]
        self._ghosts = frozenset(gone)
        return ()

    def _take_out(self, picture: Picture, gone: set[int]) -> tuple[int, ...]:
        """Leave the numbering as it is but for these."""
        if not gone:
            return ()
        numbers = self._numbers(gone)
        left = array(self.uids.typecode, (uid for uid in self.uids if uid not in gone))
        self.uids = picture.uids if left == picture.uids else left
        return numbers

    def _numbers(self, uids: set[int]) -> tuple[int, ...]:
        """Highest first, so that no EXPUNGE shifts a number that is still to be said."""
        if _is_much(len(uids), self.uids):
            numbers = [number for number, uid in enumerate(self.uids, 1) if uid in uids]
        else:
            numbers = sorted(bisect_left(self.uids, uid) + 1 for uid in uids)
        numbers.reverse()
        return tuple(numbers)

    def _changed(
        self,
        before: Picture,
        candidates: Collection[int],
        known: Known,
        with_modseq: bool,
    ) -> tuple[Changed, ...]:
        if not with_modseq and known.is_so(self.told):
            candidates, known = _without(candidates, known.uids), NOTHING
        known_bits, unheard = known.by_uid(), self._withheld.unheard
        changed = []
        for uid in sorted(candidates):
            at = self.told.position(uid)
            was = before.position(uid)
            if at < 0 or was < 0:
                continue
            bits = self.told.flags[at], self.told.keywords[at]
            modseq = self.told.modseqs[at]
            heard = known_bits.get(uid, (before.flags[was], before.keywords[was]))
            knows_flags = bits == heard and (uid not in unheard or uid in known_bits)
            if knows_flags and not (with_modseq and modseq != before.modseqs[was]):
                continue
            number = self.number(uid)
            assert number is not None
            changed.append(Changed(number, uid, *bits, modseq, self.is_recent(uid), knows_flags))
        return tuple(changed)

    # --- what a command names

    def select(self, numbers: SequenceSet, *, is_uid: bool) -> list[Span] | None:
        """The spans of the client's numbering that a set names, ascending.

        None: it names a number that does not exist, for which the answer is BAD (RFC 3501 §9,
        `seq-number`). A UID that does not exist is passed over (§6.4.8).
        """
        count = len(self.uids)
        if numbers.is_saved:
            return self._spans(self.saved)
        if not is_uid:
            if numbers.highest > count or (numbers.has_star and not count):
                return None
            return [(low - 1, high) for low, high in numbers.resolve(count)]
        if not count:
            return []
        return self._spans(numbers.resolve(self.uids[-1]))

    def _spans(self, ranges: Sequence[Range]) -> list[Span]:
        uids = self.uids
        spans = [(bisect_left(uids, low), bisect_right(uids, high)) for low, high in ranges]
        return [span for span in spans if span[0] < span[1]]

    def save(self, uids: Sequence[int]) -> None:
        """From now on `$` stands for these UIDs, given ascending."""
        runs: list[Range] = []
        last = -2
        for uid in uids:
            place = bisect_left(self.uids, uid)
            # What lies between two neighbours is gone and never comes back.
            if place == last + 1:
                runs[-1] = (runs[-1][0], uid)
            else:
                runs.append((uid, uid))
            last = place
        self.saved = tuple(runs)

    def changed_spans(self, spans: Sequence[Span], modseq: int) -> list[Span]:
        """What is left of `spans` without ghosts and without messages that kept their MODSEQ."""
        modseqs = self.told.modseqs
        found: list[Span] = []
        for start, stop in spans:
            for place in range(start, stop):
                at = place if self.is_current else self.told.position(self.uids[place])
                if at < 0 or modseqs[at] <= modseq:
                    continue
                if found and found[-1][1] == place:
                    found[-1] = (found[-1][0], place + 1)
                else:
                    found.append((place, place + 1))
        return found

    def chunks(self, spans: Sequence[Span], size: int) -> Iterator[Chunk]:
        """The messages of `spans`, at most `size` at a time, without ghosts.

        Each chunk is made when it is asked for, against the picture of that moment, so a command
        may `refresh` between two of them as long as it says no EXPUNGE.
        """
        for places in pieces(spans, size):
            if self.is_current:
                yield Chunk(numbers_of(places), places)
            else:
                yield self._chunk_among_ghosts(places)

    def _chunk_among_ghosts(self, client_places: Sequence[int]) -> Chunk:
        numbers: list[int] = []
        places: list[int] = []
        for place in client_places:
            at = self.told.position(self.uids[place])
            if at >= 0:
                numbers.append(place + 1)
                places.append(at)
        return Chunk(numbers, places, has_ghosts=len(numbers) < len(client_places))


def _without(candidates: Collection[int], untold: Collection[int]) -> Collection[int]:
    # What a client's own STORE of a whole range changed costs nothing, however much it is.
    if not untold or not candidates:
        return candidates
    return () if candidates == untold else frozenset(candidates).difference(untold)


def _is_much(count: int, uids: Sequence[int]) -> bool:
    """Whether looking at each of `uids` is less work than searching them that often."""
    return count * 8 > len(uids)
