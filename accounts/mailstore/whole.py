"""Whole messages of a folder, by one written query: what POP3 reads ahead.

The ORM needs longer to put such a query together than the database to answer it.
"""

from collections.abc import Sequence

from django.db import connection

from accounts import blobs
from accounts.blobs import Place
from accounts.mailstore.fetch import entries_query
from accounts.models import Blob, Message

_CHOSEN = "e.uid, m.prefix, b.segment_id, b.offset, b.length, b.id"
_JOINS = (
    f" JOIN {Message._meta.db_table} m ON m.id = e.message_id"
    f" JOIN {Blob._meta.db_table} b ON b.id = m.blob_id"
)


def read_whole(folder_id: int, uids: Sequence[int]) -> dict[int, bytes]:
    """The octets of messages by UID, some hundreds at most; UIDs that are not there are left out.

    `uids` ascend. BlobMissing when the disk does not have the octets.
    """
    with connection.cursor() as cursor:
        cursor.execute(*entries_query(_CHOSEN, _JOINS, folder_id, uids))
        rows = cursor.fetchall()
    stored = blobs.read_views([Place._make(row[2:]) for row in rows])
    return {row[0]: bytes(row[1]) + octets for row, octets in zip(rows, stored, strict=True)}
