"""Change flags and keywords of entries in the database, however many, by few statements.

Where the picture of the folder is at hand it tells which entries will change: nobody need ask the
database afterwards. And where no other folder's entries lie between those of a STORE, SQLite goes
through them by their keys, which spares it a look into the index for each. Both are worth their
trouble for many messages alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from accounts.counters import FolderState
from accounts.key_lists import gathered, gathered_sql
from accounts.mailstore import index
from accounts.mailstore.deeds import UNCHANGED, Bits
from accounts.mailstore.picture import pick
from accounts.mailstore.uids import in_uids, uids_sql
from accounts.models import Entry
from accounts.uid_sets import as_range, is_range

SEEN = 1
MANY = 500

Condition = tuple[str, Sequence[Any]]
"""SQL, and its parameters."""

_TABLE = Entry._meta.db_table


@dataclass(frozen=True, slots=True)
class FlagRows:
    """Some entries of a folder, and what is to become of their flags and keywords."""

    folder: FolderState
    uids: Sequence[int]
    flags: Bits
    keywords: Bits
    unchanged_since: int | None

    def late(self) -> Sequence[int]:
        """The UIDs of entries that UNCHANGEDSINCE keeps from changing."""
        if self.unchanged_since is None:
            return ()
        late = self._entries().filter(modseq__gt=self.unchanged_since).order_by("uid")
        return list(late.values_list("uid", flat=True))

    @property
    def is_seen_alone(self) -> bool:
        """Whether each entry that changes changes its \\Seen and nothing else."""
        return self.flags.touched == SEEN and self.keywords == UNCHANGED

    def unseen(self) -> int:
        """How many more entries will be without \\Seen."""
        if not self.flags.touched & SEEN:
            return 0
        entries = self._entries()
        if self.unchanged_since is not None:
            entries = entries.filter(modseq__lte=self.unchanged_since)
        if self.flags.added & SEEN:
            return -_with_seen(entries, 0).count()
        return _with_seen(entries, SEEN).count()

    def update(
        self, modseq: int, failed: Sequence[int], begin: Callable[[], None]
    ) -> tuple[int, Sequence[int]]:
        """Change the entries that differ; `begin` is called before that which takes long.

        How many did, and the UIDs, ascending, that this commit has changed, by this unit or others.
        """
        if self.flags == self.keywords == UNCHANGED:
            return 0, ()
        expected = self._expected()
        if expected is not None and not expected:
            return 0, ()
        by_keys = None if expected is None else self._by_keys()
        condition, chosen = uids_sql(self.uids)
        condition, chosen = f"folder_id = %s AND {condition}", [self.folder.id, *chosen]
        begin()
        count = 0
        if by_keys is not None:
            count = self._change(modseq, by_keys)
        if expected is None or count < len(expected):
            count += self._change(modseq, (condition, chosen))
        if expected is not None and count == len(expected):
            return count, expected
        if count in (0, len(self.uids)):
            return count, self.uids if count else ()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {gathered_sql('uid')} FROM {_TABLE}"  # noqa: S608
                f" WHERE {condition} AND modseq = %s",
                [*chosen, modseq],
            )
            changed = gathered(cursor.fetchone()[0])
        # What another unit of this commit changed has its MODSEQ too, and may have failed here.
        spared = frozenset(failed)
        return count, as_range([uid for uid in changed if uid not in spared] if spared else changed)

    def _expected(self) -> Sequence[int] | None:
        """The UIDs of entries that will change, where the folder's picture tells."""
        if len(self.uids) < MANY or self.unchanged_since is not None or self.keywords != UNCHANGED:
            return None
        known = index.kept(self.folder)
        places = None if known is None else known.places(self.uids)
        if known is None or places is None:
            return None
        touched, added = self.flags.touched, self.flags.added
        differs = bytes(each & touched != added for each in range(256))
        marks = bytes(pick(known.flags, places)).translate(differs)
        return self.uids if all(marks) else as_range(list(compress(self.uids, marks)))

    def _by_keys(self) -> Condition | None:
        """The entries as a range of keys, where hardly any others lie among them."""
        if connection.vendor != "sqlite" or not is_range(self.uids):
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT MIN(id), MAX(id) FROM {_TABLE}"  # noqa: S608
                " WHERE folder_id = %s AND uid IN (%s, %s)",
                [self.folder.id, self.uids[0], self.uids[-1]],
            )
            first, last = cursor.fetchone()
        if first is None or last - first >= 2 * len(self.uids):
            return None
        # The plus keeps SQLite from the index. Should a key lie elsewhere the count will show it.
        ends = [first, last, self.uids[0], self.uids[-1], self.folder.id]
        return "id BETWEEN %s AND %s AND +uid BETWEEN %s AND %s AND +folder_id = %s", ends

    def _change(self, modseq: int, which: Condition) -> int:
        """Change those of some entries that differ; how many did."""
        columns = [("flags", self.flags), ("keywords", self.keywords)]
        columns = [(name, bits) for name, bits in columns if bits != UNCHANGED]
        values, parameters = [], []
        for name, bits in columns:
            value, operands = _changed(name, bits)
            values.append(f"{name} = {value}")
            parameters += operands
        condition, chosen = which
        parameters += [modseq, *chosen]
        differs = " OR ".join(f"({name} & %s) <> %s" for name, _ in columns)
        parameters += chain.from_iterable((bits.touched, bits.added) for _, bits in columns)
        is_late = ""
        if self.unchanged_since is not None:
            is_late = " AND modseq <= %s"
            parameters.append(self.unchanged_since)
        # Else SQLite keeps a copy of every page, to undo this statement alone. The unit is undone.
        update = "UPDATE OR FAIL" if connection.vendor == "sqlite" else "UPDATE"
        with connection.cursor() as cursor:
            cursor.execute(
                f"{update} {_TABLE} SET {', '.join(values)}, modseq = %s"
                f" WHERE {condition} AND ({differs}){is_late}",
                parameters,
            )
            count: int = cursor.rowcount
        return count

    def _entries(self) -> QuerySet[Entry]:
        return Entry.objects.filter(in_uids(self.uids), folder_id=self.folder.id)


def _changed(column: str, bits: Bits) -> tuple[str, list[int]]:
    """SQL for what becomes of a column of bits, and its operands.

    No operation more than is needed: each is done ten thousand times.
    """
    if bits.kept == -1:
        return f"({column} | %s)", [bits.added]
    if not bits.added:
        return f"({column} & %s)", [bits.kept]
    return f"({column} & %s | %s)", [bits.kept, bits.added]


def _with_seen(entries: QuerySet[Entry], bit: int) -> QuerySet[Entry]:
    """Those of the entries with \\Seen (or, given 0, without)."""
    return entries.alias(seen=F("flags").bitand(SEEN)).filter(seen=bit)
