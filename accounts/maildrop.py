"""What a POP3 session holds: INBOX as it was at login, and an exclusive lock on it (RFC 1939 §4).

Numbers are places in the maildrop from 1 on and stay fixed, whatever IMAP does to the folder: what
another program removed keeps its number, and is gone. The mailbox says which messages POP3 sees,
and what becomes of those it deletes.
"""

from array import array
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import NamedTuple, TypeAlias

from django.db import connection
from django.db.models import Min

from accounts import maildrop_lock, stamps
from accounts.counters import INBOX
from accounts.maildrop_lock import InUse, Lock
from accounts.mailstore import copy, expunge, fetch, folders, index
from accounts.mailstore.columns import read_columns
from accounts.mailstore.fetch import Columns, FetchRow
from accounts.mailstore.flags import Flag, StoreMode, store_flags
from accounts.mailstore.picture import Picture
from accounts.mailstore.refusals import FolderExists, NoSuchFolder, TooManyKeywords
from accounts.mailstore.whole import read_whole
from accounts.models import Entry, Folder, Mailbox, PopDeletion
from accounts.rows import FolderGone

__all__ = ["InUse", "Maildrop", "MessageGone"]

# Clients read one message after the other: what follows is read with it, up to so much.
AHEAD_MESSAGES = 128
AHEAD_OCTETS = 512 * 1024


# The keyword of what a POP3 program has deleted where that leaves it in the folder.
TAKEN = "$POP3Deleted"
# By hand and at once: INBOX as it stands, and what the mailbox chose for POP3.
_OPENED = (
    f"SELECT f.id, m.pop_deletion, m.pop_since IS NOT NULL, {index.COUNTERS}"  # noqa: S608
    f" FROM {Folder._meta.db_table} f JOIN {Mailbox._meta.db_table} m ON m.id = f.mailbox_id"
    " WHERE f.mailbox_id = %s AND f.name = %s"
)
# UIDs, sizes, and the sum of these.
Shown: TypeAlias = "tuple[array[int], array[int], int]"
# Above every UID.
NONE = 1 << 32


class MessageGone(Exception):
    """The message was removed by another program since the login."""


class Maildrop:
    """A mailbox's INBOX, locked. `uids` and `sizes` (octets) are in the order of the numbers.

    `octets` is the sum of `sizes`.
    """

    def __init__(self, mailbox_id: int) -> None:
        """Take the lock, then look; raises InUse."""
        lock = maildrop_lock.lock(mailbox_id)
        try:
            self._open(mailbox_id, lock, _look(mailbox_id))
        except BaseException:
            lock.close()
            raise

    @classmethod
    def at_hand(cls, mailbox_id: int) -> "Maildrop | None":
        """The same where that needs neither the database nor the disk; None: not just now."""
        if (folder_id := _inboxes.get(mailbox_id)) is None:
            return None
        if (lock := maildrop_lock.lock_at_hand(mailbox_id)) is None:
            return None
        if (inbox := _known_inbox(mailbox_id, folder_id)) is None:
            lock.close()
            return None
        made = cls.__new__(cls)
        made._open(mailbox_id, lock, inbox)
        return made

    def _open(self, mailbox_id: int, lock: Lock, inbox: "_Inbox") -> None:
        self._mailbox_id = mailbox_id
        self._lock = lock
        self._folder_id = inbox.folder_id
        self._deletion = inbox.deletion
        self.uidvalidity = inbox.uidvalidity
        self.uids, self.sizes, self.octets = inbox.shown
        self._ahead: dict[int, bytes] = {}
        # The folder as `look_at_hand` has just found it.
        self._seen: Picture | None = None

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def is_renewed_at_once(self) -> bool:
        """True when `renew` needs neither the database nor the disk just now."""
        return self._lock.is_renewed_at_once

    @property
    def is_freed_at_once(self) -> bool:
        """True when `close` needs neither the database nor the disk."""
        return self._lock.is_freed_at_once

    def renew(self) -> None:
        """Keep the lock from ending; raises InUse when it has gone to another session."""
        self._lock.renew()

    def look_at_hand(self) -> bool:
        """Whether the next `is_left` needs neither the database nor the disk."""
        self._seen = index.current(self._folder_id)
        return self._seen is not None

    def is_left(self, number: int) -> bool:
        """Whether the message is still in the folder; asks the database unless that is known."""
        picture, self._seen = self._seen, None
        try:
            if picture is None:
                picture = index.picture(self._folder_id)
        except FolderGone:
            return False
        is_same = picture.uidvalidity == self.uidvalidity
        return is_same and picture.position(self.uids[number - 1]) >= 0

    def has_ready(self, number: int) -> bool:
        """True when `read_whole` needs neither the database nor the disk."""
        return number in self._ahead

    def read_whole(self, number: int) -> bytes:
        """A message's octets as they are stored, and those after it ahead; raises MessageGone."""
        if number not in self._ahead:
            self._read_ahead(number)
        return self._ahead.pop(number)

    def open_message(self, number: int) -> FetchRow:
        """What `read_piece` reads from; raises MessageGone."""
        uid = self.uids[number - 1]
        rows = fetch.fetch(self._folder_id, [uid], columns=Columns.OCTETS)
        if not rows:
            raise MessageGone
        return rows[0]

    def read_piece(self, row: FetchRow, start: int, length: int) -> bytes:
        # To read one message may take a slow client longer than a lock lives without a command.
        # The next command tells who lost it all the same.
        with suppress(InUse):
            self.renew()
        return fetch.octets(row, start, length)

    def remove(self, numbers: Collection[int]) -> int:
        """Do to messages what the mailbox wants done to those deleted over POP3; how many it was.

        What another program removed meanwhile is passed over and does not count.
        Raises InUse, having done nothing, when the lock is lost.
        """
        self._lock.secure()
        uids = sorted(self.uids[number - 1] for number in numbers)
        actor = self._mailbox_id
        match self._deletion:
            case PopDeletion.READ:
                return self._take(uids)
            case PopDeletion.TRASH:
                moved = copy.move_uids(self._folder_id, uids, _trash(actor), actor=actor)
                return len(moved.sources)
        return len(
            expunge.expunge_uids(self._folder_id, uids, actor=actor, only_deleted=False).uids
        )

    def _take(self, uids: list[int]) -> int:
        """Mark messages as read, and as taken by POP3; how many were not so yet."""
        for keywords in ([TAKEN], []):
            try:
                stored = store_flags(
                    self._folder_id,
                    uids,
                    StoreMode.ADD,
                    Flag.SEEN,
                    keywords,
                    actor=self._mailbox_id,
                )
            except TooManyKeywords:
                # They will be shown again: better than an error for ever, and nothing is lost.
                continue
            return len(stored.changed)
        return 0

    def close(self) -> None:
        """Give the lock up, if it is still held."""
        self._lock.close()

    def _read_ahead(self, number: int) -> None:
        self._ahead.clear()
        numbers = [number]
        size = self.sizes[number - 1]
        for after in range(number + 1, min(number + AHEAD_MESSAGES, len(self) + 1)):
            size += self.sizes[after - 1]
            if size > AHEAD_OCTETS:
                break
            numbers.append(after)
        # Their UIDs ascend as the numbers do.
        found = read_whole(self._folder_id, [self.uids[each - 1] for each in numbers])
        for each in numbers:
            if (octets := found.get(self.uids[each - 1])) is not None:
                self._ahead[each] = octets
        if number not in self._ahead:
            raise MessageGone


class _Inbox(NamedTuple):
    """INBOX as POP3 sees it, and the fate of what is deleted; true while its stamp is current."""

    folder_id: int
    uidvalidity: int
    deletion: str
    shown: Shown
    stamp: int | None


# Which folder a mailbox's INBOX was; whether it still is, a stamp says.
_inboxes: dict[int, int] = {}
CAPACITY = 20_000


def _known_inbox(mailbox_id: int, folder_id: int) -> _Inbox | None:
    """What `_look` would find, where that is known without asking the database."""
    picture = index.current(folder_id)
    known: _Inbox | None = None if picture is None else picture.memo.get("maildrop")
    # The stamp of the picture is none of what the mailbox chose for POP3.
    if known is None or known.stamp is None or not stamps.is_current(mailbox_id, known.stamp):
        return None
    return known


def _look(mailbox_id: int) -> _Inbox:
    stamp = stamps.take(mailbox_id)
    picture, deletion, has_since = _opened(mailbox_id, stamp)
    shown = _sizes(picture)
    taken = _taken(picture) if deletion == PopDeletion.READ else set()
    if taken or has_since:
        shown = _without(shown, taken, _first_since(picture) if has_since else 0)
    inbox = _Inbox(picture.folder_id, picture.uidvalidity, deletion, shown, stamp)
    if stamp is not None:
        picture.memo["maildrop"] = inbox
        if len(_inboxes) >= CAPACITY:
            _inboxes.clear()
        _inboxes[mailbox_id] = picture.folder_id
    return inbox


def _opened(mailbox_id: int, stamp: int | None) -> tuple[Picture, str, bool]:
    """INBOX, the fate of what is deleted, and whether mail is seen from some day on only."""
    with connection.cursor() as cursor:
        cursor.execute(_OPENED, (mailbox_id, INBOX))
        row = cursor.fetchone()
    if row is None:
        raise NoSuchFolder("The mailbox is gone.")
    folder_id, deletion, has_since, *counters = row
    picture = index.picture(folder_id, index.counters_in(counters), stamp)
    return picture, deletion, bool(has_since)


def _sizes(picture: Picture) -> Shown:
    """All messages: the same arrays for all who see this picture."""

    def read() -> Shown:
        found = read_columns(picture.folder_id, picture.uids, columns=Columns.SIZE)
        sizes = array("Q", found["size"])
        return array("I", found["uid"]), sizes, sum(sizes)

    return picture.remembered("sizes", read)


def _without(shown: Shown, taken: Collection[int], first: int) -> Shown:
    """Leave out the UIDs that were taken, and those before `first`."""
    left = [
        (uid, size)
        for uid, size in zip(*shown[:2], strict=True)
        if uid >= first and uid not in taken
    ]
    # New arrays: those of the folder are everybody's.
    sizes = array("Q", (size for _, size in left))
    return array("I", (uid for uid, _ in left)), sizes, sum(sizes)


def _taken(picture: Picture) -> set[int]:
    """The UIDs that POP3 has taken before."""
    if TAKEN not in picture.keyword_names:
        return set()
    bit = 1 << picture.keyword_names.index(TAKEN)
    pairs = zip(picture.uids, picture.keywords, strict=True)
    return {uid for uid, keywords in pairs if keywords & bit}


def _first_since(picture: Picture) -> int:
    """The first UID that came on the day (UTC) from which on the mailbox shows mail, or later."""
    since = Mailbox.objects.values_list("pop_since", flat=True).get(pk=picture.mailbox_id)
    if since is None:
        return 0
    begun = int(datetime.combine(since, time.min, UTC).timestamp())
    came = Entry.objects.filter(folder_id=picture.folder_id, saved_at__gte=begun)
    first: int | None = came.aggregate(first=Min("uid"))["first"]
    return first or NONE


def _trash(mailbox_id: int) -> int:
    """The folder for what is deleted, made where there is none."""
    there = folders.list_folders(mailbox_id)
    for folder in there:
        if folder.special_use == "\\Trash" and folder.is_selectable:
            return folder.id
    try:
        # What comes into it was perhaps shared with nobody.
        return folders.create_folder(mailbox_id, "Trash", is_private=True).id
    except FolderExists:
        return folders.find_folder(mailbox_id, "Trash").id
