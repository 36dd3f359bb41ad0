"""Answers that need no database: to commands whose whole answer is known to be true just now.

Stamps (`accounts.stamps`) are looked at once, in `way`, and what is found is all that the way then
needs: the answer is that of the moment of looking, whatever changes before it is given.
"""

from collections.abc import Callable, Iterator
from functools import partial

from accounts.mailstore import folders as folders_at_rest
from accounts.mailstore import index
from accounts.mailstore.picture import Picture
from protocols.servers.imap import fetch, fetch_few, folders, idle, kept_lists, recent, store
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.fetch_lines import Plan
from protocols.servers.imap.state_at_hand import has_no_news, hears_nothing, present
from protocols.servers.session import Answer, in_pool
from protocols.wire.imap import commands as c
from protocols.wire.imap.fetch_items import Attribute
from protocols.wire.imap.responses import Push, Reply

Way = Callable[[], Answer[Reply]]

# Messages whose news are told, or whose flags, without a thread for it.
MANY = 1000


def way(client: Client, event: c.Event) -> Way | None:
    """How to answer at once; None: ask the database."""
    match event:
        case c.Noop() | c.Check() if has_no_news(client):
            return partial(ok, event.tag, "Done.")
        case c.Done() if has_no_news(client):
            return partial(idle.stop, client, event, has_news=False)
        case c.Store() if has_no_news(client):
            return store.store_at_hand(client, event)
        case c.Expunge() if has_no_news(client):
            return store.expunge_at_hand(client, event)
        case c.Select(resync=None) if client.leaves_at_once and not client.is_rev2:
            return _way_in(client, event)
        case c.Status() if hears_nothing(client):
            return _status(client, event)
        case c.List() if hears_nothing(client):
            lines = kept_lists.lines_at_hand(client, event)
            return None if lines is None else partial(ok, event.tag, "Done.", untagged=lines)
        case c.Fetch(wants_vanished=False, changed_since=None, page=None):
            return _fetched(client, event)
    return None


def _way_in(client: Client, command: c.Select) -> Way | None:
    """How to open a folder that the login has opened before and nobody has changed since."""
    folder = _own_folder(client, command.name)
    if folder is None:
        return None
    picture = index.current(folder.id)
    # What is \Recent to nobody yet must be taken in the database.
    if picture is None or recent.look(picture):
        return None
    return partial(folders.select_at_once, client, command, folder, picture)


def _own_folder(client: Client, name: str) -> folders_at_rest.FolderInfo | None:
    identity = client.identity
    assert identity is not None
    mailbox_id, version = identity.mailbox_id, identity.credential_version
    folder = folders_at_rest.find_at_hand(mailbox_id, version, name)
    return folder if folder is not None and folder.is_selectable else None


def _status(client: Client, command: c.Status) -> Way | None:
    """How to tell of a folder what its picture knows."""
    if not folders.AT_HAND.issuperset(command.items):
        return None
    folder = _own_folder(client, command.name)
    picture = None if folder is None else index.current(folder.id)
    if folder is None or picture is None:
        return None
    return partial(folders.status_at_once, client, command, folder, picture)


def _fetched(client: Client, command: c.Fetch) -> Way | None:
    """How to tell of messages that are all at hand."""
    picture = present(client)
    if picture is None:
        return None
    view = client.selected
    plan = fetch_few.plan_of(command.items, sets_seen=view.marks_seen)
    if not view.has_told_all_of(picture):
        can_try = not plan.binaries and _has_little_news(client, picture)
        return partial(_fetch_with_news, client, command, plan, picture) if can_try else None
    lines = _lines(client, command, plan)
    return None if lines is None else partial(_fetch_at_once, client, command, lines)


def _fetch_at_once(client: Client, command: c.Fetch, lines: bytes) -> Reply:
    said = note_condstore(client) if Attribute.MODSEQ in command.items else b""
    return ok(command.tag, "Done.", untagged=said + lines)


def _fetch_with_news(
    client: Client, command: c.Fetch, plan: Plan, picture: Picture
) -> Answer[Reply]:
    """The same after some news: which messages are meant is known only then."""
    said = note_condstore(client) if Attribute.MODSEQ in command.items else b""
    said += client.folder_news(client.selected, picture, may_expunge=command.is_uid)
    if Attribute.MODSEQ in command.items:
        said += client.delayed_line()
    lines = _lines(client, command, plan)
    if lines is None:
        return in_pool(partial(_go_on, client, command, said))
    return ok(command.tag, "Done.", untagged=said + lines)


def _go_on(client: Client, command: c.Fetch, said: bytes) -> Iterator[Push | Reply]:
    yield said
    yield from fetch.fetch(client, command)


def _lines(client: Client, command: c.Fetch, plan: Plan) -> bytes | None:
    view = client.selected
    spans = view.select(command.sequence_set, is_uid=command.is_uid)
    if spans is None or sum(stop - start for start, stop in spans) > MANY:
        return None
    said = b""
    for chunk in view.chunks(spans, fetch.CHUNK):
        lines = None if chunk.has_ghosts else fetch.from_memory(client, plan, chunk)
        if lines is None:
            return None
        said += bytes(lines)
    return said


def _has_little_news(client: Client, picture: Picture) -> bool:
    """Whether what `Client.news` has to say is soon said."""
    changed = picture.changed_since(client.selected.told.highest_modseq)
    return changed is not None and len(changed) <= MANY
