"""The exclusive lock of a POP3 session on its maildrop (RFC 1939 §4), across all processes.

On the embedded database every process runs on one machine: the kernel holds the lock, a byte of one
file for each mailbox, and lets it go when the process dies. Nothing is written, so a session costs
no commit. On PostgreSQL the lock is a row with a token: it holds across machines, ends by itself
when its holder died, and a holder whose lock was taken over meanwhile finds out.
"""

import fcntl
import os
import threading
import uuid
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import MaildropLock

# How long a row outlives its holder's last sign of life, and how often that sign is written.
LIFETIME = timedelta(minutes=10)
RENEWED_EVERY = timedelta(minutes=1)


class InUse(Exception):
    """Another session holds the maildrop."""


class KernelLock:
    """A maildrop's byte of the lock file."""

    is_renewal_due = False
    is_freed_at_once = True

    def __init__(self, mailbox_id: int) -> None:
        """Take the lock; raises InUse."""
        self._mailbox_id = mailbox_id
        self._bytes = _held_bytes()
        self._bytes.take(mailbox_id)
        self._is_held = True

    def renew(self) -> None:
        """The lock is ours until we let it go."""

    def close(self) -> None:
        if self._is_held:
            self._is_held = False
            self._bytes.release(self._mailbox_id)


class RowLock:
    """A row that names its holder."""

    is_freed_at_once = False

    def __init__(self, mailbox_id: int) -> None:
        """Take the lock; raises InUse."""
        self._mailbox_id = mailbox_id
        self._token = uuid.uuid4()
        if not self._take():
            raise InUse

    @property
    def is_renewal_due(self) -> bool:
        return timezone.now() >= self._renew_at

    def renew(self) -> None:
        """Hold the lock for another lifetime; raises InUse when it has gone to another session."""
        now = timezone.now()
        if not self._held().update(expires_at=now + LIFETIME):
            raise InUse
        self._renew_at = now + RENEWED_EVERY

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


def lock(mailbox_id: int) -> KernelLock | RowLock:
    """Lock a maildrop; raises InUse."""
    return KernelLock(mailbox_id) if connection.vendor == "sqlite" else RowLock(mailbox_id)


class _HeldBytes:
    """This process's locks in one file. The kernel keeps other processes out, `_held` our own.

    The file stays open: closing any descriptor of it would let every lock of the process go.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._held: set[int] = set()
        self._guard = threading.Lock()

    def take(self, mailbox_id: int) -> None:
        with self._guard:
            if mailbox_id in self._held:
                raise InUse
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, mailbox_id)
            except (BlockingIOError, PermissionError):
                raise InUse from None
            self._held.add(mailbox_id)

    def release(self, mailbox_id: int) -> None:
        with self._guard:
            self._held.discard(mailbox_id)
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, mailbox_id)

    def is_held(self, mailbox_id: int) -> bool:
        with self._guard:
            return mailbox_id in self._held


_by_home: dict[Path, _HeldBytes] = {}
_opening = threading.Lock()


def _held_bytes() -> _HeldBytes:
    # By the home as it is configured: to make a path anew costs more than the lock itself.
    home: Path = settings.MAILHOST.home
    found = _by_home.get(home)
    if found is None:
        with _opening:
            found = _by_home.get(home)
            if found is None:
                path = home.absolute() / "run" / "maildrops.lock"
                found = _by_home[home] = _HeldBytes(path)
    return found


def is_locked(mailbox_id: int) -> bool:
    """Whether a session of this process (on PostgreSQL: of any) holds the maildrop."""
    if connection.vendor == "sqlite":
        return _held_bytes().is_held(mailbox_id)
    now = timezone.now()
    return MaildropLock.objects.filter(mailbox_id=mailbox_id, expires_at__gt=now).exists()
