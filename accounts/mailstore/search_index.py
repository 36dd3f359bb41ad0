"""The search index: which messages of a folder can hold a string, without reading their texts.

Blocks of bits (`search_bits`) stand for messages of one mailbox alone, so neither its neighbours'
mail nor their number matters. What lies above the last block, and what the index has not reached
yet, counts as possible: a search reads those texts and misses nothing. The tailer
(`search_tailer`) makes the blocks, behind the mail.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from django.db import connection

from accounts.key_lists import list_sql
from accounts.mailstore import search_bits, search_kept
from accounts.mailstore.picture import Picture
from accounts.models import Entry, Message, SearchBits, SearchBlock

# Of the texts and of their bits: blocks of another version count for nothing.
VERSION = search_kept.VERSION << 8 | search_bits.VERSION

_BLOCK = SearchBlock._meta.db_table
_BITS = SearchBits._meta.db_table
_ENTRY = Entry._meta.db_table
_MESSAGE = Message._meta.db_table

_PARTS = (
    f"SELECT b.id, b.last, p.part, p.rows FROM {_BLOCK} b"  # noqa: S608 our own names
    f" JOIN {_BITS} p ON p.block_id = b.id"
    " WHERE b.mailbox_id = %s AND b.version = %s AND p.part IN ({parts}) ORDER BY b.id"
)
_INDEXED = f"SELECT uid FROM {_ENTRY} WHERE folder_id = %s AND message_id IN ({{keys}})"  # noqa: S608
_ABOVE = (
    f"SELECT e.uid FROM {_MESSAGE} m JOIN {_ENTRY} e ON e.message_id = m.id"  # noqa: S608
    " WHERE m.mailbox_id = %s AND m.id > %s AND e.folder_id = %s"
)


def possible_uids(picture: Picture, octets: bytes) -> frozenset[int] | None:
    """UIDs whose texts may hold these folded octets; None: nothing can be said, all may."""
    buckets = search_bits.buckets_of_needle(octets)
    if not buckets:
        return None
    parts = search_bits.parts_of(buckets)
    # One statement, so that blocks made, merged or dropped meanwhile are seen whole or not at all.
    sql = _PARTS.format(parts=",".join(map(str, parts)))
    rows = _rows(sql, picture.mailbox_id, VERSION)
    if not rows:
        return None
    last = max(row[1] for row in rows)
    hits: dict[int, Sequence[int]] = {}
    for block, several in groupby(rows, key=lambda row: row[0]):
        found = {part: bytes(packed) for _block, _last, part, packed in several}
        if columns := search_bits.columns(found, buckets):
            hits[block] = list(columns)
    keys = list(_keys_of(hits))
    # Keys of a mailbox ascend as its lock is taken, so whatever is above came after the block.
    uids = [row[0] for row in _rows(_ABOVE, picture.mailbox_id, last, picture.folder_id)]
    if keys:
        subquery, parameters = list_sql(keys)
        sql = _INDEXED.format(keys=subquery)
        uids += [row[0] for row in _rows(sql, picture.folder_id, *parameters)]
    return frozenset(uids)


def _keys_of(hits: dict[int, Sequence[int]]) -> Iterator[int]:
    """The keys of the messages in these columns of blocks, given by the blocks' keys."""
    blocks = SearchBlock.objects.filter(pk__in=hits)
    for block, packed in blocks.values_list("pk", "keys"):
        keys = unpack_keys(bytes(packed))
        yield from (keys[column] for column in hits[block])


def pack_keys(keys: Sequence[int]) -> bytes:
    """Keys as a block stores them."""
    packed = array("q", keys)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack_keys(octets: bytes) -> Sequence[int]:
    """The keys that a block stands for, by column."""
    keys = array("q")
    keys.frombytes(octets)
    if sys.byteorder == "big":
        keys.byteswap()
    return keys


def _rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
