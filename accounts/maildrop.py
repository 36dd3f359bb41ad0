"""What a POP3 session holds: INBOX as it was at login, and an exclusive lock on it (RFC 1939 §4).

The lock is a row with a token: it holds across processes, ends by itself when its holder died, and
a holder whose lock was taken over meanwhile finds out before it removes anything. Numbers are
places in the maildrop from 1 on and stay fixed, whatever IMAP does to the folder.
"""

import uuid
from array import array
from collections.abc import Collection
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from accounts.mailstore import expunge, fetch, folders, index
from accounts.mailstore.fetch import Columns, FetchRow
from accounts.models import MaildropLock

# How long a lock outlives its holder's last sign of life, and how often that sign is written.
LIFETIME = timedelta(minutes=10)
RENEWED_EVERY = timedelta(minutes=1)
# Clients read one message after the other: what follows is read with it, up to so much.
AHEAD_MESSAGES = 50
AHEAD_OCTETS = 256 * 1024


class InUse(Exception):
    """Another session holds the maildrop."""


class MessageGone(Exception):
    """The message was removed by another program since the login."""


class Maildrop:
    """A mailbox's INBOX, locked. `uids` and `sizes` (octets) are in the order of the numbers."""

    def __init__(self, mailbox_id: int) -> None:
        """Take the lock, then look; raises InUse."""
        self._mailbox_id = mailbox_id
        self._token = uuid.uuid4()
        if not self._take():
            raise InUse
        try:
            picture = index.picture(folders.find_folder(mailbox_id, "INBOX").id)
            rows = fetch.fetch(picture.folder_id, picture.uids, columns=Columns.SIZE)
        except BaseException:
            self.close()
            raise
        self._folder_id = picture.folder_id
        self.uidvalidity = picture.uidvalidity
        self.uids = array("I", (row.uid for row in rows))
        self.sizes = array("Q", (row.size or 0 for row in rows))
        self._ahead: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def is_renewal_due(self) -> bool:
        return timezone.now() >= self._renew_at

    def renew(self) -> None:
        """Hold the lock for another lifetime; raises InUse when it has gone to another session."""
        now = timezone.now()
        if not self._held().update(expires_at=now + LIFETIME):
            raise InUse
        self._renew_at = now + RENEWED_EVERY

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
        return fetch.octets(row, start, length)

    def remove(self, numbers: Collection[int]) -> None:
        """Remove messages for good; raises InUse, having removed nothing, when the lock is lost."""
        self.renew()
        uids = sorted(self.uids[number - 1] for number in numbers)
        expunge.expunge_uids(self._folder_id, uids, only_deleted=False)

    def close(self) -> None:
        """Give the lock up, if it is still held."""
        self._held().delete()

    def _take(self) -> bool:
        now = timezone.now()
        expires_at = now + LIFETIME
        self._renew_at = now + RENEWED_EVERY
        ended = MaildropLock.objects.filter(mailbox_id=self._mailbox_id, expires_at__lte=now)
        if ended.update(token=self._token, expires_at=expires_at):
            return True
        row = MaildropLock(mailbox_id=self._mailbox_id, token=self._token, expires_at=expires_at)
        MaildropLock.objects.bulk_create([row], ignore_conflicts=True)
        return self._held().exists()

    def _held(self) -> QuerySet[MaildropLock]:
        return MaildropLock.objects.filter(mailbox_id=self._mailbox_id, token=self._token)

    def _read_ahead(self, number: int) -> None:
        self._ahead.clear()
        numbers = [number]
        size = self.sizes[number - 1]
        for after in range(number + 1, min(number + AHEAD_MESSAGES, len(self) + 1)):
            size += self.sizes[after - 1]
            if size > AHEAD_OCTETS:
                break
            numbers.append(after)
        by_uid = {self.uids[each - 1]: each for each in numbers}
        rows = fetch.fetch(self._folder_id, list(by_uid), columns=Columns.OCTETS)
        for row, octets in zip(rows, fetch.octets_many(rows), strict=True):
            self._ahead[by_uid[row.uid]] = octets
        if number not in self._ahead:
            raise MessageGone
