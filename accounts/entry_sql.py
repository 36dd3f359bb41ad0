"""Which entries a statement by hand is about, as SQL."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from accounts.key_lists import list_sql
from accounts.models import Entry
from accounts.uid_sets import is_range

Condition = tuple[str, Sequence[Any]]
"""SQL, and its parameters."""

_TABLE = Entry._meta.db_table


def uids_sql(uids: Sequence[int]) -> tuple[str, list[Any]]:
    """A condition on the column `uid`, and its parameters: a range where `uids` are one."""
    if is_range(uids):
        return "uid BETWEEN %s AND %s", [uids[0], uids[-1]]
    subquery, parameters = list_sql(uids)
    return f"uid IN ({subquery})", parameters


def of_folder(folder_id: int, uids: Sequence[int]) -> Condition:
    """The entries of a folder with these UIDs."""
    condition, parameters = uids_sql(uids)
    return f"folder_id = %s AND {condition}", [folder_id, *parameters]


def entries_of(folder_id: int, uids: Sequence[int]) -> Condition:
    """The entries of a folder with these UIDs, in parentheses, for FROM to join others to.

    PostgreSQL thinks that low UIDs are as common in a large folder as they are in all the small
    ones, and would read whole tables to join those. So it is told how many there can be at most.
    """
    if connection.vendor != "postgresql":
        condition, parameters = of_folder(folder_id, uids)
        return f"(SELECT * FROM {_TABLE} WHERE {condition})", parameters  # noqa: S608
    if is_range(uids):
        ends = [folder_id, uids[0], uids[-1], len(uids)]
        return _IN_RANGE, ends
    return _EACH, [list(uids), folder_id]


_IN_RANGE = (
    f"(SELECT * FROM {_TABLE}"  # noqa: S608
    " WHERE folder_id = %s AND uid BETWEEN %s AND %s ORDER BY uid LIMIT %s)"
)
_EACH = (
    "(SELECT each.* FROM unnest(%s::bigint[]) AS chosen (one) CROSS JOIN LATERAL"  # noqa: S608
    f" (SELECT * FROM {_TABLE} WHERE folder_id = %s AND uid = one LIMIT 1) AS each)"
)


def by_keys(folder_id: int, uids: Sequence[int]) -> Condition | None:
    """The same as a range of keys, where hardly any others lie among them.

    So SQLite goes through the rows as they lie, which spares it a look into the index for each.
    Should one of them lie elsewhere it is left out.
    """
    if connection.vendor != "sqlite" or not is_range(uids):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT MIN(id), MAX(id) FROM {_TABLE}"  # noqa: S608
            " WHERE folder_id = %s AND uid IN (%s, %s)",
            [folder_id, uids[0], uids[-1]],
        )
        first, last = cursor.fetchone()
    if first is None or last - first >= 2 * len(uids):
        return None
    # The plus keeps SQLite from the index.
    ends = [first, last, uids[0], uids[-1], folder_id]
    return "id BETWEEN %s AND %s AND +uid BETWEEN %s AND %s AND +folder_id = %s", ends
