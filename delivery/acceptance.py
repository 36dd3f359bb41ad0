"""What every message passes on its way in, by whichever door, and the reply once it is durable."""

import time
from concurrent.futures import Future

import structlog
from django.conf import settings

from accounts.blobs import Spool
from accounts.commit import CommitUnavailable, FolderGone, MailboxGone, OutOfSpace
from accounts.directory import Route
from delivery import local
from delivery.a_labels import with_a_labels
from delivery.envelope import Envelope, date_of, received_field
from delivery.local import Parcel
from protocols.wire.message import (
    Buffer,
    add_missing_fields,
    begins_with_field,
    count_received,
    ranges_to_strip,
    split_header,
)
from protocols.wire.message.header import HEADER_LIMIT
from protocols.wire.message.octets import take
from protocols.wire.smtp.reply import Reply

log = structlog.get_logger(__name__)

# RFC 5321 §6.3: a message that came so far goes in circles; the limit is to be large.
HOPS_LIMIT = 100
_COPY = 1 << 20

TOO_MANY_HOPS = Reply(554, "5.4.6", "Too many hops: the message goes in circles")
NO_SPACE = Reply(452, "4.3.1", "Insufficient storage, try again later")
UNAVAILABLE = Reply(451, "4.3.0", "Cannot store the message now, try again later")
RECIPIENT_CHANGED = Reply(451, "4.2.1", "A recipient's mailbox has just changed, try again")


def refuse_loop(octets: Buffer) -> Reply | None:
    """The refusal of a message with too many Received fields."""
    header = take(octets, 0, min(split_header(octets), HEADER_LIMIT))
    return TOO_MANY_HOPS if count_received(header) > HOPS_LIMIT else None


def strip(spool: Spool) -> Spool:
    """The spool, or one without the fields only we may write; the first is discarded then."""
    octets = spool.octets()
    ranges = ranges_to_strip(octets, authserv_id=settings.MAILHOST.hostname.encode())
    if not ranges:
        return spool
    stripped = Spool()
    at = 0
    for start, end in (*ranges, (len(octets), len(octets))):
        for piece in range(at, start, _COPY):
            stripped.write(take(octets, piece, min(piece + _COPY, start)))
        at = end
    spool.discard()
    return stripped


def trace(
    envelope: Envelope[Route], octets: Buffer, queue_id: str, *, author: str | None = None
) -> bytes:
    """The Received field, and what closes it where the octets do not begin with a header field.

    With an `author` (perhaps "") the fields that a message must have are added where missing.
    """
    now = int(time.time())
    hostname = settings.MAILHOST.hostname
    received = received_field(envelope, hostname=hostname, queue_id=queue_id, at=now)
    if author is None:
        return received if begins_with_field(octets) else received + b"\r\n"
    return received + add_missing_fields(
        octets,
        message_id=f"<{queue_id}@{hostname}>".encode(),
        date=date_of(now).encode(),
        # As in the Received field: an IDN alone must not make the message need SMTPUTF8.
        sender=with_a_labels(author).encode(),
    )


def needs_smtputf8(envelope: Envelope[Route], octets: Buffer) -> bool:
    """Whether only a peer with SMTPUTF8 can take the message: declared, and truly used."""
    if not envelope.is_smtputf8:
        return False
    return not (envelope.is_ascii and take(octets, 0, split_header(octets)).isascii())


def store(parcel: Parcel, spool: Spool, envelope: Envelope[Route]) -> Future[Reply]:
    """Deliver, and answer once the message is durable; the spool is given up."""
    log.info(
        "message.received",
        queue_id=parcel.queue_id,
        peer=envelope.source.address,
        return_path=parcel.return_path,
        recipients=len(envelope.recipients),
        size=parcel.size,
    )
    answer: Future[Reply] = Future()

    def settle(done: Future[None]) -> None:
        # The committer runs this between two commits: it must stay short.
        spool.discard()
        try:
            answer.set_result(_reply(done, parcel.queue_id))
        except Exception as error:  # noqa: BLE001 (whoever waits for the answer logs it)
            answer.set_exception(error)

    local.deliver(parcel, spool).add_done_callback(settle)
    return answer


def refused(reply: Reply, spool: Spool) -> Future[Reply]:
    """An answer that is known at once; the spool is given up."""
    spool.discard()
    answer: Future[Reply] = Future()
    answer.set_result(reply)
    return answer


def _reply(done: Future[None], queue_id: str) -> Reply:
    match done.exception():
        case None:
            return Reply(250, "2.0.0", f"Ok: queued as {queue_id}")
        case OutOfSpace():
            reply = NO_SPACE
        case CommitUnavailable():
            reply = UNAVAILABLE
        case MailboxGone() | FolderGone():
            # Nothing was stored. When the sender comes again, the directory knows better: whoever
            # is gone is refused at RCPT, and nobody gets the message twice.
            reply = RECIPIENT_CHANGED
        case error:
            raise error
    log.warning("message.not_stored", queue_id=queue_id, reply=str(reply))
    return reply
