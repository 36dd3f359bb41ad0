"""Make parcels of claims: one message for the recipients of one destination."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from accounts import blobs
from accounts.blobs import BlobMissing
from delivery.bounces import RETURN_HEADER, RETURN_WHOLE
from delivery.queue import Claim
from delivery.transport.loop import LARGE

log = logging.getLogger(__name__)

# RFC 5321 §4.5.3.1.8: a server must take at least 100 recipients.
RECIPIENTS = 100

RELAY = "relay"


def group(claims: Iterable[Claim], *, is_relayed: bool) -> Iterator[tuple[str, list[Claim]]]:
    """Lanes and the claims that travel together; behind a relay there is only one lane."""
    together: dict[tuple[int, str], list[Claim]] = {}
    for claim in claims:
        lane = RELAY if is_relayed else claim.destination
        together.setdefault((claim.message_id, lane), []).append(claim)
    for (_, lane), members in together.items():
        for start in range(0, len(members), RECIPIENTS):
            yield lane, members[start : start + RECIPIENTS]


def read_octets(claims: Sequence[Claim]) -> dict[int, Callable[[], bytes]]:
    """What gives each message's octets, by message id; messages that cannot be read are left out.

    Small ones are read here together; large ones are mapped, and copied when their turn comes. No
    call of the result touches the database.
    """
    found: dict[int, Callable[[], bytes]] = {}
    messages = {claim.message_id: claim for claim in claims}
    small = [claim for claim in messages.values() if claim.size <= LARGE]
    try:
        read = blobs.read_many([claim.place for claim in small])
        for claim, octets in zip(small, read, strict=True):
            found[claim.message_id] = partial(_joined, claim.prefix, octets)
    except (BlobMissing, OSError):
        # One of them spoils the batch: read one by one, and lose only that one.
        for claim in small:
            _add(found, claim, blobs.read)
    for claim in messages.values():
        if claim.size > LARGE:
            _add(found, claim, blobs.view)
    return found


def read_original(claim: Claim) -> bytes:
    """As much of the message as a report to its sender returns; what cannot be read is left out."""
    wanted = RETURN_WHOLE if claim.size <= RETURN_WHOLE else RETURN_HEADER
    try:
        return claim.prefix + blobs.read(claim.place, 0, wanted)
    except (BlobMissing, OSError):
        log.exception("%s cannot be read", claim.queue_id)
        return claim.prefix


def _add(
    found: dict[int, Callable[[], bytes]],
    claim: Claim,
    read: Callable[[blobs.Place], bytes | memoryview],
) -> None:
    try:
        found[claim.message_id] = partial(_joined, claim.prefix, read(claim.place))
    except (BlobMissing, OSError):
        log.exception("%s cannot be read", claim.queue_id)


def _joined(prefix: bytes, octets: bytes | memoryview) -> bytes:
    return b"".join((prefix, octets))
