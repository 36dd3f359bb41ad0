"""SEARCH and UID SEARCH, in slices that yield (RFC 3501 §6.4.4, RFC 4731, RFC 9051 §6.4.4)."""

import time
from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from accounts.mailstore import search as store
from accounts.mailstore import thread_ids
from accounts.mailstore.picture import Picture
from accounts.mailstore.refusals import StoreRefusal
from accounts.mailstore.search_fuzzy import BEST
from protocols.servers.imap.answers import bad, ok, pauses
from protocols.servers.imap.arrivals import fetcher, get_ready
from protocols.servers.imap.client import Client
from protocols.servers.imap.contexts import Followed, fixed
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.filters import expanded_here
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.progress import Progress
from protocols.wire.imap import commands, responses
from protocols.wire.imap.contexts import CancelUpdate, no_update
from protocols.wire.imap.options import Page
from protocols.wire.imap.responses import Origin, Push, Reply, Tagged
from protocols.wire.imap.search import (
    SearchKey,
    asks_fuzzy,
    asks_modseq,
    asks_numbers,
    asks_thread,
)
from protocols.wire.imap.sort import Sort

# What asks for results, some of them with RETURN.
_Returning: TypeAlias = commands.Search | Sort | commands.MultiSearch
# What asks for something later on, not for results.
_LATER = frozenset(("UPDATE", "CONTEXT"))


def search(client: Client, command: commands.Search) -> Iterator[Push | Reply]:
    """Find messages; the answer names them by number, or by UID for UID SEARCH."""
    if is_followed_already(client, command):
        yield bad(command.tag, "That tag is in use.")
        return
    progress = Progress(command.tag)
    relevancy: dict[int, int] = {}
    with emptied_if_refused(client, command):
        command = replace(command, program=expanded_here(client, command.program))
        found = yield from matching(
            client, command.program, progress, is_uid=command.is_uid, relevancy=relevancy
        )
    if command.return_options is None and not client.is_rev2:
        modseq = highest_modseq(client.selected.told, command.program, found)
        yield responses.search(numbered(client.selected, command, found), modseq)
    else:
        yield from returned(client, command, found, relevancy)
    yield ok(command.tag, "Done.")


def cancel_update(client: Client, command: CancelUpdate) -> Tagged:
    """CANCELUPDATE (RFC 5267 §4.3.5)."""
    if not client.contexts.cancel(command.cancelled):
        return bad(command.tag, "No such search is followed.")
    return ok(command.tag, "Done.")


def is_followed_already(client: Client, command: _Returning) -> bool:
    """Whether UPDATE is asked for under a tag that is in use (RFC 5267 §4.3)."""
    return "UPDATE" in (command.return_options or ()) and command.tag in client.contexts


@contextmanager
def emptied_if_refused(client: Client, command: _Returning) -> Iterator[None]:
    """RFC 5182 §2.1: a search that was to be saved and is answered NO leaves `$` empty."""
    try:
        yield
    except StoreRefusal:
        if client.view is not None and "SAVE" in (command.return_options or ()):
            client.view.save([])
        raise


def returned(
    client: Client,
    command: _Returning,
    found: Sequence[int],
    relevancy: Mapping[int, int],
    origin: Origin | None = None,
) -> Iterator[Push | Reply]:
    """ESEARCH for UIDs found, in order, and what else RETURN asks for.

    RFC 9051 §6.4.4: a SEARCH without RETURN is answered as one with RETURN () there.
    """
    view = client.selected
    options = command.return_options or frozenset()
    if "SAVE" in options:
        view.save(sorted(_named(found, options, command.page)))
    # RFC 5182 §2.1: to save may be all that was asked; RFC 7377 §2.1: folders without results are
    # not spoken of.
    if (found or origin is None) and (options - _LATER != {"SAVE"} or command.page is not None):
        yield esearch_line(
            command, view.told, found, numbered(view, command, found), relevancy, origin
        )
    if "UPDATE" not in options:
        return
    if not _follow(client, command, found, origin):
        yield not_followed(command.tag)
    else:
        yield from get_ready(client, command.update_items)


def esearch_line(
    command: _Returning,
    picture: Picture,
    found: Sequence[int],
    numbers: Sequence[int],
    relevancy: Mapping[int, int],
    origin: Origin | None = None,
) -> bytes:
    """The ESEARCH response for UIDs found in a picture, which the answer calls `numbers`."""
    options = (command.return_options or frozenset()) - _LATER
    named = _named(found, options, command.page)
    return responses.esearch(
        command.tag,
        is_uid=command.is_uid,
        returned=options - {"SAVE"},
        numbers=numbers,
        modseq=highest_modseq(picture, command.program, named),
        page=command.page,
        relevancy=[relevancy.get(uid, BEST) for uid in found],
        origin=origin,
    )


def not_followed(tag: bytes) -> bytes:
    """What is said to who asks for UPDATE in vain (RFC 5267 §4.3.1)."""
    return responses.untagged("NO", "The results will not be followed.", no_update(tag))


def _follow(
    client: Client, command: _Returning, found: Sequence[int], origin: Origin | None
) -> bool:
    if asks_fuzzy(command.program) or not client.wanted.messages:
        # How much messages are like it is known of those found alone; of new ones the client
        # wants to hear nothing.
        return False
    criteria = command.criteria if isinstance(command, Sort) else ()
    program = fixed(command.program, client.selected)
    results = array("Q", found)
    fetch = fetcher(client, command.update_items) if command.update_items else None
    return client.contexts.follow(
        Followed(command.tag, command.is_uid, program, criteria, results, origin, fetch)
    )


def numbered(view: FolderView, command: _Returning, found: Sequence[int]) -> Sequence[int]:
    """What the answer calls UIDs that were found."""
    if command.is_uid:
        return found
    numbers = [view.number(uid) for uid in found]
    return [number for number in numbers if number is not None]


def matching(
    client: Client,
    program: SearchKey,
    progress: Progress,
    *,
    is_uid: bool,
    relevancy: dict[int, int] | None = None,
    ways: int = 1,
) -> Generator[Push, None, list[int]]:
    """Say what is new; the value are the UIDs that match a program, ascending.

    EXPUNGE may be said where nothing goes by number, neither the answer nor the program: the client
    wrote its numbers before it could hear of it (RFC 7162 §3.2.10.2). What FUZZY keys find of
    messages comes into `relevancy`, by UID. `ways`: how often the command goes through the folder,
    this the first.
    """
    view = client.selected
    if asks_modseq(program):
        yield note_condstore(client)
    yield client.news(may_expunge=is_uid and not asks_numbers(program))
    goal = ways * len(view.told)
    found = yield from scanned(scope_of(view, relevancy), program, progress, goal=goal)
    return found


def scope_of(view: FolderView, relevancy: dict[int, int] | None = None) -> store.Scope:
    """What a search of the selected folder looks at, and where it keeps relevancy."""
    scores = {} if relevancy is None else relevancy
    return store.Scope(
        view.told, view.uids, view.recent_runs(), int(time.time()), view.saved, scores
    )


def scanned(
    scope: store.Scope, program: SearchKey, progress: Progress, *, done: int = 0, goal: int
) -> Generator[bytes, None, list[int]]:
    """The UIDs that match; `done` messages of `goal` were looked at before."""
    if asks_thread(program):
        yield from pauses(thread_ids.catch_up(scope.picture.mailbox_id))
    found: list[int] = []
    count, size = len(scope.picture), store.slice_size(program)
    for slices, uids in enumerate(store.search(scope, program), 1):
        found += uids
        # Mostly nothing to say yet, but others may have their turn.
        yield progress.line(done + min(slices * size, count), goal)
    # NOTIFY may have kept the newest back.
    return found[: bisect_right(found, scope.numbers[-1])] if scope.numbers else []


def _named(uids: Sequence[int], options: frozenset[str], page: Page | None) -> Sequence[int]:
    """The messages that the answer names: all unless only ends or a page of them are asked for.

    They are what SAVE keeps (RFC 5182 §2.4, RFC 9394 §3.1), and what MODSEQ is about (RFC 4731
    §3.2).
    """
    asked = options - _LATER - {"SAVE"}
    if not (asked or page) or asked & {"ALL", "COUNT", "RELEVANCY"}:
        return uids
    found = set(page.cut(uids)) if page is not None else set()
    if "MIN" in asked:
        found.update(uids[:1])
    if "MAX" in asked:
        found.update(uids[-1:])
    return sorted(found)


def highest_modseq(picture: Picture, program: SearchKey, uids: Sequence[int]) -> int:
    """The highest mod-sequence of what is named, 0 where the program asks for none."""
    if not asks_modseq(program):
        return 0
    places = [picture.position(uid) for uid in uids]
    return max((picture.modseqs[place] for place in places), default=0)
