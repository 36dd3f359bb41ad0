"""What a caller hands to the group commit, and what may be said against it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import InterfaceError, InternalError, OperationalError

from accounts.blobs import Spool
from accounts.rows import Rows

T = TypeVar("T")


class CommitUnavailable(Exception):
    """The store cannot commit just now (database locked, lost or full): a temporary failure."""


# What a statement raises that may do another time: the database does not answer, or takes no
# writes (PostgreSQL's InternalError), as a standby does before it takes over.
DATABASE_LOST = (OperationalError, InterfaceError, InternalError)
DATABASE_AWAY = (*DATABASE_LOST, CommitUnavailable)


@dataclass
class Unit(Generic[T]):
    """Something to commit: the mailboxes to lock, octets to store, and what makes the rows.

    `write` is given the batch's rows and the key of its octets' Blob, where it has any. It runs in
    the committer thread, perhaps more than once (after a lost connection), so it has no effect but
    on `rows`. An exception from it fails this unit alone and reaches the Future.
    `folder_ids` are folders it will want: naming them saves a query each. `rows` is about how many
    rows it will touch, so that a batch stays short.
    """

    mailbox_ids: frozenset[int]
    write: Callable[[Rows, int | None], T]
    octets: bytes | Spool | None = None
    folder_ids: frozenset[int] = frozenset()
    rows: int = 1
