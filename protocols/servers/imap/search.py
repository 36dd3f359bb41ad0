"""SEARCH and UID SEARCH, in slices that yield (RFC 3501 §6.4.4, RFC 4731)."""

import time
from collections.abc import Iterator

from accounts.mailstore import search as store
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.folder_view import FolderView
from protocols.wire.imap import commands, responses
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.search import asks_modseq


def search(client: Client, command: commands.Search) -> Iterator[Push | Reply]:
    """Find messages; the answer names them by number, or by UID for UID SEARCH."""
    view = client.selected
    with_modseq = asks_modseq(command.program)
    if with_modseq:
        yield note_condstore(client)
    yield client.news(may_expunge=command.is_uid)
    scope = store.Scope(view.told, view.uids, view.recent_runs(), int(time.time()))
    found: list[int] = []
    for uids in store.search(scope, command.program):
        found += uids
        # Nothing to say yet, but others may have their turn.
        yield b""
    options = command.return_options
    modseq = _highest_modseq(view, found, options) if with_modseq else 0
    if not command.is_uid:
        numbers = [view.number(uid) for uid in found]
        found = [number for number in numbers if number is not None]
    if options is None:
        yield responses.search(found, modseq)
    else:
        yield responses.esearch(
            command.tag, is_uid=command.is_uid, returned=options, numbers=found, modseq=modseq
        )
    yield ok(command.tag, "Done.")


def _highest_modseq(view: FolderView, uids: list[int], options: frozenset[str] | None) -> int:
    """The highest mod-sequence of the messages that the answer names (RFC 4731 §3.2)."""
    if options and options <= {"MIN", "MAX"}:
        ends = {"MIN": uids[:1], "MAX": uids[-1:]}
        uids = [uid for option in options for uid in ends[option]]
    places = [view.told.position(uid) for uid in uids]
    return max((view.told.modseqs[place] for place in places), default=0)
