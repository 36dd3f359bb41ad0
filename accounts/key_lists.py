"""Give a query a list of keys as one parameter, however many they are.

A parameter a key has a limit (32,766 on SQLite), and Django spends more on preparing each than the
database spends on finding its row.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL

# PostgreSQL takes 65,535 parameters a statement, SQLite 32,766.
MAX_PARAMETERS = 30_000


def list_sql(keys: Sequence[int]) -> tuple[str, list[Any]]:
    """A subquery that gives the keys, and its parameters."""
    if connection.vendor == "postgresql":
        return "SELECT unnest(%s::bigint[])", [list(keys)]
    return "SELECT value FROM json_each(%s)", [json.dumps(keys)]


def gathered_sql(column: str) -> str:
    """An aggregate that gives all keys of a column at once, for `gathered`.

    Each row that SQLite hands over costs more than finding it.
    """
    return (
        f"array_agg({column})"
        if connection.vendor == "postgresql"
        else f"json_group_array({column})"
    )


def gathered(value: str | list[int] | None) -> list[int]:
    """The keys, ascending, that `gathered_sql` gave."""
    return sorted(json.loads(value) if isinstance(value, str) else value or ())


def listed(keys: Sequence[int]) -> RawSQL:
    """The keys as what stands behind `…__in=`."""
    return RawSQL(*list_sql(keys))  # noqa: S611 the text is a constant
