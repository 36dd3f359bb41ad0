"""Change flags and keywords of entries in the database, however many, by few statements.

Where the picture of the folder is at hand it tells which entries will change: nobody need ask the
database afterwards. And where no other folder's entries lie between those of a STORE, SQLite goes
through them by their keys, which spares it a look into the index for each. Both are worth their
trouble for many messages alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, compress

from django.db import connection
from django.db.models import F, QuerySet

from accounts import flag_deeds
from accounts.counters import FolderState
from accounts.entry_sql import Condition, by_keys, of_folder
from accounts.flag_deeds import Left
from accounts.key_lists import gathered, gathered_sql
from accounts.mailstore import index
from accounts.mailstore.deeds import UNCHANGED, Bits
from accounts.mailstore.picture import pick
from accounts.mailstore.uids import in_uids
from accounts.models import Entry
from accounts.uid_sets import as_range

SEEN = 1
MANY = 500
_IS_SEEN = bytes(each & SEEN for each in range(256))

_TABLE = Entry._meta.db_table


@dataclass(frozen=True, slots=True)
class Expected:
    """UIDs of entries that will change, and how many more will be without \\Seen."""

    uids: Sequence[int]
    unseen: int


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
        if self.unchanged_since is None and (known := self._known_flags()) is not None:
            return self._unseen_among(known)
        entries = self._entries()
        if self.unchanged_since is not None:
            entries = entries.filter(modseq__lte=self.unchanged_since)
        if self.flags.added & SEEN:
            return -_with_seen(entries, 0).count()
        return _with_seen(entries, SEEN).count()

    def leave(self, modseq: int, expected: Expected) -> None:
        """Leave the change to be written into the entries later (see `accounts.flag_deeds`)."""
        flag_deeds.leave(self.folder.id, Left(modseq, expected.uids, *self.flags))
        self.folder.has_flag_deeds = True

    def update(
        self,
        modseq: int,
        expected: Expected | None,
        failed: Sequence[int],
        begin: Callable[[], None],
    ) -> tuple[int, Sequence[int]]:
        """Change the entries that differ; `begin` is called before that which takes long.

        How many did, and the UIDs, ascending, that this commit has changed, by this unit or others.
        """
        if self.flags == self.keywords == UNCHANGED:
            return 0, ()
        ready = () if expected is None else expected.uids
        keys = None if expected is None else by_keys(self.folder.id, self.uids)
        condition, chosen = of_folder(self.folder.id, self.uids)
        begin()
        count = 0
        if keys is not None:
            count = self._change(modseq, keys)
        # Should a key lie elsewhere the count shows it.
        if expected is None or count < len(ready):
            count += self._change(modseq, (condition, chosen))
        if expected is not None and count == len(ready):
            return count, ready
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

    def expected(self) -> Expected | None:
        """What will come of it, where the folder's picture tells."""
        if len(self.uids) < MANY or self.unchanged_since is not None or self.keywords != UNCHANGED:
            return None
        flags = self._known_flags()
        if flags is None:
            return None
        touched, added = self.flags.touched, self.flags.added
        marks = flags.translate(bytes(each & touched != added for each in range(256)))
        uids = self.uids if 0 not in marks else as_range(list(compress(self.uids, marks)))
        return Expected(uids, self._unseen_among(flags) if touched & SEEN else 0)

    def _known_flags(self) -> bytes | None:
        """The flags of the entries as they are, where the folder's picture tells.

        An octet each: ten thousand of them take no longer than one round of a list.
        """
        known = index.kept(self.folder)
        places = None if known is None else known.places(self.uids)
        return None if known is None or places is None else bytes(pick(known.flags, places))

    def _unseen_among(self, flags: bytes) -> int:
        """How many more of entries with these flags will be without \\Seen, which is touched."""
        seen = flags.translate(_IS_SEEN).count(1)
        return seen - len(flags) if self.flags.added & SEEN else seen

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
