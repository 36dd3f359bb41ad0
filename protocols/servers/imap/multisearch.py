"""ESEARCH, the command: search several folders, one after the other (RFC 7377).

What is found in a folder is said before the next one is looked at, so that an answer over all of a
mailbox needs no more memory than that of its largest folder. Folders that may not be read, and
those that are gone meanwhile, are passed over without a word.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from accounts.mailstore import folders, index, subscriptions
from accounts.mailstore.folders import FolderInfo
from accounts.mailstore.rights import Right
from accounts.mailstore.search import Scope as SearchScope
from accounts.mailstore.search_work import Work
from accounts.rows import FolderGone
from protocols.servers.imap import recent
from protocols.servers.imap.answers import bad, ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.extent import Extent
from protocols.servers.imap.filters import expanded
from protocols.servers.imap.progress import Progress
from protocols.servers.imap.search import (
    emptied_if_refused,
    esearch_line,
    is_followed_already,
    not_followed,
    returned,
    scanned,
    scope_of,
)
from protocols.wire.imap.multisearch import MultiSearch
from protocols.wire.imap.responses import Origin, Push, Reply, folder_name
from protocols.wire.imap.scopes import Scope
from protocols.wire.imap.search import asks_modseq, asks_numbers, asks_selected


def search_folders(client: Client, command: MultiSearch) -> Iterator[Push | Reply]:
    """Find messages in folders; each that has some is named with its UIDs."""
    is_selected_named = any(source.scope is Scope.SELECTED for source in command.sources)
    if client.view is None and (is_selected_named or "UPDATE" in command.return_options):
        yield bad(command.tag, "No folder is selected.")
        return
    if is_followed_already(client, command):
        yield bad(command.tag, "That tag is in use.")
        return
    if asks_modseq(command.program):
        yield note_condstore(client)
    yield client.news(may_expunge=not asks_numbers(command.program))
    progress = Progress(command.tag)
    chosen = _chosen(client, command)
    done, goal = 0, sum(folder.exists for folder in chosen)
    work = Work()
    for folder in chosen:
        here = _with_filters(client, command, folder)
        if not command.is_of_selected_alone and asks_selected(here.program):
            yield bad(command.tag, "Only the selected folder has message numbers.")
            return
        try:
            yield from _searched(client, here, folder, work, progress, done, goal)
        except FolderGone:
            if folder.id == client.folder_id:
                raise
        done += folder.exists
    if "UPDATE" in command.return_options and all(each.id != client.folder_id for each in chosen):
        yield not_followed(command.tag)
    yield ok(command.tag, "Done.")


def _chosen(client: Client, command: MultiSearch) -> list[FolderInfo]:
    """The folders to be searched, each once, by name.

    RFC 7377 §2.2: they must be the client's to read and, where it has not named them itself, to
    look up.
    """
    sources = command.sources
    extents = [Extent(source.scope, source.names) for source in sources]
    scopes = {source.scope for source in sources}
    subscribed = frozenset[str]()
    if Scope.SUBSCRIBED in scopes:
        subscribed = frozenset(subscriptions.list_subscriptions(client.mailbox_id))

    def is_chosen(folder: FolderInfo) -> bool:
        if folder.id == client.folder_id and Scope.SELECTED in scopes:
            return True
        name, is_own = folder.name, folder.mailbox_id == client.mailbox_id
        return any(
            extent.has(name, is_subscribed=name in subscribed, is_own=is_own)
            and (Right.LOOKUP in folder.rights or extent.names(name))
            for extent in extents
        )

    readable = folders.list_all_readable(client.mailbox_id)
    return [folder for folder in readable if folder.is_selectable and is_chosen(folder)]


def _with_filters(client: Client, command: MultiSearch, folder: FolderInfo) -> MultiSearch:
    with emptied_if_refused(client, command):
        program = expanded(client, command.program, folder.mailbox_id, folder.id)
    return replace(command, program=program)


def _searched(
    client: Client,
    command: MultiSearch,
    folder: FolderInfo,
    work: Work,
    progress: Progress,
    done: int,
    goal: int,
) -> Iterator[Push | Reply]:
    """What is found in one folder. FolderGone."""
    relevancy: dict[int, int] = {}
    is_selected = folder.id == client.folder_id
    if is_selected:
        scope = scope_of(client.selected, relevancy)
    else:
        picture = index.picture(folder.id)
        fresh = () if client.is_rev2 else (recent.look(picture),)
        scope = SearchScope(picture, picture.uids, fresh, int(time.time()), (), relevancy)
    scope = replace(scope, work=work)
    with emptied_if_refused(client, command):
        work.begin_folder(command.program)
        found = yield from scanned(scope, command.program, progress, done=done, goal=goal)
    picture = scope.picture
    name = folder_name(folder.name, is_utf8=client.tells_utf8)
    origin = Origin(name, picture.uidvalidity)
    if is_selected:
        yield from returned(client, command, found, relevancy, origin)
    elif found:
        yield esearch_line(command, picture, found, found, relevancy, origin)
