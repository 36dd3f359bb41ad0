"""Append several messages to a folder, all or none of them (RFC 3502).

Octets are stored as the messages come, each in a commit of its own, so that no memory and no open
file waits for the last of them; one more commit then puts all of them into the folder. Octets that
it never comes to are dead space, which the collector frees.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from accounts import commit
from accounts.blobs import Spool
from accounts.mailstore.append import Appended, add_entry
from accounts.mailstore.locked import require_name
from accounts.mailstore.quota import require_room
from accounts.mailstore.refusals import TookTooLong
from accounts.models import Blob
from accounts.rows import Rows
from protocols.wire.message import Prepared, prepare


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that is in no folder yet; `blob` is the key of its octets once they are durable."""

    blob: Future[int]
    size: int
    prepared: Prepared
    flags: int
    keywords: tuple[str, ...]
    internal_date: int | None
    zone_minutes: int

    @property
    def held(self) -> int:
        """Octets of memory it takes, about."""
        made = self.prepared
        return len(made.envelope) + len(made.bodystructure) + len(made.body) + len(made.headers)


def store(
    octets: Spool,
    *,
    flags: int,
    keywords: tuple[str, ...],
    internal_date: int | None,
    zone_minutes: int,
) -> Stored:
    """Store the octets of a message. The spool is discarded once they are, or are not.

    `Stored.blob` raises CommitUnavailable or OutOfSpace.
    """
    size = octets.size
    prepared = prepare(octets.octets())

    def write(rows: Rows, blob_id: int | None) -> int:
        assert blob_id is not None
        return blob_id

    future = commit.submit(commit.Unit(frozenset(), write, octets))
    future.add_done_callback(lambda _done: octets.discard())
    return Stored(future, size, prepared, flags, keywords, internal_date, zone_minutes)


def append_stored(
    mailbox_id: int, folder_id: int, messages: Sequence[Stored], *, folder_name: str, actor: int
) -> Future[list[Appended]]:
    """Put all messages into a folder, in one commit; resolved once that is durable.

    `folder_name` is what the owner must still call the folder. Waits for their octets, and raises
    what that did: CommitUnavailable or OutOfSpace. The Future raises NoSuchFolder, NotPermitted,
    OverQuota, TooManyKeywords, TookTooLong, CommitUnavailable.
    """
    keys = [message.blob.result() for message in messages]
    size = sum(message.size for message in messages)

    def write(rows: Rows, blob_id: int | None) -> list[Appended]:
        require_name(rows, folder_id, folder_name)
        require_room(rows.mailbox(mailbox_id), size, len(messages))
        rows.direct()
        # Held until the commit, so that the collector does not take them now.
        held = Blob.objects.select_for_update(no_key=True).filter(pk__in=keys)
        if len(held.values_list("pk")) < len(keys):
            raise TookTooLong("The messages came too slowly.")
        return [
            add_entry(
                rows,
                mailbox_id=mailbox_id,
                folder_id=folder_id,
                blob_id=key,
                prefix=b"",
                prepared=message.prepared,
                octets_size=message.size,
                flags=message.flags,
                keywords=message.keywords,
                internal_date=message.internal_date,
                zone_minutes=message.zone_minutes,
                actor=actor,
            )
            for key, message in zip(keys, messages, strict=True)
        ]

    unit = commit.Unit(
        frozenset((mailbox_id,)), write, folder_ids=frozenset((folder_id,)), rows=len(messages)
    )
    return commit.submit(unit)
