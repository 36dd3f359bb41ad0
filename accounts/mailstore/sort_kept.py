"""Sort keys of messages, so that each header is decoded once.

They are made from header fields when SORT or THREAD first needs them, and kept by a commit that
nobody waits for. What is not kept (yet, or because it is large) is made anew, so no answer lacks a
message. Losing what is kept costs time only.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

from django.db import connection

from accounts import commit
from accounts.entry_sql import entries_of
from accounts.key_lists import listed
from accounts.mailstore.columns import large_ones, read_columns
from accounts.mailstore.fetch import Columns
from accounts.mailstore.sort_keys import Keys, keys_of
from accounts.models import Message, SortKeys
from accounts.rows import Rows

# To be raised with every change of decoding or folding.
VERSION = 1
# Octets of all keys of a message.
LARGEST_KEPT = 4 << 10
# A larger block of header fields is read alone.
_TEXT_OCTETS = 16 << 10

PauseT = TypeVar("PauseT")

Found = Mapping[str, Sequence[Any]]
"""By name ("uid", "subject", …): one value an entry, in UID order."""


def read(
    folder_id: int, uids: Sequence[int], columns: Sequence[str], *, pause: PauseT
) -> Generator[PauseT, None, Found]:
    """Some fields of Keys of the entries with these (ascending) UIDs, in one query for those kept.

    Pauses after each message with large header fields, with what the caller says by that.
    """
    rows = _kept(folder_id, uids, columns)
    missing = [row[0] for row in rows if row[1] is None]
    if missing:
        made = yield from _made(folder_id, missing, pause)
        rows = [
            (uid, *([getattr(made[uid], name) for name in columns] if uid in made else values))
            for uid, *values in rows
            if values[0] is not None or uid in made
        ]
    found = zip(*rows, strict=True) if rows else [()] * (1 + len(columns))
    return dict(zip(("uid", *columns), found, strict=True))


def _kept(folder_id: int, uids: Sequence[int], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    entries, chosen = entries_of(folder_id, uids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.uid, {', '.join('k.' + name for name in columns)}"  # noqa: S608
            f" FROM {entries} e LEFT JOIN {SortKeys._meta.db_table} k"
            " ON k.message_id = e.message_id AND k.version = %s ORDER BY e.uid",
            [*chosen, VERSION],
        )
        return list(cursor.fetchall())


def _made(
    folder_id: int, uids: Sequence[int], pause: PauseT
) -> Generator[PauseT, None, dict[int, Keys]]:
    columns = Columns.MESSAGE | Columns.HEADERS
    found = read_columns(folder_id, uids, columns=columns, at_most=_TEXT_OCTETS)
    large = frozenset(large_ones(found))
    made: dict[int, Keys] = {}
    new: list[tuple[int, Keys]] = []
    for at, uid in enumerate(found["uid"]):
        headers = found["headers"][at]
        if at in large:
            alone = read_columns(folder_id, [uid], columns=Columns.HEADERS)["headers"]
            yield pause
            if not alone:
                continue
            headers = alone[0]
        made[uid] = keys_of(bytes(headers))
        new.append((found["message_id"][at], made[uid]))
    keep_soon(new)
    return made


_COLUMNS = ("message_id", "version", *Keys._fields)
# A message that was removed meanwhile is passed over.
_KEEP = (
    f"INSERT INTO {SortKeys._meta.db_table} ({', '.join(_COLUMNS)})"  # noqa: S608
    f" SELECT {', '.join(['%s'] * len(_COLUMNS))}"
    f" WHERE EXISTS (SELECT 1 FROM {Message._meta.db_table} WHERE id = %s)"
    " ON CONFLICT (message_id) DO UPDATE"
    f" SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)


def keep_soon(made: Sequence[tuple[int, Keys]]) -> None:
    """Keep the sort keys of messages, given with their keys, by the next commit."""
    values: list[tuple[Any, ...]] = [
        (key, VERSION, *keys, key) for key, keys in made if sum(map(len, keys[1:])) <= LARGEST_KEPT
    ]

    def write(rows: Rows, blob_id: int | None) -> None:
        rows.direct()
        with connection.cursor() as cursor:
            cursor.executemany(_KEEP, values)

    if values:
        commit.submit(commit.Unit(frozenset(), write, rows=len(values)))


def forget(keys: Sequence[int]) -> None:
    """Drop what is kept of messages: their header fields were prepared again."""
    rows = SortKeys.objects.filter(pk__in=listed(list(keys)))
    rows._raw_delete(rows.db)
