"""Read messages: one query for at most 500 UIDs, tuples only, and their octets.

Nothing here locks or stays open: each call is a short query of its own. Queries are written by
hand: the ORM needs twice as long to put the rows of one together as the database to find them.
"""

from collections.abc import Callable, Sequence
from enum import IntFlag
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from accounts import blobs
from accounts.blobs import Octets, Place
from accounts.entry_sql import entries_of
from accounts.mailstore.uids import chunked
from accounts.models import Blob, Entry, Message, ThreadedMessage
from accounts.uid_sets import is_range

CHUNK = 500


class Columns(IntFlag):
    """What `fetch` should bring; `uid` always comes."""

    SIZE = 1
    DATES = 2
    ENVELOPE = 4
    BODYSTRUCTURE = 8
    BODY = 16
    HEADERS = 32
    SENT_AT = 64
    OCTETS = 128
    MESSAGE = 512
    SAVED_AT = 1024
    PREVIEW = 2048
    THREAD = 4096


class FetchRow(NamedTuple):
    """One entry; what was not asked for is None.

    Dates are Unix seconds. `prefix` and `place` together are the message's octets (Columns.OCTETS).
    `message_id` is the key that copies of one message share (Columns.MESSAGE).
    """

    uid: int
    size: int | None = None
    internal_date: int | None = None
    zone_minutes: int | None = None
    saved_at: int | None = None
    envelope: bytes | None = None
    bodystructure: bytes | None = None
    body: bytes | None = None
    headers: bytes | None = None
    sent_at: int | None = None
    preview: str | None = None
    prefix: bytes | None = None
    message_id: int | None = None
    thread: int | None = None
    place: Place | None = None


SOURCES: dict[str, tuple[Columns, str]] = {
    "size": (Columns.SIZE, "m.size"),
    "internal_date": (Columns.DATES, "m.internal_date"),
    "zone_minutes": (Columns.DATES, "m.zone_minutes"),
    "saved_at": (Columns.SAVED_AT, "e.saved_at"),
    "envelope": (Columns.ENVELOPE, "m.envelope"),
    "bodystructure": (Columns.BODYSTRUCTURE, "m.bodystructure"),
    "body": (Columns.BODY, "m.body"),
    "headers": (Columns.HEADERS, "m.headers"),
    "sent_at": (Columns.SENT_AT, "m.sent_at"),
    "preview": (Columns.PREVIEW, "m.preview"),
    "prefix": (Columns.OCTETS, "m.prefix"),
    "message_id": (Columns.MESSAGE, "e.message_id"),
    "thread": (Columns.THREAD, "t.thread"),
}


def fetch(folder_id: int, uids: Sequence[int], *, columns: Columns) -> list[FetchRow]:
    """The entries with these UIDs, ascending; UIDs that are not there are left out.

    One query for every 500 UIDs: callers with many yield between calls of that size.
    """
    chosen, joins, pick = _plan(columns)
    make, place = FetchRow._make, Place._make
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for some in chunked(uids, CHUNK):
            cursor.execute(*entries_query(chosen, joins, folder_id, some, order="ORDER BY e.uid"))
            rows += cursor.fetchall()
    if columns & Columns.OCTETS:
        return [make(pick((*row, place(row[-4:]), None))) for row in rows]
    return [make(pick((*row, None))) for row in rows]


def entries_query(
    chosen: str, joins: str, folder_id: int, uids: Sequence[int], *, order: str = ""
) -> tuple[str, Sequence[Any]]:
    """The statement that selects `chosen` of entries `e` and what is joined to them, in an order if
    one is given (all SQL of ours), and its parameters.
    """
    if connection.vendor == "postgresql":
        entries, parameters = entries_of(folder_id, uids)
        return f"SELECT {chosen} FROM {entries} e{joins} {order}", parameters  # noqa: S608
    query = (
        f"SELECT {chosen} FROM {Entry._meta.db_table} e{joins}"  # noqa: S608 (our own names)
        " WHERE e.folder_id = %s AND e.uid"
    )
    if is_range(uids):
        return f"{query} BETWEEN %s AND %s {order}", (folder_id, uids[0], uids[-1])
    marks = ",".join(["%s"] * len(uids))
    return f"{query} IN ({marks}) {order}", (folder_id, *uids)


@cache
def _plan(columns: Columns) -> tuple[str, str, Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
    """What to select, the joins, and what makes a FetchRow of a row, its place and a None.

    The last columns are those of the place. What is not needed is not selected, not even as NULL:
    SQLite takes a lock for each value.
    """
    chosen = ["e.uid"]
    picks: list[int] = [0]
    for field in FetchRow._fields[1:-1]:
        needed, name = SOURCES[field]
        if needed & columns:
            picks.append(len(chosen))
            chosen.append(name)
        else:
            picks.append(-1)
    picks.append(-2 if columns & Columns.OCTETS else -1)
    joins = ""
    if columns & Columns.OCTETS or any(name.startswith("m.") for name in chosen):
        joins += f" JOIN {Message._meta.db_table} m ON m.id = e.message_id"
    if columns & Columns.OCTETS:
        chosen.append("b.segment_id, b.offset, b.length, b.id")
        joins += f" JOIN {Blob._meta.db_table} b ON b.id = m.blob_id"
    if columns & Columns.THREAD:
        joins += f" LEFT JOIN {ThreadedMessage._meta.db_table} t ON t.message_id = e.message_id"
    return ", ".join(chosen), joins, itemgetter(*picks)


def octets(row: FetchRow, start: int = 0, length: int | None = None) -> bytes:
    """Octets of a message fetched with Columns.OCTETS: `length` at most, from `start` on.

    BlobMissing when the disk does not have them.
    """
    prefix, place = row.prefix, row.place
    if prefix is None or place is None:
        raise ValueError("the row was fetched without Columns.OCTETS")
    if start >= len(prefix):
        return blobs.read(place, start - len(prefix), length)
    head = prefix[start:] if length is None else prefix[start : start + length]
    if length is not None and len(head) == length:
        return bytes(head)
    return bytes(head) + blobs.read(place, 0, None if length is None else length - len(head))


def octets_many(rows: Sequence[FetchRow]) -> list[bytes]:
    """The whole octets of several messages, in their order; neighbours share a system call."""
    stored = octets_behind(rows)
    return [bytes(row.prefix or b"") + data for row, data in zip(rows, stored, strict=True)]


def octets_behind(rows: Sequence[FetchRow]) -> list[Octets]:
    """As `octets_many`, without the messages' prefixes and without a copy of each."""
    places = [row.place for row in rows if row.place is not None]
    if len(places) != len(rows):
        raise ValueError("a row was fetched without Columns.OCTETS")
    return blobs.read_views(places)
