"""The daily collection: messages in no folder, then the octets that nothing points at."""

from dataclasses import dataclass

from accounts import blobs
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
    messages = remove_unplaced_messages()
    done = blobs.collect_garbage()
    return Collection(messages, done.blobs, done.unlinked, done.octets)
