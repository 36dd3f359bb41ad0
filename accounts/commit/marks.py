"""The mark that each batch writes, by which a commit of unknown outcome is found again."""

import logging
import uuid
from datetime import timedelta

from django.db import connection
from django.db.utils import Error as DatabaseError
from django.utils import timezone

from accounts.inserts import PendingRow, insert_rows
from accounts.models import CommitMark

log = logging.getLogger(__name__)

MARKS_KEPT = timedelta(days=1)


def is_marked(mark: uuid.UUID) -> bool:
    """Whether the batch of this mark was committed."""
    return CommitMark.objects.filter(pk=mark).exists()


def leave_mark(mark: uuid.UUID) -> None:
    """Write the mark, within the batch's transaction."""
    key = CommitMark._meta.pk
    assert key is not None
    insert_rows(
        CommitMark,
        ("id", "created_at"),
        [
            PendingRow(
                (
                    key.get_db_prep_value(mark, connection),
                    connection.ops.adapt_datetimefield_value(timezone.now()),
                )
            )
        ],
    )


def purge_marks() -> None:
    """Remove marks that mean nothing any more, a bounded number at a time."""
    try:
        old = CommitMark.objects.filter(created_at__lt=timezone.now() - MARKS_KEPT)
        CommitMark.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:2000])).delete()
    except DatabaseError as error:
        log.warning("commit: old marks stay for now: %s", error)
