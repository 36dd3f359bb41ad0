"""Read messages: one query for at most 500 UIDs, tuples only, and their octets.

Nothing here locks or stays open: each call is a short query of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import IntFlag
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from accounts import blobs
from accounts.blobs import Place
from accounts.mailstore.uids import chunked, in_uids
from accounts.models import Entry

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
    FLAGS = 256
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
    place: Place | None = None
    flags: int | None = None
    keywords: int | None = None
    modseq: int | None = None
    message_id: int | None = None
    thread: int | None = None


_SOURCES: dict[str, tuple[Columns, str]] = {
    "size": (Columns.SIZE, "message__size"),
    "internal_date": (Columns.DATES, "message__internal_date"),
    "zone_minutes": (Columns.DATES, "message__zone_minutes"),
    "saved_at": (Columns.SAVED_AT, "saved_at"),
    "envelope": (Columns.ENVELOPE, "message__envelope"),
    "bodystructure": (Columns.BODYSTRUCTURE, "message__bodystructure"),
    "body": (Columns.BODY, "message__body"),
    "headers": (Columns.HEADERS, "message__headers"),
    "sent_at": (Columns.SENT_AT, "message__sent_at"),
    "preview": (Columns.PREVIEW, "message__preview"),
    "prefix": (Columns.OCTETS, "message__prefix"),
    "flags": (Columns.FLAGS, "flags"),
    "keywords": (Columns.FLAGS, "keywords"),
    "modseq": (Columns.FLAGS, "modseq"),
    "message_id": (Columns.MESSAGE, "message_id"),
    "thread": (Columns.THREAD, "message__threaded__thread"),
}
_PLACE = ("message__blob__segment_id", "message__blob__offset", "message__blob__length")

Row = tuple[Any, ...]


@cache
def _plan(columns: Columns) -> tuple[tuple[str, ...], Callable[[Row], Row]]:
    """The columns to select, and what makes a FetchRow of a row of them, a place and a None.

    The last columns are those of the place.
    """
    names = ["uid"]
    picks: list[int] = []
    for field in FetchRow._fields:
        if field == "uid":
            picks.append(0)
        elif field == "place" and columns & Columns.OCTETS:
            picks.append(-2)
        elif field in _SOURCES and _SOURCES[field][0] & columns:
            picks.append(len(names))
            names.append(_SOURCES[field][1])
        else:
            picks.append(-1)
    if columns & Columns.OCTETS:
        names += (*_PLACE, "message__blob_id")
    return tuple(names), itemgetter(*picks)


def fetch(folder_id: int, uids: Sequence[int], *, columns: Columns) -> list[FetchRow]:
    """The entries with these UIDs, ascending; UIDs that are not there are left out.

    One query for every 500 UIDs: callers with many yield between calls of that size.
    """
    names, pick = _plan(columns)
    make, place = FetchRow._make, Place._make
    found: list[FetchRow] = []
    for chunk in chunked(uids, CHUNK):
        query = Entry.objects.filter(in_uids(chunk), folder_id=folder_id).order_by("uid")
        rows: Iterable[Row] = query.values_list(*names)
        if columns & Columns.OCTETS:
            found += [make(pick((*row, place(row[-4:]), None))) for row in rows]
        elif len(names) == 1:
            found += [FetchRow(row[0]) for row in rows]
        else:
            found += [make(pick((*row, None))) for row in rows]
    return found


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
    places = [row.place for row in rows if row.place is not None]
    if len(places) != len(rows):
        raise ValueError("a row was fetched without Columns.OCTETS")
    stored = blobs.read_many(places)
    return [bytes(row.prefix or b"") + data for row, data in zip(rows, stored, strict=True)]
