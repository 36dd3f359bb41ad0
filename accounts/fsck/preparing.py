"""Renew what messages were prepared with by an older version."""

from accounts import blobs
from accounts.blobs import BlobMissing, Place
from accounts.fsck.findings import CHUNK, Progress
from accounts.mailstore import overview, sort_kept
from accounts.models import Message
from protocols.wire.message import PREPARED_VERSION, prepare

_PREPARED = (
    "envelope",
    "bodystructure",
    "body",
    "headers",
    "sent_at",
    "preview",
    "prepared_version",
)


def prepare_again(progress: Progress) -> int:
    """Renew the prepared forms that an older version made; returns how many."""
    renewed = 0
    last = 0
    columns = (
        "pk",
        "size",
        "internal_date",
        "zone_minutes",
        "prefix",
        "blob__segment_id",
        "blob__offset",
        "blob__length",
        "blob_id",
    )
    while True:
        old = Message.objects.filter(prepared_version__lt=PREPARED_VERSION, pk__gt=last)
        rows = list(old.order_by("pk").values_list(*columns)[:CHUNK])
        if not rows:
            return renewed
        last = rows[-1][0]
        messages = []
        overviews: dict[int, bytes | None] = {}
        for key, size, seconds, zone, prefix, *place in rows:
            try:
                # What was put on top at delivery is part of what its readers see.
                prepared = prepare(blobs.view(Place(*place)), prefix=bytes(prefix))
            except BlobMissing:
                continue
            overviews[key] = overview.pack(prepared, size=size, seconds=seconds, zone_minutes=zone)
            messages.append(
                Message(
                    pk=key,
                    envelope=prepared.envelope,
                    bodystructure=prepared.bodystructure,
                    body=prepared.body,
                    headers=prepared.headers,
                    sent_at=prepared.sent_at,
                    preview=prepared.preview,
                    prepared_version=prepared.version,
                )
            )
        Message.objects.bulk_update(messages, _PREPARED, batch_size=50)
        overview.renew(overviews)
        sort_kept.forget([message.pk for message in messages])
        renewed += len(messages)
        progress(f"{renewed} messages prepared again")
