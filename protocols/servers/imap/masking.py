"""The switchboard as a session asks it: what is masked for this client, and what that refuses.

A client keeps its masks to the end of its connection, or until it says in another ID who it is:
what it was told it has does not go away because somebody writes a rule meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog

from accounts.directory import switchboard
from accounts.directory.switchboard import hides
from protocols.servers.imap.answers import bad, no
from protocols.servers.imap.client import Client
from protocols.wire.imap import commands as c
from protocols.wire.imap import search as keys
from protocols.wire.imap.fetch_items import Attribute, Binary, BinarySize, FetchItem, Preview
from protocols.wire.imap.options import StatusItem
from protocols.wire.imap.responses import Tagged
from protocols.wire.imap.search import keys_in
from protocols.wire.imap.sequence_set import SequenceSet
from protocols.wire.imap.sort import SortKey

log = structlog.get_logger(__name__)

# Commands that a capability brings. What is not here stays: APPENDUID hurts nobody.
_COMMANDS: dict[type[c.Event], str] = {
    # Of a search or an order: only who masks both forms has nothing to cancel.
    c.CancelUpdate: "CONTEXT",
    c.DeleteAcl: "ACL",
    c.Enable: "ENABLE",
    c.GetAcl: "ACL",
    c.GetMetadata: "METADATA",
    c.GetQuota: "QUOTA",
    c.GetQuotaRoot: "QUOTA",
    c.Idle: "IDLE",
    c.ListRights: "ACL",
    c.Move: "MOVE",
    c.MultiSearch: "MULTISEARCH",
    c.MyRights: "ACL",
    c.Namespace: "NAMESPACE",
    c.Notify: "NOTIFY",
    c.Replace: "REPLACE",
    c.SetAcl: "ACL",
    c.SetMetadata: "METADATA",
    c.SetQuota: "QUOTA",
    c.Sort: "SORT",
    c.Unauthenticate: "UNAUTHENTICATE",
    c.Unselect: "UNSELECT",
}

# What a capability brings to search for, to FETCH, to order by, and to ask STATUS for.
_SEARCH_KEYS: dict[type, str] = {
    keys.EmailIdIs: "OBJECTID",
    keys.FilterNamed: "FILTERS",
    keys.Fuzzy: "SEARCH=FUZZY",
    keys.KeepsSaveDate: "SAVEDATE",
    keys.ModseqFrom: "CONDSTORE",
    keys.OlderThan: "WITHIN",
    keys.SavedOn: "SAVEDATE",
    keys.ThreadIdIs: "OBJECTID",
    keys.YoungerThan: "WITHIN",
}
_ITEM_KINDS: dict[type, str] = {Binary: "BINARY", BinarySize: "BINARY", Preview: "PREVIEW"}
_ITEMS: dict[FetchItem, str] = {
    Attribute.EMAILID: "OBJECTID",
    Attribute.MODSEQ: "CONDSTORE",
    Attribute.SAVEDATE: "SAVEDATE",
    Attribute.THREADID: "OBJECTID",
}
_SORT_KEYS: dict[SortKey, str] = {
    SortKey.DISPLAYFROM: "SORT=DISPLAY",
    SortKey.DISPLAYTO: "SORT=DISPLAY",
}
_STATUS_ITEMS: dict[StatusItem, str] = {
    "APPENDLIMIT": "APPENDLIMIT",
    "DELETED-STORAGE": "QUOTA=RES-STORAGE",
    "HIGHESTMODSEQ": "CONDSTORE",
    "MAILBOXID": "OBJECTID",
    "SIZE": "STATUS=SIZE",
}


def introduced(client: Client, said: dict[str, str]) -> None:
    """The client has said in ID what it is; fields in lower case."""
    client.rules = switchboard.rules_about(said)
    _settle(client)


def knows_rules(client: Client) -> bool:
    """Whether `logged_in` needs no query: rules that are at hand now are the client's from here."""
    if client.rules is None:
        client.rules = switchboard.rules_at_hand({})
    return client.rules is not None


def logged_in(client: Client) -> None:
    """From now on the rules about the mailbox count too."""
    if client.rules is None:
        client.rules = switchboard.rules_about({})
    _settle(client)


def logged_out(client: Client) -> None:
    """The program is the same, the mailbox is nobody's."""
    _settle(client)


def _settle(client: Client) -> None:
    identity = client.identity
    mailbox_id = None if identity is None else identity.mailbox_id
    masked = switchboard.masked_by(client.rules or (), mailbox_id)
    if masked != client.masked:
        client.masked = masked
        log.info("imap.masked", mailbox=mailbox_id, capabilities=sorted(masked))


def refusal(client: Client, event: c.Event) -> Tagged | None:
    """What a server without the masked capabilities would answer, None where it would obey.

    An APPEND that is under way ends with it.
    """
    masked = client.masked
    if isinstance(event, c.Compress) and hides(masked, "COMPRESS=DEFLATE"):
        # RFC 4978 §3 knows a NO. Programs that ask without having been told of it take a BAD for
        # the end of everything.
        return no(event.tag, "Not with this program.")
    brought_by = _COMMANDS.get(type(event))
    if brought_by is not None and hides(masked, brought_by):
        return bad(event.tag, "Unknown command.")  # type: ignore[union-attr]
    options = _OPTIONS.get(type(event))
    if options is not None and any(hides(masked, name) for name in options(event)):
        client.drop_append()
        return bad(event.tag, "No such option.")  # type: ignore[union-attr]
    return None


def _of_select(command: c.Select) -> Iterator[str]:
    if command.resync is not None:
        yield "QRESYNC"
    if command.condstore:
        yield "CONDSTORE"


def _of_fetch(command: c.Fetch) -> Iterator[str]:
    if command.wants_vanished:
        yield "QRESYNC"
    if command.page is not None:
        yield "PARTIAL"
    yield from _of_items(command.items)
    yield from _of_set(command.sequence_set)


def _of_items(items: Iterable[FetchItem]) -> Iterator[str]:
    for item in items:
        if name := _ITEMS.get(item) or _ITEM_KINDS.get(type(item)):
            yield name


def _of_set(numbers: SequenceSet | None) -> Iterator[str]:
    if numbers is not None and numbers.is_saved:
        yield "SEARCHRES"


def _of_numbered(command: c.Copy | c.Move) -> Iterator[str]:
    yield from _of_set(command.sequence_set)


def _of_notify(command: c.Notify) -> Iterator[str]:
    for group in command.groups:
        yield from _of_items(group.items)


def _of_append(command: c.Append | c.AppendMore) -> Iterator[str]:
    if command.is_binary and not command.is_wrapped:
        yield "BINARY"
    if command.is_catenated:
        yield "CATENATE"
    yield from _of_steps(command)


def _of_steps(command: c.Append | c.AppendMore | c.AppendEnd) -> Iterator[str]:
    for step in command.steps:
        yield "CATENATE" if isinstance(step, c.Url) else "MULTIAPPEND"


def _of_thread(command: c.Thread) -> Iterator[str]:
    yield f"THREAD={command.algorithm.value}"
    yield from _of_program(command)


def _of_store(command: c.Store) -> Iterator[str]:
    if command.unchanged_since is not None:
        yield "CONDSTORE"
    yield from _of_set(command.sequence_set)


def _of_search(command: c.Search) -> Iterator[str]:
    if command.return_options is not None:
        yield "ESEARCH"
    yield from _of_results(command)


def _of_sort(command: c.Sort) -> Iterator[str]:
    if command.return_options is not None:
        yield "ESORT"
    for criterion in command.criteria:
        if name := _SORT_KEYS.get(criterion.key):
            yield name
    yield from _of_results(command)


def _of_results(command: c.Search | c.Sort | c.MultiSearch) -> Iterator[str]:
    options = command.return_options or frozenset()
    if "SAVE" in options:
        yield "SEARCHRES"
    if not options.isdisjoint(("UPDATE", "CONTEXT")):
        yield "CONTEXT=SORT" if isinstance(command, c.Sort) else "CONTEXT=SEARCH"
    if command.page is not None:
        yield "PARTIAL"
    if command.update_items:
        # RFC 5465 §7.
        yield "NOTIFY"
        yield from _of_items(command.update_items)
    yield from _of_program(command)


def _of_program(command: c.Search | c.Sort | c.MultiSearch | c.Thread) -> Iterator[str]:
    for key in keys_in(command.program):
        if name := _SEARCH_KEYS.get(type(key)):
            yield name
        elif isinstance(key, keys.NumberIn):
            yield from _of_set(key.numbers)
        elif isinstance(key, keys.UidIn):
            yield from _of_set(key.uids)


def _of_set_quota(command: c.SetQuota) -> Iterator[str]:
    yield "QUOTASET"


def _of_list(command: c.List) -> Iterator[str]:
    if command.is_extended:
        yield "LIST-EXTENDED"
    if command.status_items:
        yield "LIST-STATUS"
        yield from _of_status_items(command.status_items)
    if command.entries:
        yield "LIST-METADATA"
    if "SPECIAL-USE" in command.select_options | command.return_options:
        yield "SPECIAL-USE"
    if "MYRIGHTS" in command.return_options:
        yield "LIST-MYRIGHTS"


def _of_status(command: c.Status) -> Iterator[str]:
    yield from _of_status_items(command.items)


def _of_status_items(items: Iterable[StatusItem]) -> Iterator[str]:
    for item in items:
        if name := _STATUS_ITEMS.get(item):
            yield name


def _of_create(command: c.Create) -> Iterator[str]:
    if command.special_use:
        yield "CREATE-SPECIAL-USE"


def _of_expunge(command: c.Expunge) -> Iterator[str]:
    if command.uids is not None:
        yield "UIDPLUS"
    yield from _of_set(command.uids)


_OPTIONS: dict[type[c.Event], Callable[[Any], Iterator[str]]] = {
    c.Append: _of_append,
    c.AppendEnd: _of_steps,
    c.AppendMore: _of_append,
    c.Copy: _of_numbered,
    c.Create: _of_create,
    c.Expunge: _of_expunge,
    c.Fetch: _of_fetch,
    c.List: _of_list,
    c.Move: _of_numbered,
    c.MultiSearch: _of_results,
    c.Notify: _of_notify,
    c.Replace: _of_append,
    c.Search: _of_search,
    c.Select: _of_select,
    c.SetQuota: _of_set_quota,
    c.Sort: _of_sort,
    c.Status: _of_status,
    c.Store: _of_store,
    c.Thread: _of_thread,
}
