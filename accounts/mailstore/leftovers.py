"""Remove Message rows that nothing points at any more, a bounded number at a time.

Such a message cannot come back while it is removed: COPY starts from an entry, a recovery from a
recoverable row, both under the mailbox's lock, and APPEND commits message and entry together.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.key_lists import listed
from accounts.models import (
    Entry,
    Message,
    Overview,
    RecoverableEntry,
    SearchText,
    SortKeys,
    ThreadedMessage,
    ThreadName,
)

CHUNK = 1000


def is_unplaced(*, above: int = 0) -> Q:
    """The condition for messages in no folder that cannot be brought back either.

    Who looks at keys above one alone says so, or PostgreSQL goes through all that points below.
    """
    placed = Entry.objects.filter(message=OuterRef("pk"), message__gt=above)
    kept = RecoverableEntry.objects.filter(message=OuterRef("pk"), message__gt=above)
    return ~Q(Exists(placed)) & ~Q(Exists(kept))


def remove_unplaced_messages() -> int:
    """Delete messages that nobody can reach; returns how many. Their octets become dead blobs."""
    removed = 0
    last = 0
    while True:
        unplaced = Message.objects.filter(is_unplaced(above=last), pk__gt=last).order_by("pk")
        keys = list(unplaced.values_list("pk", flat=True)[:CHUNK])
        if not keys:
            return removed
        last = keys[-1]
        with transaction.atomic():
            # Not delete(): it would load these wide rows to look for what hangs on them.
            for kept in (Overview.objects, SearchText.objects, SortKeys.objects):
                derived = kept.filter(pk__in=keys)
                derived._raw_delete(derived.db)
            _leave_threads(keys)
            rows = Message.objects.filter(is_unplaced(), pk__in=keys)
            removed += rows._raw_delete(rows.db)


def _leave_threads(keys: list[int]) -> None:
    """Take messages out of their threads; the names of a thread go with its last message."""
    left = ThreadedMessage.objects.filter(pk__in=keys)
    threads = set(left.values_list("thread", flat=True))
    if not threads:
        return
    left._raw_delete(left.db)
    # A message may come into the thread this instant: it keeps it, later ones may miss it.
    others = ThreadedMessage.objects.filter(thread=OuterRef("thread"))
    names = ThreadName.objects.filter(~Q(Exists(others)), thread__in=listed(list(threads)))
    names._raw_delete(names.db)
