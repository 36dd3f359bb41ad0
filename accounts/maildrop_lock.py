"""The exclusive lock of a POP3 session on its maildrop (RFC 1939 §4), across all processes.

It ends by itself ten minutes after its holder's last sign of life, and a holder whose lock was
taken over meanwhile finds out. On PostgreSQL it is a row with a token: it holds across machines.
On the embedded database all processes run on one machine, and it is a row of a file that they map:
no session costs a commit, and a process that dies frees its locks at once.
"""

import threading
import time
import uuid
from datetime import timedelta
from typing import Protocol

from django.conf import settings
from django.db import Error, connection
from django.db.models import QuerySet

from accounts import clock, maildrop_table
from accounts.commit import DATABASE_AWAY
from accounts.maildrop_table import LIFETIME, InUse
from accounts.models import MaildropLock

__all__ = ["InUse", "Lock", "RowLock", "is_locked", "lock"]

# How often a row is written anew: a command within the minute after the last one writes nothing.
RENEWED_EVERY = timedelta(minutes=1)
# Seconds between tries to free what could not be freed while the database was away.
FREED_EVERY = 0.5


def _renew_at() -> int:
    return maildrop_table.now() + int(RENEWED_EVERY.total_seconds() * 1e9)


class Lock(Protocol):
    """A lock that was taken."""

    @property
    def is_renewed_at_once(self) -> bool:
        """True when `renew` needs neither the database nor the disk just now."""
        ...

    @property
    def is_freed_at_once(self) -> bool:
        """True when `close` needs neither the database nor the disk."""
        ...

    def renew(self) -> None:
        """Say that the holder lives; raises InUse when the lock is known to be another's."""
        ...

    def secure(self) -> None:
        """Hold the lock for a lifetime from now on, whoever asks for it; raises InUse."""
        ...

    def close(self) -> None:
        """Give the lock up, if it is still held."""
        ...


class RowLock:
    """A row that names its holder."""

    is_freed_at_once = False

    def __init__(self, mailbox_id: int) -> None:
        """Take the lock; raises InUse."""
        self._mailbox_id = mailbox_id
        self._token = uuid.uuid4()
        try:
            is_ours = self._take()
        except DATABASE_AWAY:
            # The row may be there all the same.
            _left.free(self._token)
            raise
        if not is_ours:
            raise InUse

    @property
    def is_renewed_at_once(self) -> bool:
        return maildrop_table.now() < self._renew_at

    def renew(self) -> None:
        if not self.is_renewed_at_once:
            self.secure()

    def secure(self) -> None:
        renew_at = _renew_at()
        if not self._held().update(expires_at=clock.now() + LIFETIME):
            raise InUse
        self._renew_at = renew_at

    def close(self) -> None:
        try:
            self._held().delete()
        except DATABASE_AWAY:
            # Else nobody enters for the rest of a lifetime, long after the database is back.
            _left.free(self._token)

    def _take(self) -> bool:
        self._renew_at = _renew_at()
        now = clock.now()
        expires_at = now + LIFETIME
        ended = MaildropLock.objects.filter(mailbox_id=self._mailbox_id, expires_at__lte=now)
        if ended.update(token=self._token, expires_at=expires_at):
            return True
        row = MaildropLock(mailbox_id=self._mailbox_id, token=self._token, expires_at=expires_at)
        MaildropLock.objects.bulk_create([row], ignore_conflicts=True)
        return self._held().exists()

    def _held(self) -> QuerySet[MaildropLock]:
        return MaildropLock.objects.filter(mailbox_id=self._mailbox_id, token=self._token)


class _Left:
    """Rows that are held for nobody; a thread frees them as soon as the database is back."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._tokens: set[uuid.UUID] = set()

    def free(self, token: uuid.UUID) -> None:
        with self._guard:
            self._tokens.add(token)
            if len(self._tokens) == 1:
                threading.Thread(target=self._run, name="maildrops to free", daemon=True).start()

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            time.sleep(FREED_EVERY)
            goes_on = not self._is_done()
            connection.close()

    def _is_done(self) -> bool:
        with self._guard:
            tokens = list(self._tokens)
        try:
            MaildropLock.objects.filter(token__in=tokens).delete()
        except Error:
            return False
        with self._guard:
            self._tokens.difference_update(tokens)
            return not self._tokens


_left = _Left()


def lock(mailbox_id: int) -> Lock:
    """Lock a maildrop; raises InUse."""
    if connection.vendor == "sqlite":
        return maildrop_table.of(settings.MAILHOST.home).take(mailbox_id)
    return RowLock(mailbox_id)


def lock_at_hand(mailbox_id: int) -> Lock | None:
    """`lock`, where that needs neither the database nor the disk; None where nobody knows yet."""
    table = maildrop_table.open_already(settings.MAILHOST.home)
    return None if table is None else table.take_at_hand(mailbox_id)


def is_locked(mailbox_id: int) -> bool:
    """Whether a session of any process holds the maildrop."""
    if connection.vendor == "sqlite":
        return maildrop_table.of(settings.MAILHOST.home).is_held(mailbox_id)
    rows = MaildropLock.objects.filter(mailbox_id=mailbox_id, expires_at__gt=clock.now())
    return rows.exists()
