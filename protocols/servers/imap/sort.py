"""SORT and UID SORT, in slices that yield (RFC 5256 §3, RFC 5267 §3)."""

from collections.abc import Iterator
from dataclasses import replace

from accounts.mailstore.sort import Sorting
from protocols.servers.imap.answers import bad, ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.filters import expanded_here
from protocols.servers.imap.progress import Progress
from protocols.servers.imap.search import (
    emptied_if_refused,
    highest_modseq,
    is_followed_already,
    matching,
    numbered,
    returned,
)
from protocols.wire.imap import responses
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.sort import Sort


def sort(client: Client, command: Sort) -> Iterator[Push | Reply]:
    """Find messages and name them in order, by number, or by UID for UID SORT."""
    if is_followed_already(client, command):
        yield bad(command.tag, "That tag is in use.")
        return
    progress = Progress(command.tag)
    relevancy: dict[int, int] = {}
    with emptied_if_refused(client, command):
        command = replace(command, program=expanded_here(client, command.program))
        found = yield from matching(
            client, command.program, progress, is_uid=command.is_uid, relevancy=relevancy, ways=2
        )
    count = len(client.selected.told)
    sorting = Sorting(client.folder_id, command.criteria, relevancy)
    for done in sorting.read(found):
        # A second way of the same kind: the count only grows, and the goal stays (RFC 9585 §4).
        yield progress.line(count + done, 2 * count)
    found = sorting.ordered(found)
    if command.return_options is None:
        modseq = highest_modseq(client.selected.told, command.program, found)
        yield responses.sort(numbered(client.selected, command, found), modseq)
    else:
        # RFC 5267 §3.1: ends, pages and all the rest are of the order asked for.
        yield from returned(client, command, found, relevancy)
    yield ok(command.tag, "Done.")
