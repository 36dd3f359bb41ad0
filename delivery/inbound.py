"""Mail from other hosts, for our mailboxes and aliases: the last checks, then one commit."""

from concurrent.futures import Future

from accounts.blobs import Spool
from accounts.directory import Route
from delivery import acceptance, queue
from delivery.envelope import Envelope
from delivery.local import Parcel
from protocols.wire.smtp.reply import Reply


def accept(envelope: Envelope[Route], spool: Spool) -> Future[Reply]:
    """Take responsibility for a message (RFC 5321 §4.2.5), or say why not.

    Call it in a pool thread: it reads and perhaps copies the octets. The spool is given up. Every
    recipient's route is local or forward.
    """
    if refusal := acceptance.refuse_loop(spool.octets()):
        return acceptance.refused(refusal, spool)
    spool = acceptance.strip(spool)
    octets = spool.octets()
    queue_id = queue.new_queue_id()
    # A program on this very host that speaks SMTP may lack the manners of a mail program.
    author = envelope.return_path if envelope.source.is_loopback else None
    parcel = Parcel(
        queue_id=queue_id,
        return_path=envelope.return_path,
        recipients=envelope.recipients,
        octets=octets,
        trace=acceptance.trace(envelope, octets, queue_id, author=author),
        is_smtputf8=acceptance.needs_smtputf8(envelope, octets),
    )
    return acceptance.store(parcel, spool, envelope)
