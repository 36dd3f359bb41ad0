"""Mailboxes and messages for tests of the mail store."""

from itertools import count

from accounts import commit
from accounts.mailstore import append, fetch, folders
from accounts.mailstore.append import Appended
from accounts.models import Domain, Entry, Folder, Mailbox, Tenant
from accounts.rows import Rows
from protocols.wire.message import prepare

_numbers = count(1)

HELLO = (
    b"From: Alice <alice@a.test>\r\nTo: bob@b.test\r\nSubject: Hello\r\n"
    b"Date: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <hello@a.test>\r\n\r\nHello, Bob.\r\n"
)


def make_mailbox(*, quota: int = 0, with_folders: bool = True) -> int:
    """A mailbox of its own domain and tenant; returns its key."""
    number = next(_numbers)
    tenant = Tenant.objects.create(name=f"T{number}", slug=f"t{number}")
    domain = Domain.objects.create(tenant=tenant, name=f"d{number}.test")
    mailbox = Mailbox.objects.create(domain=domain, local_part="alice", quota_bytes=quota)
    if with_folders:
        folders.provision(mailbox.pk)
    return mailbox.pk


def keep_nothing_deleted() -> None:
    """From here on what is deleted is gone."""
    Domain.objects.update(recoverable_days=0)


def inbox(mailbox_id: int) -> int:
    return folders.find_folder(mailbox_id, "INBOX").id


def append_many(mailbox_id: int, folder_id: int, number: int, flags: int = 0) -> list[int]:
    """Append that many messages at once; returns their UIDs, ascending."""
    futures = [
        append.append_message(mailbox_id, folder_id, HELLO + b"%d\r\n" % index, flags=flags)
        for index in range(number)
    ]
    return sorted(future.result(30).uid for future in futures)


def delivery(mailbox_id: int, octets: bytes, prefix: bytes = b"") -> commit.Unit[Appended]:
    """A Unit that delivers to INBOX, as SMTP does."""
    prepared = prepare(octets, prefix=prefix)

    def write(rows: Rows, blob_id: int | None) -> Appended:
        assert blob_id is not None
        return append.add_entry(
            rows,
            mailbox_id=mailbox_id,
            folder_id=None,
            blob_id=blob_id,
            prefix=prefix,
            prepared=prepared,
            octets_size=len(octets),
        )

    return commit.Unit(frozenset((mailbox_id,)), write, octets)


def content(folder_id: int) -> dict[int, bytes]:
    """The octets of every message in a folder, by UID."""
    uids = list(Entry.objects.filter(folder_id=folder_id).values_list("uid", flat=True))
    rows = fetch.fetch(folder_id, uids, columns=fetch.Columns.OCTETS)
    return dict(zip([row.uid for row in rows], fetch.octets_many(rows), strict=True))


def flags_of(folder_id: int) -> dict[int, int]:
    return dict(Entry.objects.filter(folder_id=folder_id).values_list("uid", "flags"))


def counters_agree(mailbox_id: int) -> bool:
    """True when every counter of the mailbox says what its entries say."""
    used = count = 0
    for folder in Folder.objects.filter(mailbox_id=mailbox_id):
        entries = list(folder.entries.values_list("uid", "flags", "modseq", "message__size"))
        octets = sum(entry[3] for entry in entries)
        used += octets
        count += len(entries)
        if (folder.exists_count, folder.octets) != (len(entries), octets):
            return False
        if folder.unseen_count != sum(1 for entry in entries if not entry[1] & 1):
            return False
        if any(uid >= folder.uidnext or seq > folder.highest_modseq for uid, _, seq, _ in entries):
            return False
    mailbox = Mailbox.objects.get(pk=mailbox_id)
    return (mailbox.used_bytes, mailbox.used_messages) == (used, count)
