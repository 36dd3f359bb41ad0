"""The daily collection: deleted mail kept long enough, then its messages, then their octets."""

from dataclasses import dataclass

from django.utils import timezone

from accounts import blobs
from accounts.mailstore import search_blocks
from accounts.mailstore.forgetting import forget_old
from accounts.mailstore.leftovers import remove_unplaced_messages


@dataclass(frozen=True, slots=True)
class Collection:
    """What one run removed: rows, files, and octets given back to the disk."""

    messages: int
    blobs: int
    segments: int
    octets: int


def collect() -> Collection:
    """Free what is not needed any more. Safe at any time, and when two run at once."""
    try:
        forget_old(timezone.now())
        messages = remove_unplaced_messages()
        search_blocks.forget_gone()
    finally:
        # On a full disk rows cannot go before old files have.
        done = blobs.collect_garbage()
    return Collection(messages, done.blobs, done.unlinked, done.octets)
