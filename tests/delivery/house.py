"""A small house for tests of delivery: tenants, mailboxes, aliases, and what arrived where."""

from accounts.blobs import Spool
from accounts.directory import Route, create_alias, create_domain, create_mailbox, resolve
from accounts.login import Identity
from accounts.mailstore import fetch
from accounts.models import Domain, Entry, Mailbox, Tenant
from delivery.envelope import Envelope, Recipient, Source
from delivery.models import QueuedMessage
from protocols.wire.smtp.address import parse_address

HELLO = b"From: Zoe <zoe@far.test>\r\nSubject: Hello\r\n\r\nHello.\r\n"


def make_mailbox(address: str, *, quota: int = 0) -> int:
    """A mailbox without password, its domain and tenant made where missing; returns its key."""
    domain = address.rpartition("@")[2]
    if not Domain.objects.filter(name=domain).exists():
        tenant = Tenant.objects.create(name=domain, slug=domain.replace(".", "-"))
        create_domain(tenant, domain)
    return create_mailbox(address, quota_bytes=quota).pk


def make_alias(address: str, *targets: str) -> None:
    create_alias(address, targets)


def identity_of(address: str) -> Identity:
    local, _, domain = address.partition("@")
    mailbox = Mailbox.objects.get(local_part=local, domain__name=domain)
    return Identity(mailbox.pk, mailbox.domain.tenant_id, address, mailbox.credential_version)


def envelope(
    *recipients: str,
    return_path: str = "zoe@far.test",
    is_smtputf8: bool = False,
    **source: object,
) -> Envelope[Route]:
    """An envelope whose recipients have been resolved, as a session makes it."""
    facts: dict[str, object] = {"helo": "far.test", "address": "192.0.2.9", **source}
    return Envelope(
        return_path,
        Source(**facts),
        is_smtputf8,
        [Recipient(name, resolve(parse_address(name))) for name in recipients],
    )


def spool(octets: bytes) -> Spool:
    made = Spool()
    made.write(octets)
    return made


def inbox(address: str) -> list[bytes]:
    """The messages in a mailbox's INBOX, oldest first."""
    local, _, domain = address.partition("@")
    mailbox = Mailbox.objects.get(local_part=local, domain__name=domain)
    folder_id = mailbox.folders.get(name="INBOX").pk
    uids = list(Entry.objects.filter(folder_id=folder_id).values_list("uid", flat=True))
    rows = fetch.fetch(folder_id, sorted(uids), columns=fetch.Columns.OCTETS)
    return list(fetch.octets_many(rows))


def queued() -> list[tuple[str, list[tuple[str, str]]]]:
    """(return path, [(address, original address)]) of every queued message."""
    return [
        (
            message.return_path,
            sorted(message.recipients.values_list("address", "original_address")),
        )
        for message in QueuedMessage.objects.order_by("pk")
    ]
