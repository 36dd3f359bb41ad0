"""The session of an IMAP connection: it asks `dispatch` who carries a command out.

A refusal of the store becomes a NO here, in one place.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from accounts.blobs import BlobMissing
from accounts.commit import DATABASE_AWAY, CommitUnavailable
from accounts.login import Identity
from accounts.mailstore.refusals import StoreRefusal
from accounts.rows import FolderGone
from protocols.servers.imap import append, at_hand, login, masking, uid_only
from protocols.servers.imap.answers import bad, folder_gone, no, refused
from protocols.servers.imap.client import Client
from protocols.servers.imap.dispatch import DUTIES
from protocols.servers.session import After, Answer, Home, Shell
from protocols.wire.imap import commands as c
from protocols.wire.imap import responses
from protocols.wire.imap.commands import Event
from protocols.wire.imap.responses import Bye, Push, Reply, Tagged
from protocols.wire.imap.server import ServerConversation

# Seconds. RFC 3501 §5.4: at least 30 minutes once logged in.
IDLE_TIMEOUT = 1800.0
LOGIN_TIMEOUT = 60.0

# What the store says no with.
_REFUSALS = (StoreRefusal, CommitUnavailable, OSError, FolderGone)
# Answers of which nothing is still to come: to ask of these whether they are iterators takes long.
_WHOLE = (Tagged, responses.Continuation, type(None))


class ImapSession:
    """Events of one client to answers (`protocols.servers.session.Session`)."""

    def __init__(self, shell: Shell) -> None:
        self._client = Client(shell)
        # How to answer the event that was just called quick, where that is not its usual way.
        self._at_once: at_hand.Way | None = None

    @property
    def idle_timeout(self) -> float:
        """Seconds a silent client is kept."""
        return LOGIN_TIMEOUT if self.must_log_in else IDLE_TIMEOUT

    @property
    def must_log_in(self) -> bool:
        return self._client.identity is None

    @property
    def identity(self) -> Identity | None:
        return self._client.identity

    def is_quick(self, event: Event) -> bool:
        """Whether the event is handled without database, disk or hashing."""
        client = self._client
        if DUTIES[type(event)].is_quick or not self._is_allowed(event):
            return True
        if isinstance(event, c.Unselect):
            return client.leaves_at_once
        if isinstance(event, c.Append | c.AppendChunk | c.AppendEnd):
            return append.is_quick(client, event)
        if isinstance(event, c.Noop | c.Done) and not client.hears_news:
            return True
        self._at_once = at_hand.way(client, event)
        return self._at_once is not None

    def greeting(self) -> Push:
        """RFC 3501 §7.1.1, with the capabilities in it."""
        return responses.untagged("OK", "Mailhost ready.", login.capability_code(self._client))

    def timed_out(self) -> Push:
        """RFC 3501 §5.4."""
        return Bye("Closing the connection.")

    def failed(self, event: Event) -> Reply | None:
        """The answer where handling raised; the log has what really happened."""
        self._client.drop_append()
        if isinstance(event, c.AppendChunk):
            return None
        error = sys.exc_info()[1]
        if isinstance(error, BlobMissing):
            return no(event.tag, "Octets of a message are missing here.", code=b"CORRUPTION")
        if isinstance(error, DATABASE_AWAY):
            # RFC 5530 §3: the same may work again soon, so it is no bug of ours.
            return no(event.tag, "The mail store does not answer just now.", code=b"UNAVAILABLE")
        return no(event.tag, "Something went wrong here.", code=b"SERVERBUG")

    @property
    def holds_nothing(self) -> bool:
        """Whether no folder is selected, no APPEND under way, and nobody idles or is notified."""
        client = self._client
        held = (client.view, client.appending, client.stop_watching, client.watch)
        return held == (None, None, None, None)

    def closed(self) -> None:
        """The connection is gone."""
        self._client.drop_append()
        self._client.stop_watch()
        self._client.leave_folder()

    def handle(self, event: Event) -> Answer[Reply]:
        """Answer an event."""
        at_once, self._at_once = self._at_once, None
        if not self._is_allowed(event):
            # RFC 5530 §3: whoever says this now has lost track of where it is.
            return bad(event.tag, "Not now.", code=b"CLIENTBUG")  # type: ignore[union-attr]
        if self._client.is_uid_only and (required := uid_only.refusal(event)):
            return required
        if self._client.masked and (refusal := masking.refusal(self._client, event)):
            return refusal
        try:
            answer = at_once() if at_once else DUTIES[type(event)].act(self._client, event)
        except _REFUSALS as error:
            return self._refusal(event, error)
        if type(answer) in _WHOLE:
            return answer
        if isinstance(answer, Iterator):
            return self._guarded(event, answer)
        return self._guarded_later(event, answer)

    def _is_allowed(self, event: Event) -> bool:
        return self._client.state in DUTIES[type(event)].states

    def _guarded(self, event: Event, answer: Iterator[Push | Reply]) -> Iterator[Push | Reply]:
        try:
            yield from answer
        except _REFUSALS as error:
            yield self._refusal(event, error)

    def _guarded_later(self, event: Event, answer: Answer[Reply]) -> Answer[Reply]:
        match answer:
            case After(future, then) | Home(future, then):
                return type(answer)(future, partial(self._guarded_then, event, then))
        return answer

    def _guarded_then(
        self, event: Event, then: Callable[[Any], Answer[Reply]], result: Any
    ) -> Answer[Reply]:
        try:
            answer = then(result)
        except _REFUSALS as error:
            return self._refusal(event, error)
        if isinstance(answer, Iterator):
            return self._guarded(event, answer)
        return self._guarded_later(event, answer)

    def _refusal(self, event: Event, error: Exception) -> Reply:
        assert not isinstance(event, c.AppendChunk)
        if isinstance(error, FolderGone):
            return folder_gone(self._client, event.tag, "NO", "The folder is gone.")
        refusal = refused(event.tag, error)
        if refusal is None:
            raise error
        return refusal


def make_imap(shell: Shell) -> tuple[ServerConversation, ImapSession]:
    """What a listener makes for each connection."""
    return ServerConversation(), ImapSession(shell)
