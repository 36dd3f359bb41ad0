"""SEARCH and UID SEARCH, in slices that yield (RFC 3501 §6.4.4, RFC 4731)."""

import time
from collections.abc import Iterator

from accounts.mailstore import search as store
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import commands, responses
from protocols.wire.imap.responses import Push, Reply


def search(client: Client, command: commands.Search) -> Iterator[Push | Reply]:
    """Find messages; the answer names them by number, or by UID for UID SEARCH."""
    view = client.selected
    yield client.news(may_expunge=command.is_uid)
    scope = store.Scope(view.told, view.uids, view.recent_runs(), int(time.time()))
    found: list[int] = []
    for uids in store.search(scope, command.program):
        found += uids
        # Nothing to say yet, but others may have their turn.
        yield b""
    if not command.is_uid:
        numbers = [view.number(uid) for uid in found]
        found = [number for number in numbers if number is not None]
    if command.return_options is None:
        yield responses.search(found)
    else:
        yield responses.esearch(
            command.tag, is_uid=command.is_uid, returned=command.return_options, numbers=found
        )
    yield ok(command.tag, "Done.")
