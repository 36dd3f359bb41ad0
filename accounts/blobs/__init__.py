"""Octets of mail in append-only segments: durable before any row points at them."""

from accounts.blobs.garbage import Collected, backup_running, collect_garbage, leftovers
from accounts.blobs.place import BlobMissing, OutOfSpace, Place, directory
from accounts.blobs.reading import (
    Octets,
    checked_read,
    forget_files,
    read,
    read_many,
    read_views,
    view,
)
from accounts.blobs.segments import (
    Adopted,
    Storing,
    adopt,
    append,
    begin,
    close_segment,
    forget_segment,
    is_open,
    look_for_segments,
    seal_abandoned,
)
from accounts.blobs.spool import Spool


def reset() -> None:
    """Let go of every file: for tests, whose rows go away between them."""
    forget_files()
    forget_segment()


__all__ = [
    "Adopted",
    "BlobMissing",
    "Collected",
    "Octets",
    "OutOfSpace",
    "Place",
    "Spool",
    "Storing",
    "adopt",
    "append",
    "backup_running",
    "begin",
    "checked_read",
    "close_segment",
    "collect_garbage",
    "directory",
    "forget_files",
    "forget_segment",
    "is_open",
    "leftovers",
    "look_for_segments",
    "read",
    "read_many",
    "read_views",
    "reset",
    "seal_abandoned",
    "view",
]
