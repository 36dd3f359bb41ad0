"""Remove what has long been settled; the octets are then free for the collector."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from delivery.models import QueuedMessage, QueuedRecipient

KEEP_SETTLED = timedelta(days=7)
_AT_ONCE = 500


def purge(now: datetime, *, keep: timedelta = KEEP_SETTLED) -> int:
    """Delete messages all of whose recipients were settled before `now - keep`; returns how many.

    In short transactions, so that mail is not kept waiting.
    """
    alive = QueuedRecipient.objects.filter(
        Q(settled_at__isnull=True) | Q(settled_at__gt=now - keep), message=OuterRef("pk")
    )
    purged = last = 0
    while True:
        # From where the last step ended: what stays is looked at once.
        old = QueuedMessage.objects.filter(~Exists(alive), queued_at__lt=now - keep, id__gt=last)
        ids = list(old.order_by("id").values_list("id", flat=True)[:_AT_ONCE])
        if not ids:
            return purged
        QueuedMessage.objects.filter(id__in=ids).delete()
        last = ids[-1]
        purged += len(ids)
