"""Previews (RFC 8970) of messages that were delivered before there were any.

They are made from octets when somebody asks for them, and kept by a commit that nobody waits for.
"""

from collections.abc import Iterable

from django.db import connection

from accounts import blobs, commit
from accounts.blobs import BlobMissing
from accounts.mailstore import fetch
from accounts.mailstore.columns import Found
from accounts.mailstore.fetch import Columns, FetchRow
from accounts.models import Message
from accounts.rows import Rows
from protocols.wire.message import prepare


def completed(folder_id: int, found: Found) -> Found:
    """`found`, with every preview in it that can be made."""
    if None not in found["preview"]:
        return found
    pairs = list(zip(found["uid"], found["preview"], strict=True))
    made = missing(folder_id, (uid for uid, words in pairs if words is None))
    return {**found, "preview": [made.get(uid, words) for uid, words in pairs]}


def missing(folder_id: int, uids: Iterable[int]) -> dict[int, str]:
    """The previews of messages without one, by UID; none where the octets cannot be read."""
    wanted = list(uids)
    if not wanted:
        return {}
    rows = fetch.fetch(folder_id, wanted, columns=Columns.OCTETS | Columns.MESSAGE)
    made = {}
    keys = {}
    for row in rows:
        words = _preview(row)
        if words is not None:
            made[row.uid] = words
            keys[row.message_id] = words
    _keep_soon([(words, key) for key, words in keys.items()])
    return made


def _preview(row: FetchRow) -> str | None:
    assert row.place is not None
    try:
        return prepare(blobs.view(row.place), prefix=bytes(row.prefix or b"")).preview
    except BlobMissing:
        return None


_KEEP = (
    f"UPDATE {Message._meta.db_table} SET preview = %s"  # noqa: S608 our own name
    " WHERE id = %s AND preview IS NULL"
)


def _keep_soon(values: list[tuple[str, int | None]]) -> None:
    def write(rows: Rows, blob_id: int | None) -> None:
        rows.direct()
        with connection.cursor() as cursor:
            cursor.executemany(_KEEP, values)

    if values:
        commit.submit(commit.Unit(frozenset(), write, rows=len(values)))
