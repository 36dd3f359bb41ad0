"""SEARCH and UID SEARCH, in slices that yield (RFC 3501 §6.4.4, RFC 4731, RFC 9051 §6.4.4)."""

import time
from collections.abc import Generator, Iterator, Sequence

from accounts.mailstore import search as store
from accounts.mailstore import thread_ids
from accounts.mailstore.locked import mailbox_of
from protocols.servers.imap.answers import ok, pauses
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.filters import expanded
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.progress import Progress
from protocols.wire.imap import commands, responses
from protocols.wire.imap.options import Page
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.search import SearchKey, asks_modseq, asks_thread


def search(client: Client, command: commands.Search) -> Iterator[Push | Reply]:
    """Find messages; the answer names them by number, or by UID for UID SEARCH."""
    view = client.selected
    progress = Progress(command.tag)
    program = expanded(client, command.program)
    found = yield from matching(client, program, progress, is_uid=command.is_uid)
    with_modseq = asks_modseq(program)
    options = command.return_options
    if options is None and client.is_rev2:
        # RFC 9051 §6.4.4: as if it had said RETURN (); ESEARCH is the one answer.
        options = frozenset()
    named = _named(found, options, command.page)
    modseq = _highest_modseq(view, named) if with_modseq else 0
    if options is not None and "SAVE" in options:
        view.save(named)
        options -= {"SAVE"}
        if not options and command.page is None:
            # RFC 5182 §2.1: to save is all that was asked.
            yield ok(command.tag, "Done.")
            return
    if not command.is_uid:
        numbers = [view.number(uid) for uid in found]
        found = [number for number in numbers if number is not None]
    if options is None:
        yield responses.search(found, modseq)
    else:
        yield responses.esearch(
            command.tag,
            is_uid=command.is_uid,
            returned=options,
            numbers=found,
            modseq=modseq,
            page=command.page,
        )
    yield ok(command.tag, "Done.")


def matching(
    client: Client, program: SearchKey, progress: Progress, *, is_uid: bool
) -> Generator[Push, None, list[int]]:
    """Say what is new; the value are the UIDs that match a program, ascending.

    EXPUNGE may be said where the answer names UIDs.
    """
    view = client.selected
    if asks_modseq(program):
        yield note_condstore(client)
    yield client.news(may_expunge=is_uid)
    if asks_thread(program):
        yield from pauses(thread_ids.catch_up(mailbox_of(client.folder_id)))
    scope = store.Scope(view.told, view.uids, view.recent_runs(), int(time.time()), view.saved)
    found: list[int] = []
    count, size = len(view.told), store.slice_size(program)
    for done, uids in enumerate(store.search(scope, program), 1):
        found += uids
        # Mostly nothing to say yet, but others may have their turn.
        yield progress.line(min(done * size, count), count)
    return found


def _named(uids: list[int], options: frozenset[str] | None, page: Page | None) -> Sequence[int]:
    """The messages that the answer names: all unless only ends or a page of them are asked for.

    They are what SAVE keeps (RFC 5182 §2.4, RFC 9394 §3.1), and what MODSEQ is about (RFC 4731
    §3.2).
    """
    asked = (options or frozenset()) - {"SAVE"}
    if not (asked or page) or asked & {"ALL", "COUNT"}:
        return uids
    found = set(page.cut(uids)) if page is not None else set()
    if "MIN" in asked:
        found.update(uids[:1])
    if "MAX" in asked:
        found.update(uids[-1:])
    return sorted(found)


def _highest_modseq(view: FolderView, uids: Sequence[int]) -> int:
    places = [view.told.position(uid) for uid in uids]
    return max((view.told.modseqs[place] for place in places), default=0)
