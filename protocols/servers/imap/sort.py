"""SORT and UID SORT, in slices that yield (RFC 5256 §3)."""

from collections.abc import Iterator

from accounts.mailstore.sort import Sorting
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.filters import expanded
from protocols.servers.imap.progress import Progress
from protocols.servers.imap.search import matching
from protocols.wire.imap import responses
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.search import asks_modseq
from protocols.wire.imap.sort import Sort


def sort(client: Client, command: Sort) -> Iterator[Push | Reply]:
    """Find messages and name them in order, by number, or by UID for UID SORT."""
    view = client.selected
    progress = Progress(command.tag)
    count = len(view.told)
    program = expanded(client, command.program)
    found = yield from matching(client, program, progress, is_uid=command.is_uid)
    sorting = Sorting(client.folder_id, command.criteria)
    for done in sorting.read(found):
        # A second way of the same kind, so that the count only grows.
        yield progress.line(count + done, count + len(found))
    found = sorting.ordered(found)
    modseq = 0
    if asks_modseq(program):
        modseqs, position = view.told.modseqs, view.told.position
        modseq = max((modseqs[position(uid)] for uid in found), default=0)
    if not command.is_uid:
        numbers = [view.number(uid) for uid in found]
        found = [number for number in numbers if number is not None]
    yield responses.sort(found, modseq)
    yield ok(command.tag, "Done.")
