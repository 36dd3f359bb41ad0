"""NOTIFY (RFC 5465): tell the client of what it is interested in as it happens, unasked.

A notice of a change wakes the connection up, which then compares what the client was told with how
things are. What only looks at the database cannot be wrong twice: a notice too many tells nothing.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from accounts import login
from accounts.mailstore import changes
from accounts.mailstore.catalog import highest_modseq, sight
from accounts.rows import FolderGone
from protocols.servers.imap import watching
from protocols.servers.imap.annotation_news import AnnotationNews
from protocols.servers.imap.answers import FOLDER_GONE, no, ok
from protocols.servers.imap.arrivals import fetcher, get_ready
from protocols.servers.imap.client import Client
from protocols.servers.imap.interest import Interest
from protocols.servers.imap.news import EVERYTHING, SILENCE
from protocols.servers.imap.watch import Watch
from protocols.wire.imap import notify as wire
from protocols.wire.imap.notify import Event
from protocols.wire.imap.responses import Bye, Push, Reply, Tagged
from protocols.wire.imap.scopes import Scope

# All but what needs annotations of messages (RFC 5257), which there are none of.
SUPPORTED = tuple(event for event in Event if event is not Event.ANNOTATION_CHANGE)
METADATA_EVENTS = frozenset((Event.MAILBOX_METADATA_CHANGE, Event.SERVER_METADATA_CHANGE))


def notify(client: Client, command: wire.Notify) -> Iterator[Push | Reply]:
    """NOTIFY SET and NOTIFY NONE: each takes the place of the one before."""
    assert client.identity is not None
    if not login.still_valid(client.identity):
        client.is_leaving = True
        farewell = Bye("The login is no longer valid.").to_bytes()
        yield Tagged(command.tag, "NO", "Log in again.", b"", farewell, closes=True)
        return
    if any(group.unknown or group.events - set(SUPPORTED) for group in command.groups):
        yield no(command.tag, "Some of the events do not exist.", code=wire.bad_event(SUPPORTED))
        return
    client.stop_watch()
    # RFC 5465 §3.1: what has accumulated is told in any case.
    client.wanted = EVERYTHING
    if command.groups:
        watch = _begin(client, command)
        if watch.interest.selected is not None:
            yield from get_ready(client, watch.interest.selected.items)
        yield watch.refusals(client.manner)
        if command.wants_status:
            yield watch.numbers(client.folder_id, client.manner)
    yield client.news(may_expunge=True)
    yield client.want(SILENCE if client.watch is None else client.watch.interest.of_selected)
    yield ok(command.tag, "Done.")


def _begin(client: Client, command: wire.Notify) -> Watch:
    interest = Interest(command.groups)
    # Watching starts before the look, so that nothing falls between the two.
    # The same callable each time, so that notices that come together queue one look.
    wake = partial(client.shell.wake, partial(look, client))
    known = highest_modseq(client.mailbox_id)

    def notice(folder_id: int, modseq: int) -> None:
        wake()

    leave = changes.subscribe_mailbox(client.mailbox_id, notice, known_modseq=known)
    seen = sight(client.mailbox_id, with_others=interest.is_about_others)
    watch = Watch(interest, seen, client.folder_id)
    watch.wake, watch.notice, watch.leave = wake, notice, leave
    if interest.selected is not None and interest.selected.items:
        watch.fetch_arrivals = fetcher(client, interest.selected.items)
    if client.annotations is None and interest.events & METADATA_EVENTS:
        client.annotations = AnnotationNews(client.mailbox_id, hears_of_folders=False)
    client.watch = watch
    watching.follow_owners(watch)
    if client.view is not None:
        watching.follow_selected(watch, client.mailbox_id, client.view)
    return watch


def look(client: Client) -> Iterable[Push]:
    """What is new, while no command is under way."""
    watch = client.watch
    if watch is None:
        return []
    try:
        if client.wanted.messages:
            news = client.news(may_expunge=_may_expunge(client, watch))
        else:
            news = client.other_news()
    except FolderGone:
        client.leave_folder()
        client.is_leaving = True
        return [FOLDER_GONE]
    return [news] if news else []


def _may_expunge(client: Client, watch: Watch) -> bool:
    """RFC 5465 §6.1: at once, or when a command allows it, as IDLE does."""
    is_immediate = watch.interest.selected and watch.interest.selected.scope is Scope.SELECTED
    return bool(is_immediate) or client.stop_watching is not None
