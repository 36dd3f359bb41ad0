"""Which command is allowed when, and who carries it out: one line a command.

The states are those of RFC 3501 §3, in the order of §6; what a command does stands in the file of
its group.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from protocols.servers.imap import (
    acl,
    append,
    copy,
    enabled,
    fetch,
    folders,
    idle,
    login,
    metadata,
    multisearch,
    notify,
    quota,
    search,
    sort,
    store,
    thread,
    whenever,
)
from protocols.servers.imap.client import Client, State
from protocols.servers.session import Answer
from protocols.wire.imap import commands as c
from protocols.wire.imap.responses import Reply

ANY = frozenset(State)
BEFORE_LOGIN = frozenset((State.NOT_AUTHENTICATED,))
LOGGED_IN = frozenset((State.AUTHENTICATED, State.SELECTED))
SELECTED = frozenset((State.SELECTED,))


class Duty(NamedTuple):
    """What is done about one kind of event."""

    states: frozenset[State]
    act: Callable[[Client, Any], Answer[Reply]]
    # Answered from memory in whatever state: no database, no disk, no hashing.
    is_quick: bool = False


DUTIES: dict[type[c.Event], Duty] = {
    # Any state (RFC 3501 §6.1).
    c.Invalid: Duty(ANY, whenever.refuse, is_quick=True),
    c.Capability: Duty(ANY, whenever.capability, is_quick=True),
    c.Noop: Duty(ANY, whenever.noop),
    c.Logout: Duty(ANY, whenever.log_out, is_quick=True),
    c.Id: Duty(ANY, whenever.identify),
    # Not authenticated (RFC 3501 §6.2). The first steps of a login are quick; what needs more
    # says so with `After`.
    c.StartTls: Duty(BEFORE_LOGIN, login.start_tls, is_quick=True),
    c.Login: Duty(BEFORE_LOGIN, login.log_in, is_quick=True),
    c.Authenticate: Duty(BEFORE_LOGIN, login.authenticate, is_quick=True),
    c.SaslResponse: Duty(BEFORE_LOGIN, login.answer_challenge, is_quick=True),
    # Authenticated (RFC 3501 §6.3).
    c.Enable: Duty(LOGGED_IN, enabled.enable),
    c.Unauthenticate: Duty(LOGGED_IN, login.unauthenticate),
    c.Compress: Duty(LOGGED_IN, whenever.compress, is_quick=True),
    c.Select: Duty(LOGGED_IN, folders.select),
    c.Create: Duty(LOGGED_IN, folders.create),
    c.Delete: Duty(LOGGED_IN, folders.delete),
    c.Rename: Duty(LOGGED_IN, folders.rename),
    c.Subscribe: Duty(LOGGED_IN, folders.subscribe),
    c.Unsubscribe: Duty(LOGGED_IN, folders.unsubscribe),
    c.List: Duty(LOGGED_IN, folders.list_folders),
    c.Namespace: Duty(LOGGED_IN, whenever.namespace, is_quick=True),
    c.Status: Duty(LOGGED_IN, folders.status),
    c.Append: Duty(LOGGED_IN, append.begin),
    c.AppendChunk: Duty(ANY, append.take),
    c.AppendMore: Duty(ANY, append.go_on),
    c.AppendEnd: Duty(ANY, append.finish),
    c.AppendAborted: Duty(ANY, append.abort, is_quick=True),
    c.Idle: Duty(LOGGED_IN, idle.start),
    c.Done: Duty(ANY, idle.stop),
    c.GetQuota: Duty(LOGGED_IN, quota.get_quota),
    c.GetQuotaRoot: Duty(LOGGED_IN, quota.get_quota_root),
    c.SetQuota: Duty(LOGGED_IN, quota.set_quota),
    c.SetAcl: Duty(LOGGED_IN, acl.set_acl),
    c.DeleteAcl: Duty(LOGGED_IN, acl.delete_acl),
    c.GetAcl: Duty(LOGGED_IN, acl.get_acl),
    c.ListRights: Duty(LOGGED_IN, acl.list_rights),
    c.MyRights: Duty(LOGGED_IN, acl.my_rights),
    c.GetMetadata: Duty(LOGGED_IN, metadata.get_metadata),
    c.SetMetadata: Duty(LOGGED_IN, metadata.set_metadata),
    c.Notify: Duty(LOGGED_IN, notify.notify),
    c.MultiSearch: Duty(LOGGED_IN, multisearch.search_folders),
    # Selected (RFC 3501 §6.4).
    c.Check: Duty(SELECTED, whenever.noop),
    c.Close: Duty(SELECTED, store.close),
    c.Unselect: Duty(SELECTED, whenever.unselect),
    c.Expunge: Duty(SELECTED, store.expunge_deleted),
    c.Search: Duty(SELECTED, search.search),
    c.Sort: Duty(SELECTED, sort.sort),
    c.Thread: Duty(SELECTED, thread.thread),
    c.CancelUpdate: Duty(SELECTED, search.cancel_update, is_quick=True),
    c.Fetch: Duty(SELECTED, fetch.fetch),
    c.Store: Duty(SELECTED, store.store),
    c.Copy: Duty(SELECTED, copy.copy_or_move),
    c.Move: Duty(SELECTED, copy.copy_or_move),
    c.Replace: Duty(SELECTED, append.begin),
}
