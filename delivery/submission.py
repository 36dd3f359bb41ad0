"""Mail from our own users: who may send as whom, then one commit for local and remote alike.

A user sends as their own address, with any detail behind the separator, and as any alias that
leads to their mailbox: in MAIL FROM and in the From field (RFC 6409 §6.1), wherever in it an
address may be read. The same holds for mailboxes that have given the user the right to send as
them.
"""

from concurrent.futures import Future

from accounts import directory
from accounts.blobs import Spool
from accounts.directory import AddressLike, Route
from accounts.directory.names import fold_domain, fold_local, split_address
from accounts.login import Identity
from delivery import acceptance, queue
from delivery.envelope import Envelope
from delivery.local import Parcel
from protocols.wire.message import (
    ADDRESS_OCTETS,
    Buffer,
    author_values,
    parse_addresses,
    plain_addresses,
)
from protocols.wire.smtp.reply import Reply

# More authors than any honest message has; each may cost a query.
_AUTHORS_LIMIT = 20

FOREIGN_AUTHOR = Reply(550, "5.7.1", "The From field names an address that is not yours")
BAD_AUTHOR = Reply(550, "5.7.1", "The From field must name an address of yours")


def is_own(identity: Identity, address: AddressLike) -> bool:
    """Whether it is plainly the user's own address; asks nobody."""
    own = fold_local(address.local), fold_domain(address.domain)
    return own == split_address(identity.address)


def may_send_as(identity: Identity, address: AddressLike) -> bool:
    """Whether the user may use this address; a few queries where it is not their own."""
    return is_own(identity, address) or directory.may_send_as(identity.mailbox_id, address)


def accept(identity: Identity, envelope: Envelope[Route], spool: Spool) -> Future[Reply]:
    """Take responsibility for a user's message, or say why not.

    Call it in a pool thread: it reads the octets and perhaps the database. The spool is given up.
    No recipient's route is a refusal.
    """
    octets = spool.octets()
    if refusal := acceptance.refuse_loop(octets) or _refuse_author(identity, octets):
        return acceptance.refused(refusal, spool)
    spool = acceptance.strip(spool)
    octets = spool.octets()
    queue_id = queue.new_queue_id()
    author = envelope.return_path or identity.address
    parcel = Parcel(
        queue_id=queue_id,
        return_path=envelope.return_path,
        recipients=envelope.recipients,
        octets=octets,
        trace=acceptance.trace(envelope, octets, queue_id, author=author),
        is_smtputf8=acceptance.needs_smtputf8(envelope, octets),
        tenant_id=identity.tenant_id,
        sender_id=identity.mailbox_id,
    )
    return acceptance.store(parcel, spool, envelope)


class _Author:
    """An author's address as the directory asks for it."""

    def __init__(self, local: bytes, domain: bytes) -> None:
        self.local = local.decode("utf-8", "replace")
        self.domain = domain.decode("utf-8", "replace")


def _refuse_author(identity: Identity, octets: Buffer) -> Reply | None:
    """Refuse a From field (every one of them) that names anybody else, or nobody."""
    for value in author_values(octets):
        if not value.strip():
            continue
        # A longer one is read in part only.
        if len(value) > ADDRESS_OCTETS:
            return BAD_AUTHOR
        authors = parse_addresses(value, _AUTHORS_LIMIT + 1)
        if not 0 < len(authors) <= _AUTHORS_LIMIT:
            return BAD_AUTHOR
        # Whom other programs may read there, which care less for angles.
        others = plain_addresses(value, _AUTHORS_LIMIT + 1)
        if not all(author.local and author.domain for author in authors):
            return BAD_AUTHOR
        if len(others) > _AUTHORS_LIMIT:
            return BAD_AUTHOR
        named = {(author.local or b"", author.domain or b"") for author in authors}
        for local, domain in named.union(others):
            if not may_send_as(identity, _Author(local, domain)):
                return FOREIGN_AUTHOR
    return None
