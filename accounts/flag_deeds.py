"""What large STOREs did to flags, and the entries do not say yet.

To write ten thousand entries is most of what a STORE of them costs. On the embedded database it
leaves one row instead, a deed, which is as durable. The entries are settled later, once for all the
deeds on them: by whoever next has the folder under its mailbox's lock (`Rows.folder`), or soon by
the worker.

Invariants:

1. A deed is left under the mailbox's lock, by the commit whose MODSEQ it has, and by no other unit
   of that commit: of two deeds on a folder the later one has the higher MODSEQ.
2. Who has a folder under the lock finds its entries settled, but for those who say that they can do
   without: they neither read nor change the flags, keywords or MODSEQ of an entry that was there
   before them, nor remove one. So nothing else happens to an entry between a deed on it and its
   settling.
3. Who reads entries without the lock asks for the deeds first, and lays them over the rows. An
   entry of a deed's MODSEQ or a higher one has it in its row already.
4. An entry that is settled has the MODSEQ of the deed: nobody need be told of it again.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from django.db import connection

from accounts import entry_sql
from accounts.models import Entry, FlagDeed
from accounts.statements import execute, fetch
from accounts.uid_sets import as_range, sequence_set, uids_in

# Fewer entries are changed as soon as a deed is left.
LEFT_FROM = 2_000
# As many are settled within some 25 ms.
MOST = 8

Row = tuple[int, int, int, int]
"""(UID, flags, keywords, MODSEQ), as an Entry has them."""

_TABLE = FlagDeed._meta.db_table
_ENTRIES = Entry._meta.db_table
_OF_FOLDER = f"SELECT modseq, uids, kept, added FROM {_TABLE} WHERE folder_id = %s ORDER BY id"  # noqa: S608
_LAST = f"SELECT COUNT(*), MAX(id), uids, kept, added FROM {_TABLE} WHERE folder_id = %s"  # noqa: S608
_LEAVE = (
    f"INSERT INTO {_TABLE} (folder_id, modseq, uids, kept, added)"  # noqa: S608
    " VALUES (%s, %s, %s, %s, %s)"
)
_JOIN = f"UPDATE {_TABLE} SET modseq = %s, kept = %s, added = %s WHERE id = %s"  # noqa: S608
_SETTLED = f"DELETE FROM {_TABLE} WHERE folder_id = %s"  # noqa: S608
_WITH_ANY = f"SELECT DISTINCT folder_id FROM {_TABLE}"  # noqa: S608


class Left(NamedTuple):
    """A deed: these UIDs have had the flags `flags & kept | added` since `modseq`."""

    modseq: int
    uids: Sequence[int]
    kept: int
    added: int


def may_be_left(uids: Sequence[int]) -> bool:
    """Whether a change of so many entries is worth a deed.

    On PostgreSQL servers of two versions may run side by side while one is replaced, and the older
    one would not know of deeds.
    """
    return connection.vendor == "sqlite" and len(uids) >= LEFT_FROM


def leave(folder_id: int, done: Left) -> None:
    """Leave a deed. A direct unit calls this, and has the folder under its mailbox's lock."""
    text = sequence_set(done.uids)
    # SQLite takes the other columns from the row of the MAX.
    count, last, uids, kept, added = fetch(_LAST, (folder_id,))[0]
    if count and uids == text:
        # Who marks everything and then takes the marks away again leaves one thing to be done.
        both = kept & done.kept, added & done.kept | done.added
        execute(_JOIN, (done.modseq, *both, last))
        return
    if count >= MOST:
        settle(folder_id)
    execute(_LEAVE, (folder_id, done.modseq, text, done.kept, done.added))


def left(folder_id: int) -> list[Left]:
    """The deeds on a folder's entries, the oldest first."""
    # Where none is left nobody need ask.
    return _deeds(folder_id) if connection.vendor == "sqlite" else []


def _deeds(folder_id: int) -> list[Left]:
    return [
        Left(modseq, as_range(list(uids_in(text))), kept, added)
        for modseq, text, kept, added in fetch(_OF_FOLDER, (folder_id,))
    ]


def laid_over(rows: list[Row], deeds: Sequence[Left]) -> list[Row]:
    """The rows of entries, read after the deeds, as they would be if these were settled."""
    for modseq, uids, kept, added in deeds:
        named: Collection[int] = uids if isinstance(uids, range) else frozenset(uids)
        rows = [
            (row[0], row[1] & kept | added, row[2], modseq)
            if row[3] < modseq and row[0] in named
            else row
            for row in rows
        ]
    return rows


def settle(folder_id: int) -> None:
    """Write all deeds on a folder into its entries, under its mailbox's lock."""
    # Else SQLite keeps a copy of every page, to undo this statement alone. The unit is undone.
    update = "UPDATE OR FAIL" if connection.vendor == "sqlite" else "UPDATE"
    for modseq, uids, kept, added in _deeds(folder_id):
        count = 0
        for condition in entry_sql.by_keys(folder_id, uids), entry_sql.of_folder(folder_id, uids):
            if condition is not None and count < len(uids):
                chosen, parameters = condition
                count += execute(
                    f"{update} {_ENTRIES} SET flags = (flags & %s | %s), modseq = %s"
                    f" WHERE {chosen} AND modseq < %s",
                    [kept, added, modseq, *parameters, modseq],
                )[0]
    execute(_SETTLED, (folder_id,))


def unsettled() -> list[int]:
    """The folders with deeds on their entries."""
    return [folder_id for (folder_id,) in fetch(_WITH_ANY, ())]
