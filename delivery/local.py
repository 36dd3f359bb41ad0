"""From routes to rows: one plan a message, written whole in one commit.

A plan holds an entry for each mailbox (once, whichever recipients lead there) and the queue rows of
all that goes elsewhere. Who commits something else with it (a settled queue row and the report
about it) makes a Unit of its own around `Plan.write`.
"""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from accounts import commit
from accounts.blobs import Spool
from accounts.commit import Rows, Unit
from accounts.directory import Route
from accounts.mailstore.append import add_entry
from delivery import queue
from delivery.envelope import Recipient, delivery_fields
from protocols.wire.message import Buffer, Prepared, prepare
from protocols.wire.message.octets import is_ascii


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way to `recipients`.

    `octets` are as received; `trace` is what goes on top of them for everybody: whole header
    fields, with an empty line where the octets do not begin with one. `tenant_id` and `sender_id`
    are those of a submission.
    """

    queue_id: str
    return_path: str
    recipients: Iterable[Recipient[Route]]
    octets: Buffer
    trace: bytes = b""
    is_smtputf8: bool = False
    tenant_id: int | None = None
    sender_id: int | None = None

    @property
    def size(self) -> int:
        return len(self.trace) + len(self.octets)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a message becomes: a trace prefix for each mailbox, and queued messages by tenant."""

    parcel: Parcel
    prefixes: dict[int, bytes]
    queued: dict[int | None, list[tuple[str, str]]]
    prepared: Prepared | None
    is_8bit: bool

    @property
    def mailbox_ids(self) -> frozenset[int]:
        """What the Unit that writes this must lock."""
        return frozenset(self.prefixes)

    def write(self, rows: Rows, blob_id: int | None) -> None:
        """Make the rows. MailboxGone or FolderGone undo the whole message: nothing is written."""
        assert blob_id is not None
        parcel = self.parcel
        for mailbox_id, prefix in self.prefixes.items():
            assert self.prepared is not None
            add_entry(
                rows,
                mailbox_id=mailbox_id,
                folder_id=None,
                blob_id=blob_id,
                prefix=prefix,
                prepared=self.prepared,
                octets_size=len(parcel.octets),
                octets=parcel.octets,
            )
        queue_id = parcel.queue_id
        for tenant_id, recipients in self.queued.items():
            queue.add_rows(
                rows,
                blob_id,
                queue_id=queue_id,
                prefix=parcel.trace,
                size=parcel.size,
                return_path=parcel.return_path,
                recipients=recipients,
                tenant_id=tenant_id,
                sender_id=parcel.sender_id,
                is_8bit=self.is_8bit,
                is_smtputf8=parcel.is_smtputf8,
            )
            # A queued message belongs to one tenant: where aliases of two lead away from here,
            # the second takes an id of its own.
            queue_id = queue.new_queue_id()


def plan(parcel: Parcel) -> Plan:
    """Decide where each copy goes. The first recipient that leads to a mailbox names it."""
    prefixes: dict[int, bytes] = {}
    queued: dict[int | None, dict[str, str]] = {}
    for recipient in parcel.recipients:
        route = recipient.route
        for mailbox in route.mailboxes:
            if mailbox.id not in prefixes:
                fields = delivery_fields(
                    return_path=parcel.return_path,
                    original=recipient.address,
                    delivered_to=mailbox.address,
                )
                prefixes[mailbox.id] = fields + parcel.trace
        tenant_id = parcel.tenant_id or route.tenant_id
        for address in route.forwards:
            queued.setdefault(tenant_id, {}).setdefault(address, recipient.address)
        if route.kind == "remote":
            queued.setdefault(tenant_id, {}).setdefault(recipient.address, "")
    prepared = prepare(parcel.octets, prefix=parcel.trace) if prefixes else None
    return Plan(
        parcel,
        prefixes,
        {tenant_id: list(addresses.items()) for tenant_id, addresses in queued.items()},
        prepared,
        bool(queued) and not (parcel.trace.isascii() and is_ascii(parcel.octets)),
    )


def deliver(parcel: Parcel, spool: bytes | Spool) -> Future[None]:
    """Commit a message whole, its octets from `spool`.

    The Future raises MailboxGone or FolderGone when a recipient vanished meanwhile (nothing was
    stored for anybody), CommitUnavailable or OutOfSpace.
    """
    made = plan(parcel)
    return commit.submit(Unit(made.mailbox_ids, made.write, spool))
