"""The lines of a FETCH of a few messages, from what the process keeps of those of lately.

They are those of `fetch`, octet for octet.
"""

from collections.abc import Sequence
from functools import lru_cache

from accounts.blobs import Octets
from accounts.mailstore import lately
from accounts.mailstore.fetch import Columns
from accounts.mailstore.flags import Flag
from accounts.mailstore.lately import Kept
from accounts.mailstore.picture import pick
from protocols.servers.imap.client import Client
from protocols.servers.imap.fetch_lines import Plan, lines_with
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.sections import section_octets
from protocols.servers.imap.spans import Chunk
from protocols.wire.imap.fetch_items import BodySection, FetchItem
from protocols.wire.imap.responses import InPieces

FEW = 100
# Octets of sections in one answer, and in one that the reactor makes: to find the parts of so much
# takes a few milliseconds at worst.
OCTETS = 256 << 10
OCTETS_AT_HAND = 64 << 10
# Of so few messages all columns are read where some are asked for, lest the next FETCH read again.
READ = 50
READ_WHOLE = 40

_SERVED = int(lately.COLUMNS | Columns.OCTETS)
_SEEN = int(Flag.SEEN)


@lru_cache(maxsize=64)
def plan_of(items: tuple[FetchItem, ...], *, sets_seen: bool) -> Plan:
    """The plan of a FETCH, kept: mail programs ask for the same again and again."""
    return Plan(items, sets_seen=sets_seen)


def at_hand(client: Client, plan: Plan, chunk: Chunk) -> bytes | InPieces | None:
    """The lines of a chunk; None where something of it is not kept."""
    view = client.selected
    if not _is_served(view, plan, chunk):
        return None
    uids = pick(view.told.uids, chunk.places)
    messages = lately.at_hand(view.told, uids, with_octets=bool(plan.sections))
    if messages is None:
        return None
    return _lines(client, plan, chunk, uids, messages, OCTETS_AT_HAND)


def read(client: Client, plan: Plan, chunk: Chunk) -> bytes | InPieces | None:
    """The same, and what is not kept is read; None where that is better done by columns."""
    view = client.selected
    most = READ_WHOLE if plan.sections else READ
    if len(chunk) > most or plan.is_overview or not _is_served(view, plan, chunk):
        return None
    uids = pick(view.told.uids, chunk.places)
    messages = lately.read(view.told, uids, with_octets=bool(plan.sections))
    return None if messages is None else _lines(client, plan, chunk, uids, messages, OCTETS)


def _is_served(view: FolderView, plan: Plan, chunk: Chunk) -> bool:
    if len(chunk) > FEW or plan.binaries or int(plan.columns) & ~_SERVED:
        return False
    return not plan.sets_seen or all(bits & _SEEN for bits in pick(view.told.flags, chunk.places))


def _lines(
    client: Client,
    plan: Plan,
    chunk: Chunk,
    uids: Sequence[int],
    messages: Sequence[Kept],
    at_most: int,
) -> bytes | InPieces | None:
    bodies: dict[FetchItem, Sequence[Octets | None]] = {}
    if plan.sections:
        octets = [each.octets or b"" for each in messages]
        if sum(map(len, octets)) * len(plan.sections) > at_most:
            return None
        for section in plan.sections:
            assert isinstance(section, BodySection)
            bodies[section] = (
                octets
                if plan.is_whole
                else [
                    section_octets(section, each, uid, client.structures)
                    for uid, each in zip(uids, octets, strict=True)
                ]
            )
    found = lately.columns_of(messages)
    return lines_with(bodies, client.selected, plan.items, chunk.numbers, chunk.places, found)
