"""FETCH responses that a client asked for in advance, of messages to come (RFC 5465 §5.2, §7)."""

from collections.abc import Collection, Iterator, Sequence

from accounts.blobs import BlobMissing
from accounts.mailstore import thread_ids
from accounts.mailstore.fetch import Columns
from accounts.mailstore.fetch import fetch as fetch_rows
from protocols.servers.imap.answers import pauses
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.fetch import fetched
from protocols.servers.imap.fetch_lines import Plan
from protocols.servers.imap.news import Overflow
from protocols.servers.imap.watch import Fetcher
from protocols.wire.imap.fetch_items import Attribute, FetchItem
from protocols.wire.imap.responses import Bye
from protocols.wire.imap.sequence_set import Range, SequenceSet

# New messages of which more than their number is told unasked, and the octets of them together.
MAX_ARRIVALS = 1000
MAX_OCTETS = 8 << 20


def get_ready(client: Client, items: Collection[FetchItem]) -> Iterator[bytes]:
    """What these items need before there is any message to tell them of; lines, if any."""
    if Attribute.MODSEQ in items:
        yield note_condstore(client)
    if Attribute.THREADID in items:
        # What is old may be much; the new ones are few by then.
        view = client.view
        owner_id = client.mailbox_id if view is None else view.told.mailbox_id
        yield from pauses(thread_ids.catch_up(owner_id))


def fetcher(client: Client, items: Sequence[FetchItem]) -> Fetcher:
    """What tells these items of messages of the selected folder, given their UIDs; Overflow."""
    wanted = tuple(dict.fromkeys((Attribute.UID, *items)))
    return lambda uids: _lines(client, wanted, uids)


def _lines(client: Client, items: tuple[FetchItem, ...], uids: Sequence[Range]) -> bytes:
    if client.tells_modseq and Attribute.MODSEQ not in items:
        # RFC 7162 §3.1: in every FETCH that was not asked for.
        items = (*items, Attribute.MODSEQ)
    # RFC 5465 §5.2 advises against items that set \Seen; none of these does.
    plan = Plan(items, sets_seen=False)
    view = client.selected
    spans = view.select(SequenceSet(tuple(uids)), is_uid=True) or []
    count = sum(last - first for first, last in spans)
    if count > MAX_ARRIVALS:
        raise Overflow
    if plan.sections and count:
        named = [uid for first, last in spans for uid in view.uids[first:last]]
        sizes = [row.size or 0 for row in fetch_rows(client.folder_id, named, columns=Columns.SIZE)]
        if sum(sizes) * len(plan.sections) > MAX_OCTETS:
            raise Overflow
    if Attribute.THREADID in items:
        for _ in thread_ids.catch_up(view.told.mailbox_id):
            pass
    lines = b""
    try:
        for push in fetched(client, plan, spans):
            if isinstance(push, Bye) or len(lines) + len(push) > MAX_OCTETS * 2:
                raise Overflow
            lines += bytes(push)
    except BlobMissing:
        raise Overflow from None
    return lines
