"""What each batch leaves, by which a commit of unknown outcome is found again.

Octets mark their batch themselves: no two rows have one place. A batch that stores none, or keeps
none of them, overwrites the one row that its committer has for this: a row a batch would cost as
much as the batch's other small rows together.
"""

import uuid

from django.db import connection

from accounts.blobs import Place
from accounts.models import Blob, CommitMark
from accounts.statements import execute

_TABLE = CommitMark._meta.db_table
_OVERWRITE = f"UPDATE {_TABLE} SET mark = %s, left_at = %s WHERE id = %s AND mark <> %s"  # noqa: S608
_BEGIN = f"INSERT INTO {_TABLE} (mark, left_at, id) VALUES (%s, %s, %s)"  # noqa: S608


def is_stored(place: Place) -> bool:
    """Whether a row says that octets lie there: its batch, then, was committed."""
    # None is moved or deleted within an hour (`accounts.blobs.garbage`).
    return Blob.objects.filter(segment_id=place.segment_id, offset=place.offset).exists()


def is_marked(committer: uuid.UUID, mark: uuid.UUID) -> bool:
    """Whether the batch of this mark, the committer's last, was committed."""
    return CommitMark.objects.filter(pk=committer, mark=mark).exists()


def leave_mark(committer: uuid.UUID, mark: uuid.UUID, now: object) -> None:
    """Write the mark, within the batch's transaction; `now` as the database stores it.

    IntegrityError where it is there already. Where a commit is still on its way under this mark,
    the database makes us wait for its row, and so for that answer.
    """
    own, new = _adapted(committer), _adapted(mark)
    touched, _ = execute(_OVERWRITE, (new, now, own, new))
    if not touched:
        # The committer's first batch, or the mark is there: then the key is there, too.
        execute(_BEGIN, (new, now, own))


def _adapted(value: uuid.UUID) -> object:
    return value if connection.features.has_native_uuid_field else value.hex
