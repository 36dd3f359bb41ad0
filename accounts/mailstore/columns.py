"""The fast road of FETCH: chosen columns of many entries, column by column, by one written query.

The ORM's tuples cost three times as much, and a mail program asks for ten thousand of them. Only
columns that a FETCH without octets needs can be had here; `accounts.mailstore.fetch` has them all.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from accounts.mailstore.fetch import CHUNK, SOURCES, Columns, entries_query
from accounts.mailstore.uids import chunked
from accounts.models import Message, ThreadedMessage
from accounts.statements import fetch

Found = Mapping[str, Sequence[Any]]
"""By name ("uid", "envelope", …): one value an entry, in UID order."""

_TEXTS = ("envelope", "bodystructure", "body", "headers")


def read_columns(
    folder_id: int, uids: Sequence[int], *, columns: Columns, at_most: int = 0
) -> Found:
    """The columns of the entries with these UIDs; UIDs that are not there are left out.

    One query for every 500 UIDs. Dates are Unix seconds, sizes octets. With `at_most`, a text of
    more octets comes as None, to be read alone: a stranger's mail may have a header of a MiB.
    """
    names, chosen, joins = _plan(columns, at_most)
    rows: list[tuple[Any, ...]] = []
    for some in chunked(uids, CHUNK):
        rows += fetch(*entries_query(chosen, joins, folder_id, some, order="ORDER BY e.uid"))
    values = zip(*rows, strict=True) if rows else [()] * len(names)
    return dict(zip(names, values, strict=True))


def large_ones(found: Found) -> Sequence[int]:
    """The places in `found` at which a text was left out."""
    texts = [found[name] for name in _TEXTS if name in found and None in found[name]]
    return sorted({at for text in texts for at, octets in enumerate(text) if octets is None})


@cache
def _plan(columns: Columns, at_most: int) -> tuple[tuple[str, ...], str, str]:
    if columns & Columns.OCTETS:
        raise ValueError("octets are not to be had here")
    fields = [field for bit, field in SOURCES.values() if bit & columns]
    joins = f" JOIN {Message._meta.db_table} m ON m.id = e.message_id"
    if columns & Columns.THREAD:
        joins += f" LEFT JOIN {ThreadedMessage._meta.db_table} t ON t.message_id = e.message_id"
    chosen = ", ".join(["e.uid", *(_chosen(field, at_most) for field in fields)])
    return ("uid", *(field[2:] for field in fields)), chosen, joins


def _chosen(field: str, at_most: int) -> str:
    if not at_most or field[2:] not in _TEXTS:
        return field
    return f"CASE WHEN length({field}) <= {at_most:d} THEN {field} END"
