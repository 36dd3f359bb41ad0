"""The octets of a batch: written, durable, and the rows that say where they lie."""

import logging
from collections.abc import Iterable, Iterator, Sequence

from django.db import connection

from accounts import blobs
from accounts.blobs import OutOfSpace
from accounts.commit.items import Item
from accounts.commit.units import CommitUnavailable
from accounts.inserts import PendingRow, insert_rows
from accounts.models import Blob, Segment

log = logging.getLogger(__name__)

_BLOB = ("segment_id", "offset", "length", "created_at")


class OctetsLost(Exception):
    """The disk refused what it was given to store: nothing of the batch is committed."""


def store_octets(items: Sequence[Item], *, rolls: bool = False, and_wait: bool = False) -> None:
    """Write octets, and wait for the disk if so asked; what cannot be stored has an error then.

    `rolls` as in `blobs.begin`.
    """
    with_octets = [item for item in items if item.payload is not None]
    if not with_octets:
        return
    payloads = [item.payload or b"" for item in with_octets]
    try:
        try:
            storing = blobs.begin(payloads, rolls=rolls)
        except OSError:
            log.exception("commit: a segment was abandoned")
            storing = blobs.begin(payloads, rolls=rolls)
        if and_wait:
            storing.wait()
    except Exception as error:
        log.exception("commit: octets could not be stored")
        for item in with_octets:
            item.error = unavailable(error)
        connection.close()
        return
    for item, place in zip(with_octets, storing.places, strict=True):
        item.place, item.storing = place, storing


def await_octets(items: Iterable[Item]) -> None:
    """Return once all octets are durable. OctetsLost."""
    try:
        for item in items:
            if item.storing is not None:
                item.storing.wait()
    except OSError as error:
        raise OctetsLost(str(error)) from error


def insert_blobs(items: Sequence[Item], now: object) -> list[int | None]:
    """Rows for the batch's octets, at `now` as the database stores it; their keys, by item."""
    adopted = [item.adopted for item in items if item.adopted is not None]
    segments: Iterator[Segment] = iter(
        Segment.objects.bulk_create(
            Segment(name=each.name, is_sealed=True, size=each.size) for each in adopted
        )
        if adopted
        else ()
    )
    pending: list[PendingRow | None] = []
    for item in items:
        if item.place is not None:
            segment_id, offset, length = item.place[:3]
        elif item.adopted is not None:
            segment_id = next(segments).pk
            offset, length = item.adopted.offset, item.adopted.length
        else:
            pending.append(None)
            continue
        pending.append(PendingRow((segment_id, offset, length, now)))
    if rows := [row for row in pending if row is not None]:
        insert_rows(Blob, _BLOB, rows)
    return [None if row is None else row.pk for row in pending]


def unavailable(error: Exception) -> Exception:
    """What the caller is told of an error that is none of its unit's."""
    if isinstance(error, OutOfSpace):
        return error
    if "disk is full" in str(error) or "No space left" in str(error):
        return OutOfSpace(str(error))
    told = CommitUnavailable(str(error))
    told.__cause__ = error
    return told
