"""IDLE: tell the client of changes as they happen (RFC 2177)."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from accounts import login
from accounts.mailstore import changes
from accounts.rows import FolderGone
from protocols.servers.imap.answers import FOLDER_GONE, bad, ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import commands
from protocols.wire.imap.responses import Bye, Continuation, Push, Reply, Tagged


def start(client: Client, command: commands.Idle) -> Iterator[Push | Reply]:
    """Begin to idle; what is new already is said at once, but after the continuation."""
    assert client.identity is not None
    if not login.still_valid(client.identity):
        client.is_leaving = True
        farewell = Bye("The login is no longer valid.").to_bytes()
        yield Tagged(command.tag, "NO", "Log in again.", b"", farewell, closes=True)
        return
    if client.hears_news:
        client.stop_idling()
        # Watching starts before the look, so that nothing falls between the two.
        # The same callable each time, so that notices that come together queue one look.
        look_again = partial(look, client)
        client.stop_watching = _watch(client, look_again)
        # What is new already follows the continuation: some clients take what comes first for it.
        client.shell.wake(look_again)
    yield Continuation(b"idling")


def _watch(client: Client, look_again: Callable[[], Iterable[Push]]) -> Callable[[], None]:
    """Look again whenever something changes that the client hears of; the way out."""

    def notice(folder_id: int, modseq: int) -> None:
        client.shell.wake(look_again)

    leaves = []
    if client.view is not None:
        known = client.view.told.highest_modseq
        leaves.append(changes.subscribe(client.folder_id, notice, known_modseq=known))
    # NOTIFY watches the mailbox itself.
    if client.annotations is not None and client.watch is None:
        known = client.annotations.modseq
        leaves.append(changes.subscribe_mailbox(client.mailbox_id, notice, known_modseq=known))

    def leave() -> None:
        for each in leaves:
            each()

    return leave


def stop(client: Client, command: commands.Done, *, has_news: bool = True) -> Tagged:
    """The client said DONE, or something else that ends IDLE too; False: nothing is new."""
    client.stop_idling()
    if not command.is_clean:
        return bad(command.tag, "Only DONE ends IDLE.")
    return ok(command.tag, "Done.", untagged=client.news(may_expunge=True) if has_news else b"")


def look(client: Client) -> Iterable[Push]:
    """What is new in the folder, while the client still idles."""
    if client.stop_watching is None:
        return []
    try:
        news = client.news(may_expunge=True)
    except FolderGone:
        client.leave_folder()
        client.is_leaving = True
        return [FOLDER_GONE]
    return [news] if news else []
