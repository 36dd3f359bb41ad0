"""Folders as they stand: one by its name, all of a mailbox, and those that others share with it.

Whoever asks names the mailbox that wants to know, and sees the names that it knows: those in the
shared namespace (`shared_names`) are the folders of others, with the rights it has there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from accounts import stamps
from accounts.mailstore import name_stamps, rights, shared_names
from accounts.mailstore.names import canonical
from accounts.mailstore.picture import Counters
from accounts.mailstore.refusals import NoSuchFolder
from accounts.mailstore.rights import Right
from accounts.mailstore.shared_names import SharedName
from accounts.models import Folder
from accounts.statements import fetch
from accounts.suspension import CAN_LOG_IN, IS_SUSPENDED, MAILBOXES, is_tenant_suspended


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """A folder as it stands. `recent_from_uid`: that UID and those above it are \\Recent.

    `name` and `rights` are those of whoever asked, `mailbox_id` is the owner.
    """

    id: int
    mailbox_id: int
    name: str
    special_use: str
    is_selectable: bool
    uidvalidity: int
    uidnext: int
    highest_modseq: int
    recent_from_uid: int
    exists: int
    unseen: int
    octets: int
    keywords: tuple[str, ...]
    rights: Right = rights.ALL
    # Of the owner, taken before all this was read.
    stamp: int | None = field(default=None, compare=False)

    @property
    def is_readable(self) -> bool:
        """Whether it holds messages that whoever asked may read."""
        return self.is_selectable and Right.READ in self.rights

    @property
    def counters(self) -> Counters:
        """What a picture of the folder is made from."""
        return Counters(
            self.mailbox_id,
            self.uidvalidity,
            self.uidnext,
            self.highest_modseq,
            self.recent_from_uid,
            self.exists,
            self.keywords,
        )


_COLUMNS = (
    "id",
    "mailbox_id",
    "name",
    "special_use",
    "is_selectable",
    "uidvalidity",
    "uidnext",
    "highest_modseq",
    "recent_from_uid",
    "exists_count",
    "unseen_count",
    "octets",
    "keywords",
)
_WIDTH = len(_COLUMNS)
_OWN = ", ".join(f"f.{name}" for name in _COLUMNS)
_TABLE = Folder._meta.db_table
# By hand, as SELECT, STATUS, APPEND and LIST ask little else.
_SELECT = f"SELECT {_OWN} FROM {_TABLE} f WHERE "  # noqa: S608
# What a SELECT asks at once.
_STANDING = (
    f"SELECT m.credential_version, {IS_SUSPENDED}, t.parent_id, {_OWN} FROM {MAILBOXES}"  # noqa: S608
    f" LEFT JOIN {_TABLE} f ON f.mailbox_id = m.id AND f.name = %s"
    f" WHERE m.id = %s AND {CAN_LOG_IN}"
)
_ADDRESS = "o.local_part || '@' || od.name"
_SHARED = (
    f"SELECT {_OWN}, {_ADDRESS}, r.letters, r.is_negative, t.parent_id{rights.ENTRIES}"
    f" JOIN {_TABLE} f ON f.id = r.folder_id WHERE {rights.THAT_COUNT}"
)
# Twice, so that each half has an index.
_OTHERS = f"{_SHARED} AND r.grantee_id = g.id UNION ALL {_SHARED} AND r.grantee_id IS NULL"
_ALL_SEEN = (
    f"SELECT {_OWN}, NULL, NULL, NULL, NULL FROM {_TABLE} f WHERE f.mailbox_id = %s"  # noqa: S608
    f" UNION ALL {_OTHERS}"
)


# What logins found of their own, by mailbox, version of its credentials, and name as it was said.
_found: dict[tuple[int, int, str], FolderInfo] = {}
CAPACITY = 5_000


def _info(row: Sequence[Any]) -> FolderInfo:
    keywords = row[-1]
    words = json.loads(keywords) if isinstance(keywords, str) else keywords
    return FolderInfo(*(*row[:4], bool(row[4]), *row[5:-1], tuple(words)))


def _rows(statement: str, parameters: Sequence[int | str]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = fetch(statement, parameters)
    return found


def find_folder(mailbox_id: int, name: str, needed: Right = Right.READ) -> FolderInfo:
    """The folder that the mailbox knows by that name, where it has the rights needed.

    NoSuchFolder, NotPermitted.
    """
    shared = shared_names.split(name)
    if shared is not None:
        return _find_shared(mailbox_id, shared, needed)
    rows = _rows(f"{_SELECT}f.mailbox_id = %s AND f.name = %s", (mailbox_id, canonical(name)))
    if not rows:
        raise NoSuchFolder("There is no folder of that name.")
    return _info(rows[0])


def find_while_valid(mailbox_id: int, credential_version: int, name: str) -> FolderInfo | None:
    """`find_folder`, where a login with this version of the mailbox's credentials still holds.

    None where it does not; one query where the folder is the mailbox's own.
    """
    stamp = stamps.take(mailbox_id)
    shared = shared_names.split(name)
    own_name = canonical(name) if shared is None else ""
    rows = _rows(_STANDING, (own_name, mailbox_id))
    if not rows:
        return None
    version, is_suspended, reseller, *row = rows[0]
    if version != credential_version or is_suspended or is_tenant_suspended(reseller):
        return None
    if shared is not None:
        return _find_shared(mailbox_id, shared, Right.READ)
    if row[0] is None:
        raise NoSuchFolder("There is no folder of that name.")
    found = _info(row)
    if stamp is not None:
        found = replace(found, stamp=stamp)
        if len(_found) >= CAPACITY:
            _found.clear()
        _found[mailbox_id, credential_version, name] = found
    return found


def find_at_hand(mailbox_id: int, credential_version: int, name: str) -> FolderInfo | None:
    """What `find_while_valid` would find, where that is known without asking the database.

    Its numbers are those of when it was read.
    """
    found = _found.get((mailbox_id, credential_version, name))
    # The stamp is of the folder and of the login: both hang on this mailbox and on the directory.
    if found is None or found.stamp is None:
        return None
    return found if name_stamps.are_current(mailbox_id, found.stamp) else None


def forget() -> None:
    """Lose the memory of what was found."""
    _found.clear()


def _find_shared(mailbox_id: int, shared: SharedName, needed: Right) -> FolderInfo:
    local_part, _, domain = shared.address.rpartition("@")
    condition = " AND o.local_part = %s AND od.name = %s AND f.name = %s"
    found = _with_rights(_rows(_SHARED + condition, (mailbox_id, local_part, domain, shared.inner)))
    if not found:
        raise NoSuchFolder("There is no folder of that name.")
    rights.checked(found[0].rights, needed)
    return found[0]


def get_folder(folder_id: int) -> FolderInfo:
    """The folder with that id, as its owner sees it. NoSuchFolder."""
    rows = _rows(f"{_SELECT}f.id = %s", (folder_id,))
    if not rows:
        raise NoSuchFolder("The folder no longer exists.")
    return _info(rows[0])


def list_folders(mailbox_id: int) -> list[FolderInfo]:
    """The mailbox's own folders, by name (code point order, the same on every database)."""
    rows = _rows(f"{_SELECT}f.mailbox_id = %s", (mailbox_id,))
    return sorted((_info(row) for row in rows), key=lambda folder: folder.name)


def changed_folders(mailbox_id: int, after_modseq: int) -> list[FolderInfo]:
    """The mailbox's own folders in which something changed after `after_modseq`."""
    statement = f"{_SELECT}f.mailbox_id = %s AND f.highest_modseq > %s"
    return [_info(row) for row in _rows(statement, (mailbox_id, after_modseq))]


def list_all_seen(mailbox_id: int) -> list[FolderInfo]:
    """The mailbox's own folders and those of others that it may look up, by name; one query."""
    return _all_with(mailbox_id, Right.LOOKUP)


def list_all_readable(mailbox_id: int) -> list[FolderInfo]:
    """The mailbox's own folders and those of others that it may read, by name; one query.

    Some of them it may be without the right to look up.
    """
    return _all_with(mailbox_id, Right.READ)


def _all_with(mailbox_id: int, needed: Right) -> list[FolderInfo]:
    rows = _rows(_ALL_SEEN, (mailbox_id,) * 3)
    own = [_info(row[:_WIDTH]) for row in rows if row[_WIDTH] is None]
    others = _with(needed, (row for row in rows if row[_WIDTH] is not None))
    return sorted((*own, *others), key=lambda folder: folder.name)


def list_others_seen(mailbox_id: int) -> list[FolderInfo]:
    """The folders of others that the mailbox may look up; one query."""
    return _with(Right.LOOKUP, _rows(_OTHERS, (mailbox_id,) * 2))


def _with(needed: Right, rows: Iterable[tuple[Any, ...]]) -> list[FolderInfo]:
    return [folder for folder in _with_rights(rows) if needed in folder.rights]


def _with_rights(rows: Iterable[tuple[Any, ...]]) -> list[FolderInfo]:
    """Folders of others from their entries: one row an entry, all of a folder's together."""
    entries: dict[int, list[tuple[str, bool]]] = {}
    folders: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        folders[row[0]] = row
        entries.setdefault(row[0], []).append((row[_WIDTH + 1], bool(row[_WIDTH + 2])))
    if not folders or is_tenant_suspended(next(iter(folders.values()))[_WIDTH + 3]):
        return []
    return [
        replace(
            _info(row[:_WIDTH]),
            name=shared_names.join(row[_WIDTH], row[2]),
            # Of use to its owner's programs; with two \Sent nobody knows where to file.
            special_use="",
            rights=rights.combined(entries[key]),
        )
        for key, row in folders.items()
    ]
