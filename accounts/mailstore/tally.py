"""What entries of a folder come to: all that counters need to know of them, in one row."""

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.counters import FolderState
from accounts.entry_sql import entries_of
from accounts.key_lists import gathered, gathered_sql
from accounts.models import Entry, Message
from accounts.statements import fetch
from accounts.uid_sets import as_range, is_range


@dataclass(frozen=True, slots=True)
class Tally:
    """The UIDs, ascending, of entries, their octets, and how many are not \\\\Seen."""

    uids: Sequence[int]
    octets: int
    unseen: int

    def __len__(self) -> int:
        return len(self.uids)


_TALLY = (
    "SELECT {uids}, COALESCE(SUM(m.size), 0), COALESCE(SUM(1 - (e.flags & 1)), 0)"  # noqa: S608
    f" FROM {{entries}} e JOIN {Message._meta.db_table} m ON m.id = e.message_id"
    " WHERE e.flags & %s = %s"
)

_WHOLE = f"(SELECT * FROM {Entry._meta.db_table} WHERE folder_id = %s)"  # noqa: S608

# The same without a look at the messages, of which it takes most of the time.
_COUNT = (
    f"SELECT COUNT(*) FROM {Entry._meta.db_table}"  # noqa: S608
    " WHERE folder_id = %s AND uid BETWEEN %s AND %s"
)


def tally(folder: FolderState, uids: Sequence[int] | None = None, *, flags: int = 0) -> Tally:
    """Of the entries among `uids` (ascending; None: of all) that have all of `flags`.

    `folder` is locked, and has been written out but for its counters.
    """
    if uids is not None and is_range(uids) and len(uids) == folder.exists_count:
        whole = _COUNT + (f" AND flags & {flags:d} = {flags:d}" if flags else "")
        if fetch(whole, (folder.id, uids[0], uids[-1]))[0][0] == len(uids):
            # All that is there: its counters have the sum.
            return Tally(as_range(uids), folder.octets, folder.unseen_count)
    entries, chosen = (_WHOLE, [folder.id]) if uids is None else entries_of(folder.id, uids)
    statement = _TALLY.format(uids=gathered_sql("e.uid"), entries=entries)
    found, octets, unseen = fetch(statement, [*chosen, flags, flags])[0]
    return Tally(as_range(gathered(found)), int(octets), int(unseen))
