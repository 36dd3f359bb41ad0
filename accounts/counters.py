"""The counters of locked Mailbox and Folder rows: loaded in bulk, changed in memory, written back.

SQL by hand, since every commit runs it: preparing these statements through the ORM costs more CPU
than all the rest of a small commit.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, Self

from django.db import connection, models
from django.utils import timezone

from accounts.key_lists import MAX_PARAMETERS, list_sql
from accounts.limits import is_full
from accounts.models import FlagDeed, Folder, Mailbox
from accounts.statements import execute, fetch

INBOX = "INBOX"


class Counters:
    """A locked row's counters, and what they were when loaded."""

    FIELDS: ClassVar[tuple[str, ...]]
    __slots__ = ("id", "loaded")
    id: int
    loaded: tuple[Any, ...]

    def values(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def again(self) -> Self:
        """The same row as the next commit finds it."""
        raise NotImplementedError

    def restore(self, values: tuple[Any, ...]) -> None:
        for name, value in zip(self.FIELDS, values, strict=True):
            setattr(self, name, value)


class MailboxState(Counters):
    """The counters of a locked Mailbox row. MODSEQ is taken with `Rows.modseq`."""

    FIELDS = (
        "used_bytes",
        "used_messages",
        "highest_modseq",
        "next_uidvalidity",
        "is_full",
        "modseq",
    )
    WRITTEN = FIELDS[:4]
    __slots__ = (*FIELDS, "quota_bytes", "quota_messages")

    def __init__(
        self,
        pk: int,
        quota_bytes: int,
        quota_messages: int,
        used_bytes: int,
        used_messages: int,
        highest_modseq: int,
        next_uidvalidity: int,
        is_full: bool,
    ) -> None:
        self.id = pk
        self.quota_bytes = quota_bytes
        self.quota_messages = quota_messages
        self.used_bytes = used_bytes
        self.used_messages = used_messages
        self.highest_modseq = highest_modseq
        self.next_uidvalidity = next_uidvalidity
        self.is_full = is_full
        self.modseq = 0
        self.loaded = self.values()

    def values(self) -> tuple[Any, ...]:
        return _mailbox_values(self)

    def again(self) -> "MailboxState":
        return MailboxState(
            self.id,
            self.quota_bytes,
            self.quota_messages,
            self.used_bytes,
            self.used_messages,
            self.highest_modseq,
            self.next_uidvalidity,
            self.is_full,
        )

    def use(self, octets: int, messages: int) -> None:
        """Account for messages that came (or, negative, went), of so many octets together."""
        self.used_bytes += octets
        self.used_messages += messages
        self.is_full = is_full(
            (self.quota_bytes, self.used_bytes), (self.quota_messages, self.used_messages)
        )

    def take_uidvalidity(self) -> int:
        """A UIDVALIDITY this mailbox has never used."""
        value = self.next_uidvalidity
        self.next_uidvalidity += 1
        return value


class FolderState(Counters):
    """The counters of a Folder row whose mailbox is locked."""

    FIELDS = (
        "uidnext",
        "highest_modseq",
        "recent_from_uid",
        "exists_count",
        "unseen_count",
        "octets",
        "keywords",
        "has_flag_deeds",
    )
    WRITTEN = FIELDS[:6]
    __slots__ = (*FIELDS, "is_selectable", "mailbox_id", "name", "uidvalidity")

    def __init__(
        self,
        pk: int,
        mailbox_id: int,
        name: str,
        is_selectable: bool,
        uidvalidity: int,
        uidnext: int,
        highest_modseq: int,
        recent_from_uid: int,
        exists_count: int,
        unseen_count: int,
        octets: int,
        keywords: str | Sequence[str],
        has_flag_deeds: bool,
    ) -> None:
        self.id = pk
        self.mailbox_id = mailbox_id
        self.name = name
        self.is_selectable = is_selectable
        self.uidvalidity = uidvalidity
        self.uidnext = uidnext
        self.highest_modseq = highest_modseq
        self.recent_from_uid = recent_from_uid
        self.exists_count = exists_count
        self.unseen_count = unseen_count
        self.octets = octets
        self.keywords = tuple(json.loads(keywords) if isinstance(keywords, str) else keywords)
        # Whether there is something to settle (see `accounts.flag_deeds`).
        self.has_flag_deeds = bool(has_flag_deeds)
        self.loaded = self.values()

    def values(self) -> tuple[Any, ...]:
        return _folder_values(self)

    def again(self) -> "FolderState":
        return FolderState(
            self.id,
            self.mailbox_id,
            self.name,
            self.is_selectable,
            self.uidvalidity,
            self.uidnext,
            self.highest_modseq,
            self.recent_from_uid,
            self.exists_count,
            self.unseen_count,
            self.octets,
            self.keywords,
            self.has_flag_deeds,
        )

    @property
    def is_inbox(self) -> bool:
        return self.name == INBOX

    @property
    def loaded_uidnext(self) -> int:
        """Its UIDNEXT before this commit."""
        uidnext: int = self.loaded[0]
        return uidnext

    @property
    def loaded_modseq(self) -> int:
        """Its HIGHESTMODSEQ before this commit."""
        modseq: int = self.loaded[1]
        return modseq

    def take_uids(self, count: int = 1) -> int:
        """The first of `count` fresh UIDs."""
        first = self.uidnext
        self.uidnext += count
        return first


_mailbox_values = attrgetter(*MailboxState.FIELDS)
_folder_values = attrgetter(*FolderState.FIELDS)


_MAILBOX = (
    "id, quota_bytes, quota_messages, used_bytes, used_messages, highest_modseq, next_uidvalidity,"
    " full_since IS NOT NULL"
)
_FOLDER = (
    "id, mailbox_id, name, is_selectable, uidvalidity, uidnext, highest_modseq, recent_from_uid,"  # noqa: S608
    " exists_count, unseen_count, octets, keywords,"
    f" EXISTS (SELECT 1 FROM {FlagDeed._meta.db_table} d"
    f" WHERE d.folder_id = {Folder._meta.db_table}.id)"
)


def lock_mailboxes(keys: Sequence[int]) -> list[MailboxState]:
    """Lock mailboxes, ascending, and load their counters; those that are gone are left out."""
    subquery, parameters = list_sql(sorted(keys))
    condition = f"id IN ({subquery}) ORDER BY id"
    if connection.features.has_select_for_no_key_update:
        # Unlike FOR UPDATE it does not stand in the way of inserts that point at the mailbox. On
        # SQLite the transaction is IMMEDIATE: it holds the only write lock already.
        condition += " FOR NO KEY UPDATE"
    return [MailboxState(*row) for row in _select(Mailbox, _MAILBOX, condition, parameters)]


def load_folders(keys: Sequence[int]) -> list[FolderState]:
    """Load the counters of folders whose mailboxes are locked."""
    return _load("id IN ({keys})", keys)


def load_inboxes(mailbox_ids: Sequence[int]) -> list[FolderState]:
    """Load the counters of locked mailboxes' INBOXes."""
    return _load(f"mailbox_id IN ({{keys}}) AND name = '{INBOX}'", mailbox_ids)


def _load(condition: str, keys: Sequence[int]) -> list[FolderState]:
    subquery, parameters = list_sql(keys)
    rows = _select(Folder, _FOLDER, condition.format(keys=subquery), parameters)
    return [FolderState(*row) for row in rows]


def _select(
    model: type[models.Model], columns: str, condition: str, parameters: Sequence[Any]
) -> list[Any]:
    """The rows' columns; on SQLite all in one JSON text, and truth as 0 or 1.

    Each step of SQLite would hand the interpreter to another thread.
    """
    is_sqlite = connection.vendor == "sqlite"
    if is_sqlite:
        columns = f"json_group_array(json_array({columns}))"
    statement = f"SELECT {columns} FROM {model._meta.db_table} WHERE {condition}"  # noqa: S608
    rows = fetch(statement, parameters)
    found: list[Any] = json.loads(rows[0][0]) if is_sqlite else rows
    return found


def write_back(mailboxes: Iterable[MailboxState], folders: Iterable[FolderState]) -> None:
    """Write the counters that changed."""
    mailboxes, folders = list(mailboxes), list(folders)
    _update(Mailbox, mailboxes, MailboxState.WRITTEN)
    _update(Folder, folders, FolderState.WRITTEN)
    for mailbox in mailboxes:
        if mailbox.is_full != mailbox.loaded[4]:
            since = timezone.now() if mailbox.is_full else None
            Mailbox.objects.filter(pk=mailbox.id).update(full_since=since)
    for folder in folders:
        if folder.keywords != folder.loaded[6]:
            Folder.objects.filter(pk=folder.id).update(keywords=list(folder.keywords))


def _update(model: type[models.Model], states: Iterable[Counters], names: tuple[str, ...]) -> None:
    get, statement = _update_of_one(model, names)
    width = len(names)
    dirty = [(*now, state.id) for state in states if (now := get(state)) != state.loaded[:width]]
    if len(dirty) == 1:
        execute(statement, dirty[0])
    elif dirty and connection.vendor == "sqlite":
        _update_in_one_step(model, dirty, names)
    elif dirty:
        with connection.cursor() as cursor:
            cursor.executemany(statement, dirty)


@cache
def _update_of_one(
    model: type[models.Model], names: tuple[str, ...]
) -> tuple[Callable[[Counters], tuple[Any, ...]], str]:
    """What reads the columns of a row's counters, and the statement that writes them."""
    columns = ", ".join(f"{name} = %s" for name in names)
    statement = f"UPDATE {model._meta.db_table} SET {columns} WHERE id = %s"  # noqa: S608
    return attrgetter(*names), statement


def _update_in_one_step(
    model: type[models.Model], rows: Sequence[tuple[Any, ...]], names: tuple[str, ...]
) -> None:
    """Each step of SQLite would hand the interpreter to another thread."""
    width = len(names) + 1
    columns = ", ".join(f"{name} = v.column{at}" for at, name in enumerate(names, 1))
    most = MAX_PARAMETERS // width
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        values = ",".join([f"({','.join(['%s'] * width)})"] * len(some))
        execute(
            f"UPDATE {model._meta.db_table} SET {columns}"  # noqa: S608 our own names
            f" FROM (VALUES {values}) AS v WHERE id = v.column{width}",
            [value for row in some for value in row],
        )
