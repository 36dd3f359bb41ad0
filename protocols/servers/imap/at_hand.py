"""Answers that need no database: to commands whose whole answer is known to be true just now.

Stamps (`accounts.stamps`) are looked at once, in `way`, and what is found is all that the way then
needs: the answer is that of the moment of looking, whatever changes before it is given.
"""

from collections.abc import Callable
from functools import partial

from accounts.mailstore import folders as folders_at_rest
from accounts.mailstore import index
from protocols.servers.imap import folders, idle, recent, store
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.state_at_hand import has_no_news
from protocols.servers.session import Home
from protocols.wire.imap import commands as c
from protocols.wire.imap.responses import Tagged

Way = Callable[[], Tagged | Home]


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
    return None


def _way_in(client: Client, command: c.Select) -> Way | None:
    """How to open a folder that the login has opened before and nobody has changed since."""
    identity = client.identity
    assert identity is not None
    mailbox_id, version = identity.mailbox_id, identity.credential_version
    folder = folders_at_rest.find_at_hand(mailbox_id, version, command.name)
    if folder is None or not folder.is_selectable:
        return None
    picture = index.current(folder.id)
    # What is \Recent to nobody yet must be taken in the database.
    if picture is None or recent.look(picture):
        return None
    return partial(folders.select_at_once, client, command, folder, picture)
