"""Flags and keywords of entries: what they are, and STORE.

A keyword is a name the folder gives a bit to, for good; a folder knows at most 63 of them.
Only entries that really change get a new MODSEQ (RFC 7162 §3.1.3).
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import reduce
from itertools import chain
from operator import or_

from accounts import commit, flag_deeds
from accounts.counters import FolderState
from accounts.mailstore.deeds import Bits, Flagged
from accounts.mailstore.flag_rows import FlagRows
from accounts.mailstore.locked import locked_with_rights, mailbox_of
from accounts.mailstore.refusals import NotPermitted, TooManyKeywords
from accounts.mailstore.rights import Right
from accounts.mailstore.uids import chunked
from accounts.models import Change
from accounts.rows import Rows
from accounts.uid_sets import as_range
from protocols.wire.imap.flags import Flag as Flag

MAX_KEYWORDS = 63
# Octets: each SELECT tells all that a folder knows.
MAX_KEYWORD = 255
# Seconds.
LONGEST_START = 1.0


ALL_FLAGS = int(sum(Flag))


def flags_within(rights: Right) -> int:
    """The system flags that somebody with these rights may change (RFC 4314 §4)."""
    others = ALL_FLAGS & ~Flag.SEEN & ~Flag.DELETED
    return (
        (Flag.SEEN if Right.SEEN in rights else 0)
        | (Flag.DELETED if Right.MARK_DELETED in rights else 0)
        | (others if Right.WRITE in rights else 0)
    )


class StoreMode(Enum):
    """FLAGS, +FLAGS and -FLAGS (RFC 9051 §6.4.6)."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Stored:
    """`modseq` of the last change; UIDs `changed`; UIDs that `failed` UNCHANGEDSINCE.

    `keywords` are the bits that the folder gives to the keywords named.
    """

    modseq: int
    changed: Sequence[int]
    failed: Sequence[int]
    keywords: int = 0


def keyword_bits(folder: FolderState, names: Iterable[str], *, create: bool = True) -> int:
    """The bits of keywords in a folder, giving bits to unknown names. TooManyKeywords."""
    bits = 0
    known = {name.casefold(): place for place, name in enumerate(folder.keywords)}
    for name in names:
        place = known.get(name.casefold())
        if place is None:
            if not create:
                continue
            place = len(folder.keywords)
            if place >= MAX_KEYWORDS:
                raise TooManyKeywords(f"A folder knows at most {MAX_KEYWORDS} keywords.")
            if len(name) > MAX_KEYWORD:
                raise TooManyKeywords(f"A keyword has at most {MAX_KEYWORD} octets.")
            folder.keywords = (*folder.keywords, name)
            known[name.casefold()] = place
        bits |= 1 << place
    return bits


def begin_store(
    folder_id: int,
    uids: Sequence[int],
    mode: StoreMode,
    flags: int,
    keywords: Sequence[str] = (),
    *,
    actor: int,
    unchanged_since: int | None = None,
) -> "Storing":
    """Set, add or remove flags and keywords; UIDs that are not there are passed over.

    Flags that mailbox `actor` may not change stay as they are. Large sets are done in chunks, each
    a commit of its own. NoSuchFolder.
    """
    mailbox_id = mailbox_of(folder_id)
    doing = _Store(actor, folder_id, uids, mode, int(flags), keywords, unchanged_since)
    units = (doing.unit(mailbox_id, as_range(chunk)) for chunk in chunked(uids, commit.MAX_ROWS))
    return Storing(commit.run_each(units), doing.at_work)


def submit_store(
    mailbox_id: int,
    folder_id: int,
    uids: Sequence[int],
    mode: StoreMode,
    flags: int,
    keywords: Sequence[str] = (),
    *,
    actor: int,
) -> "Future[Stored]":
    """The same of a few messages of a mailbox's folder, which nobody waits for: it never asks the
    database in the caller's thread.
    """
    doing = _Store(actor, folder_id, uids, mode, int(flags), keywords, None)
    return commit.submit(doing.unit(mailbox_id, uids))


@dataclass(frozen=True, slots=True)
class Storing:
    """A STORE under way."""

    chunks: Iterator[Stored]
    at_work: threading.Event

    def leaves_time(self) -> None:
        """Wait until the database works on it, for which the interpreter is not needed.

        What the caller computes earlier only makes the committer wait.
        """
        # A commit that never comes to it says why in its result.
        self.at_work.wait(LONGEST_START)

    def result(self) -> Stored:
        """What came of it. NoSuchFolder, NotPermitted (none may be changed), TooManyKeywords."""
        done = list(self.chunks)
        modseq = max((each.modseq for each in done), default=0)
        bits = reduce(or_, (each.keywords for each in done), 0)
        changed = _joined([each.changed for each in done])
        failed = _joined([each.failed for each in done])
        return Stored(modseq, changed, failed, bits)


def _joined(parts: Sequence[Sequence[int]]) -> Sequence[int]:
    # Mostly there is one, and ten thousand UIDs are a range.
    is_range = len(parts) == 1 and isinstance(parts[0], range)
    return parts[0] if is_range else list(chain.from_iterable(parts))


def store_flags(
    folder_id: int,
    uids: Sequence[int],
    mode: StoreMode,
    flags: int,
    keywords: Sequence[str] = (),
    *,
    actor: int,
    unchanged_since: int | None = None,
) -> Stored:
    """Begin a STORE and wait for it: the arguments of the one, the errors of both."""
    storing = begin_store(
        folder_id, uids, mode, flags, keywords, actor=actor, unchanged_since=unchanged_since
    )
    return storing.result()


def bits_of(mode: StoreMode, named: int, changeable: int) -> Bits:
    """What a STORE of `named` bits does where only some may be changed."""
    # Not as a Flag, whose arithmetic is slow.
    named, changeable = int(named & changeable), int(changeable)
    match mode:
        case StoreMode.SET:
            return Bits(~changeable, named)
        case StoreMode.ADD:
            return Bits(-1, named)
        case StoreMode.REMOVE:
            return Bits(~named, 0)


@dataclass(frozen=True, slots=True)
class _Store:
    """A STORE, or one chunk of it: it touches only the entries that differ."""

    actor: int
    folder_id: int
    uids: Sequence[int]
    mode: StoreMode
    flags: int
    keywords: Sequence[str]
    unchanged_since: int | None
    at_work: threading.Event = field(default_factory=threading.Event)

    def unit(self, mailbox_id: int, uids: Sequence[int]) -> commit.Unit[Stored]:
        """The Unit that does it to some of the UIDs."""
        own, folders = frozenset((mailbox_id,)), frozenset((self.folder_id,))
        return commit.Unit(own, replace(self, uids=uids), folder_ids=folders, rows=len(uids))

    def __call__(self, rows: Rows, blob_id: int | None) -> Stored:
        # At the latest then: of a large STORE that leaves its work the COMMIT alone takes long.
        rows.before_commit(self.at_work.set)
        try:
            return self._stored(rows)
        except BaseException:
            # Nobody waits for work that does not come.
            self.at_work.set()
            raise

    def _stored(self, rows: Rows) -> Stored:
        folder, held = locked_with_rights(
            rows, self.folder_id, self.actor, Right.READ, is_settled=False
        )
        rows.direct()
        known = folder.keywords
        may_write = Right.WRITE in held
        bits = 0
        if may_write:
            bits = keyword_bits(folder, self.keywords, create=self.mode is not StoreMode.REMOVE)
        changeable = flags_within(held)
        self._require_some(changeable, may_write=may_write)
        flags = bits_of(self.mode, self.flags, changeable)
        keywords = bits_of(self.mode, bits, -1 if may_write else 0)
        chosen = FlagRows(folder, self.uids, flags, keywords, self.unchanged_since)
        expected = chosen.expected()
        if expected is not None and not expected.uids:
            return Stored(folder.highest_modseq, (), (), bits)
        modseq = rows.modseq(folder.mailbox_id)
        failed: Sequence[int] = ()
        if expected is not None and flag_deeds.may_be_left(expected.uids):
            chosen.leave(modseq, expected)
            changed, unseen = expected.uids, expected.unseen
        else:
            rows.settle(folder)
            failed = chosen.late()
            unseen = 0 if chosen.is_seen_alone else chosen.unseen()
            count, changed = chosen.update(modseq, expected, failed, begin=self.at_work.set)
            if not changed:
                # What no message has the folder need not know: their number is limited.
                folder.keywords = known
                return Stored(folder.highest_modseq, (), failed, bits & ((1 << len(known)) - 1))
            if chosen.is_seen_alone:
                unseen = -count if flags.added else count
        rows.changed(folder, Change.Kind.FLAGS, changed, Flagged(changed, flags, keywords))
        folder.unseen_count += unseen
        return Stored(modseq, changed, failed, bits)

    def _require_some(self, changeable: int, *, may_write: bool) -> None:
        """NotPermitted where nothing of what was asked may be changed (RFC 4314 §4, STORE)."""
        if self.mode is StoreMode.SET:
            is_allowed = bool(changeable)
        else:
            is_allowed = bool(self.flags & changeable) or (may_write and bool(self.keywords))
            is_allowed |= not (self.flags or self.keywords)
        if not is_allowed:
            raise NotPermitted("You have no right to change these flags.")
