"""Flags and keywords of entries: what they are, and STORE.

A keyword is a name the folder gives a bit to, for good; a folder knows at most 63 of them.
Only entries that really change get a new MODSEQ (RFC 7162 §3.1.3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, IntFlag

from django.db.models import F

from accounts import commit
from accounts.mailstore.locked import locked_folder, mailbox_of
from accounts.mailstore.refusals import TooManyKeywords
from accounts.mailstore.uids import chunked, in_uids
from accounts.models import Blob, Change, Entry
from accounts.rows import FolderState, Rows

MAX_KEYWORDS = 63


class Flag(IntFlag):
    """The system flags as bits of `Entry.flags`. \\Recent is no flag of an entry."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


class StoreMode(Enum):
    """FLAGS, +FLAGS and -FLAGS (RFC 9051 §6.4.6)."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Stored:
    """`modseq` of the last change; UIDs `changed`; UIDs that `failed` UNCHANGEDSINCE."""

    modseq: int
    changed: tuple[int, ...]
    failed: tuple[int, ...]


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
                raise TooManyKeywords(f"a folder knows at most {MAX_KEYWORDS} keywords")
            folder.keywords = (*folder.keywords, name)
            known[name.casefold()] = place
        bits |= 1 << place
    return bits


def store_flags(
    folder_id: int,
    uids: Sequence[int],
    mode: StoreMode,
    flags: int,
    keywords: Sequence[str] = (),
    *,
    unchanged_since: int | None = None,
) -> Stored:
    """Set, add or remove flags and keywords; UIDs that are not there are passed over.

    Large sets are done in chunks, each a commit of its own. NoSuchFolder, TooManyKeywords.
    """
    mailboxes = frozenset((mailbox_of(folder_id),))
    modseq = 0
    changed: list[int] = []
    failed: list[int] = []
    for chunk in chunked(uids):
        work = _Store(folder_id, chunk, mode, int(flags), keywords, unchanged_since)
        stored = commit.run(commit.Unit(mailboxes, work, folder_ids=frozenset((folder_id,))))
        modseq = max(modseq, stored.modseq)
        changed += stored.changed
        failed += stored.failed
    return Stored(modseq, tuple(changed), tuple(failed))


@dataclass(frozen=True, slots=True)
class _Store:
    """One chunk of a STORE: read what is there, then change all that differ by one UPDATE."""

    folder_id: int
    uids: Sequence[int]
    mode: StoreMode
    flags: int
    keywords: Sequence[str]
    unchanged_since: int | None

    def __call__(self, rows: Rows, blob: Blob | None) -> Stored:
        folder = locked_folder(rows, self.folder_id)
        rows.direct()
        keywords = keyword_bits(folder, self.keywords, create=self.mode is not StoreMode.REMOVE)
        changed: list[int] = []
        failed: list[int] = []
        for uid, flags_now, keywords_now, modseq in (
            Entry.objects.filter(in_uids(self.uids), folder_id=self.folder_id)
            .order_by("uid")
            .values_list("uid", "flags", "keywords", "modseq")
        ):
            if self.unchanged_since is not None and modseq > self.unchanged_since:
                failed.append(uid)
                continue
            flags = self._applied(flags_now, self.flags)
            if flags == flags_now and self._applied(keywords_now, keywords) == keywords_now:
                continue
            changed.append(uid)
            folder.unseen_count += (flags_now & Flag.SEEN) - (flags & Flag.SEEN)
        if not changed:
            return Stored(folder.highest_modseq, (), tuple(failed))
        modseq = rows.changed(folder, Change.Kind.FLAGS)
        entries = Entry.objects.filter(in_uids(changed), folder_id=self.folder_id)
        match self.mode:
            case StoreMode.SET:
                entries.update(flags=self.flags, keywords=keywords, modseq=modseq)
            case StoreMode.ADD:
                entries.update(
                    flags=F("flags").bitor(self.flags),
                    keywords=F("keywords").bitor(keywords),
                    modseq=modseq,
                )
            case StoreMode.REMOVE:
                entries.update(
                    flags=F("flags").bitand(~self.flags),
                    keywords=F("keywords").bitand(~keywords),
                    modseq=modseq,
                )
        return Stored(modseq, tuple(changed), tuple(failed))

    def _applied(self, now: int, wanted: int) -> int:
        match self.mode:
            case StoreMode.SET:
                return wanted
            case StoreMode.ADD:
                return now | wanted
            case StoreMode.REMOVE:
                return now & ~wanted
