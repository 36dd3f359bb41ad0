"""Octets of messages by their keys, whatever folder they lie in: for what works behind the mail."""

from collections.abc import Iterator, Sequence
from typing import Any

from accounts import blobs
from accounts.blobs import BlobMissing, Place
from accounts.models import Message

_COLUMNS = ("pk", "size", "prefix", "blob__segment_id", "blob__offset", "blob__length", "blob_id")
_AT_ONCE = 4 << 20

Row = tuple[int, int, bytes, Place]
"""Key, octets in all, prefix, and where the rest lies."""


def rows_above(mailbox_id: int, key: int, at_most: int) -> list[Row]:
    """The mailbox's messages with higher keys, ascending."""
    found = Message.objects.filter(mailbox_id=mailbox_id, pk__gt=key).order_by("pk")
    return [_row(row) for row in found.values_list(*_COLUMNS)[:at_most]]


def count_above(mailbox_id: int, key: int, at_most: int) -> int:
    """How many messages of the mailbox have higher keys; no more than so many are counted."""
    return Message.objects.filter(mailbox_id=mailbox_id, pk__gt=key)[:at_most].count()


def rows_of(keys: Sequence[int]) -> list[Row]:
    """The messages with these keys, as far as they are still there."""
    return [_row(row) for row in Message.objects.filter(pk__in=keys).values_list(*_COLUMNS)]


def read(rows: Sequence[Row]) -> Iterator[tuple[int, bytes | None]]:
    """(key, octets) of the messages, so few MiB in memory at a time; None where they are lost."""
    group: list[Row] = []
    total = 0
    for row in rows:
        if group and total + row[1] > _AT_ONCE:
            yield from _read_group(group)
            group, total = [], 0
        group.append(row)
        total += row[1]
    yield from _read_group(group)


def _read_group(rows: Sequence[Row]) -> Iterator[tuple[int, bytes | None]]:
    try:
        stored = blobs.read_many([place for _key, _size, _prefix, place in rows])
    except BlobMissing:
        if len(rows) > 1:
            for row in rows:
                yield from _read_group([row])
        else:
            yield rows[0][0], None
        return
    for (key, _size, prefix, _place), octets in zip(rows, stored, strict=True):
        yield key, prefix + octets


def _row(row: tuple[Any, ...]) -> Row:
    key, size, prefix, *place = row
    return key, size, bytes(prefix), Place(*place)
