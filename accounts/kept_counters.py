"""Keep a committer's counters from one batch to the next, on the embedded database.

They are good for as long as nothing at all was written but by its batches: SQLite's `data_version`
tells of every commit of another connection, in this process or another, and `total_changes` of
whatever was written by way of this one. Both are asked within the write transaction, so that
nobody writes between the question and the batch.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.counters import FolderState, MailboxState
from accounts.statements import fetch, own_database

# What is kept is small, and read again at once: nothing but memory speaks against more.
MOST = 1000

_Mailboxes = dict[int, MailboxState]
_Folders = dict[int, FolderState]


class KeptCounters:
    """Of one thread, and so of one connection. Each batch checks, then maybe prepares and keeps."""

    def __init__(self) -> None:
        self._mailboxes: _Mailboxes = {}
        self._folders: _Folders = {}
        self._version = 0
        # Up to the last batch: the connection, and how many rows were written by way of it.
        self._written: tuple[object, int] | None = None
        self._prepared: tuple[_Mailboxes, _Folders, tuple[object, int]] | None = None

    def check(self) -> None:
        """Drop what may be out of date. First in a transaction, before it writes anything."""
        database = own_database()
        written, self._written, self._prepared = self._written, None, None
        if database.vendor != "sqlite":
            return
        version, self._version = self._version, fetch("PRAGMA data_version", ())[0][0]
        if written != _written(database) or version != self._version:
            self._mailboxes.clear()
            self._folders.clear()

    def mailbox(self, key: int) -> MailboxState | None:
        """A mailbox's counters, fresh for a batch."""
        kept = self._mailboxes.get(key)
        return None if kept is None else kept.again()

    def folder(self, key: int) -> FolderState | None:
        """A folder's counters, fresh for a batch."""
        kept = self._folders.get(key)
        return None if kept is None else kept.again()

    def inboxes(self) -> dict[int, int]:
        """By mailbox, the INBOXes that are known."""
        return {kept.mailbox_id: key for key, kept in self._folders.items() if kept.is_inbox}

    def prepare(self, mailboxes: _Mailboxes, folders: _Folders) -> None:
        """Last in the transaction: what its counters are once it is committed."""
        database = own_database()
        if database.vendor == "sqlite":
            self._prepared = mailboxes, folders, _written(database)

    def keep(self) -> None:
        """The transaction that was prepared is committed."""
        if self._prepared is None:
            return
        mailboxes, folders, self._written = self._prepared
        if len(self._mailboxes) + len(self._folders) > MOST:
            self._mailboxes.clear()
            self._folders.clear()
        self._mailboxes.update(mailboxes)
        self._folders.update(folders)


def _written(database: BaseDatabaseWrapper) -> tuple[object, int]:
    return database.connection, database.connection.total_changes
