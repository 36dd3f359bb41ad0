"""The session of an IMAP connection: which command is allowed when, and who carries it out.

Rules of the file: the table of states is data, taken from the order of RFC 3501 §6; what a command
does stands in the file of its group. A refusal of the store becomes a NO here, in one place.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from accounts.commit import DATABASE_AWAY, CommitUnavailable
from accounts.mailstore.refusals import StoreRefusal
from accounts.rows import FolderGone
from protocols.servers.imap import (
    append,
    copy,
    enabled,
    fetch,
    folders,
    login,
    quota,
    search,
    sort,
    store,
)
from protocols.servers.imap.answers import FOLDER_DELETED, bad, no, ok, refused
from protocols.servers.imap.client import Client, State
from protocols.servers.imap.idle import Idler
from protocols.servers.session import After, Answer, Shell
from protocols.wire.imap import commands as c
from protocols.wire.imap import responses
from protocols.wire.imap.commands import Event
from protocols.wire.imap.quota import GetQuota, GetQuotaRoot, SetQuota
from protocols.wire.imap.responses import Bye, Push, Reply, Tagged
from protocols.wire.imap.server import ServerConversation
from protocols.wire.imap.sort import Sort

# Seconds. RFC 3501 §5.4: at least 30 minutes once logged in.
IDLE_TIMEOUT = 1800.0
LOGIN_TIMEOUT = 60.0

_BEFORE_LOGIN = frozenset((State.NOT_AUTHENTICATED,))
_LOGGED_IN = frozenset((State.AUTHENTICATED, State.SELECTED))
_SELECTED = frozenset((State.SELECTED,))

# Commands that are not listed are allowed in any state.
ALLOWED: dict[type[object], frozenset[State]] = {
    **dict.fromkeys((c.StartTls, c.Login, c.Authenticate, c.SaslResponse), _BEFORE_LOGIN),
    **dict.fromkeys(
        (
            *(c.Enable, c.Select, c.Create, c.Delete, c.Rename, c.Subscribe, c.Unsubscribe),
            *(c.Compress, c.List, c.Namespace, c.Status, c.Append, c.Idle, c.Unauthenticate),
            *(GetQuota, GetQuotaRoot, SetQuota),
        ),
        _LOGGED_IN,
    ),
    **dict.fromkeys(
        (
            *(c.Check, c.Close, c.Unselect, c.Expunge, c.Search, Sort),
            *(c.Fetch, c.Store, c.Copy, c.Move, c.Replace),
        ),
        _SELECTED,
    ),
}

# Answered from memory, in whatever state.
_QUICK = (
    *(
        c.Invalid,
        c.Capability,
        c.Compress,
        c.Id,
        c.StartTls,
        c.Enable,
        c.Namespace,
        c.AppendAborted,
    ),
    # The first steps of a login; what needs more says so with `After`.
    *(c.Authenticate, c.SaslResponse),
)


class ImapSession:
    """Events of one client to answers (`protocols.servers.session.Session`)."""

    def __init__(self, shell: Shell) -> None:
        self._client = Client(shell)
        self._idler = Idler(self._client)

    @property
    def idle_timeout(self) -> float:
        """Seconds a silent client is kept."""
        return LOGIN_TIMEOUT if self.must_log_in else IDLE_TIMEOUT

    @property
    def must_log_in(self) -> bool:
        return self._client.identity is None

    def is_quick(self, event: Event) -> bool:
        """Whether the event is handled without database, disk or hashing."""
        client = self._client
        if isinstance(event, _QUICK) or not self._is_allowed(event):
            return True
        if isinstance(event, c.Append | c.AppendChunk | c.AppendEnd):
            return append.is_quick(client, event)
        return isinstance(event, c.Noop | c.Logout | c.Done) and client.view is None

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
        if isinstance(sys.exc_info()[1], DATABASE_AWAY):
            # RFC 5530 §3: the same may work again soon, so it is no bug of ours.
            return no(event.tag, "The mail store does not answer just now.", code=b"UNAVAILABLE")
        return no(event.tag, "Something went wrong here.", code=b"SERVERBUG")

    @property
    def holds_nothing(self) -> bool:
        """Whether no folder is selected, no APPEND under way and nobody idles."""
        client = self._client
        return client.view is None and client.appending is None and client.stop_watching is None

    def closed(self) -> None:
        """The connection is gone."""
        self._client.drop_append()
        self._client.leave_folder()

    def handle(self, event: Event) -> Answer[Reply]:
        """Answer an event."""
        if not self._is_allowed(event):
            return bad(event.tag, "Not now.")  # type: ignore[union-attr]
        try:
            answer = self._dispatch(event)
        except (StoreRefusal, CommitUnavailable, OSError, FolderGone) as error:
            return self._refusal(event, error)
        match answer:
            case Iterator():
                return self._guarded(event, answer)
            case After(future, then):
                return After(future, partial(self._guarded_then, event, then))
        return answer

    def _is_allowed(self, event: Event) -> bool:
        return self._client.state in ALLOWED.get(type(event), frozenset(State))

    def _guarded(self, event: Event, answer: Iterator[Push | Reply]) -> Iterator[Push | Reply]:
        try:
            yield from answer
        except (StoreRefusal, CommitUnavailable, OSError, FolderGone) as error:
            yield self._refusal(event, error)

    def _guarded_then(
        self, event: Event, then: Callable[[Any], Answer[Reply]], result: Any
    ) -> Answer[Reply]:
        try:
            return then(result)
        except FolderGone as error:
            return self._refusal(event, error)

    def _refusal(self, event: Event, error: Exception) -> Reply:
        assert not isinstance(event, c.AppendChunk)
        if isinstance(error, FolderGone):
            self._client.leave_folder()
            self._client.is_leaving = True
            farewell = FOLDER_DELETED.to_bytes()
            return Tagged(event.tag, "NO", "The folder is gone.", b"", farewell, closes=True)
        refusal = refused(event.tag, error)
        if refusal is None:
            raise error
        return refusal

    def _dispatch(self, event: Event) -> Answer[Reply]:
        client = self._client
        match event:
            case c.Invalid(reply=reply):
                return reply
            case c.Capability():
                listed = responses.capability(login.capabilities(client))
                return ok(event.tag, "Done.", untagged=listed)
            case c.Noop() | c.Check():
                return ok(event.tag, "Done.", untagged=client.news(may_expunge=True))
            case c.Logout():
                client.leave_folder()
                client.is_leaving = True
                farewell = Bye("Goodbye.").to_bytes()
                return Tagged(event.tag, "OK", "Done.", b"", farewell, closes=True)
            case c.Id():
                return ok(event.tag, "Done.", untagged=responses.identity({"name": "Mailhost"}))
            case c.Enable():
                return enabled.enable(client, event)
            case c.Namespace():
                return ok(event.tag, "Done.", untagged=responses.namespace())
            case c.Compress(mechanism=mechanism):
                if mechanism != "DEFLATE":
                    return no(event.tag, "There is no such mechanism.", code=b"CANNOT")
                return ok(event.tag, "Compressed from here on.")
            case c.StartTls():
                return login.start_tls(client, event)
            case c.Login():
                return login.log_in(client, event)
            case c.Authenticate():
                return login.authenticate(client, event)
            case c.SaslResponse():
                return login.answer_challenge(client, event)
            case c.Unauthenticate():
                return login.unauthenticate(client, event)
            case c.Append():
                return append.begin(client, event)
            case c.AppendChunk():
                append.take(client, event)
                return None
            case c.AppendEnd():
                return append.finish(client, event)
            case c.AppendAborted(reply=reply):
                client.drop_append()
                return reply
            case c.Idle():
                return self._idler.start(event)
            case c.Done():
                return self._idler.stop(event)
            case c.Fetch():
                return fetch.fetch(client, event)
            case c.Store():
                return store.store(client, event)
            case c.Search():
                return search.search(client, event)
            case Sort():
                return sort.sort(client, event)
            case c.Copy() | c.Move():
                return copy.copy_or_move(client, event)
            case c.Expunge():
                return store.expunge_deleted(client, event)
            case c.Close():
                return store.close(client, event)
            case c.Unselect():
                client.leave_folder()
                return ok(event.tag, "Done.")
            case _:
                return self._dispatch_to_folders(event)

    def _dispatch_to_folders(self, event: Event) -> Answer[Reply]:
        client = self._client
        match event:
            case c.Select():
                return folders.select(client, event)
            case c.Status():
                return folders.status(client, event)
            case c.List():
                return folders.list_folders(client, event)
            case c.Create():
                return folders.create(client, event)
            case c.Delete():
                return folders.delete(client, event)
            case c.Rename():
                return folders.rename(client, event)
            case c.Subscribe():
                return folders.subscribe(client, event)
            case c.Unsubscribe():
                return folders.unsubscribe(client, event)
            case GetQuota():
                return quota.get_quota(client, event)
            case GetQuotaRoot():
                return quota.get_quota_root(client, event)
            case SetQuota():
                return quota.set_quota(client, event)
            case _:
                raise AssertionError(f"{type(event).__name__} has no file")


def make_imap(shell: Shell) -> tuple[ServerConversation, ImapSession]:
    """What a listener makes for each connection."""
    return ServerConversation(), ImapSession(shell)
