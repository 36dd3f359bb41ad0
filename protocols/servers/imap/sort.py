"""SORT and UID SORT, in slices that yield (RFC 5256 §3)."""

import time
from collections.abc import Iterator

from accounts.mailstore import search as store
from accounts.mailstore.sort import Sorting
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.wire.imap import responses
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.search import asks_modseq
from protocols.wire.imap.sort import Sort


def sort(client: Client, command: Sort) -> Iterator[Push | Reply]:
    """Find messages and name them in order, by number, or by UID for UID SORT."""
    view = client.selected
    with_modseq = asks_modseq(command.program)
    if with_modseq:
        yield note_condstore(client)
    yield client.news(may_expunge=command.is_uid)
    scope = store.Scope(view.told, view.uids, view.recent_runs(), int(time.time()), view.saved)
    found: list[int] = []
    for uids in store.search(scope, command.program):
        found += uids
        # Nothing to say yet, but others may have their turn.
        yield b""
    sorting = Sorting(client.folder_id, command.criteria)
    for _ in sorting.read(found):
        yield b""
    found = sorting.ordered(found)
    modseq = 0
    if with_modseq:
        modseqs, position = view.told.modseqs, view.told.position
        modseq = max((modseqs[position(uid)] for uid in found), default=0)
    if not command.is_uid:
        numbers = [view.number(uid) for uid in found]
        found = [number for number in numbers if number is not None]
    yield responses.sort(found, modseq)
    yield ok(command.tag, "Done.")
