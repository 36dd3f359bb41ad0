"""Reading NOTIFY (RFC 5465 §8)."""

from collections.abc import Callable

from .cursor import Cursor, Fault
from .fetch_grammar import item_list
from .fetch_items import FetchItem
from .notify import MESSAGE_EVENTS, SELECTED, Event, EventGroup, Notify
from .scopes import Scope, read_folders, spelt

MAX_GROUPS = 100
MAX_EVENTS = 50

_SCOPES = spelt(*(scope for scope in Scope if scope is not Scope.SUBTREE_ONE))
_EVENTS = {event.value.upper().encode(): event for event in Event}
_TOGETHER = frozenset((Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE))


def _notify(tag: bytes, cursor: Cursor) -> Notify:
    cursor.space()
    match cursor.word():
        case b"NONE":
            return Notify(tag, ())
        case b"SET":
            return _set(tag, cursor)
    raise Fault("SET or NONE expected.")


def _set(tag: bytes, cursor: Cursor) -> Notify:
    cursor.space()
    wants_status = not cursor.is_at(b"(")
    if wants_status:
        if cursor.word() != b"STATUS":
            raise Fault("STATUS expected.")
        cursor.space()
    groups = [_group(cursor)]
    while cursor.has_more():
        cursor.space()
        groups.append(_group(cursor))
        if len(groups) > MAX_GROUPS:
            raise Fault("Too many groups.")
    if sum(group.scope in SELECTED for group in groups) > 1:
        raise Fault("The selected folder has one group of events.")
    return Notify(tag, tuple(groups), wants_status)


def _group(cursor: Cursor) -> EventGroup:
    cursor.expect(b"(", "Group of events")
    folders = read_folders(cursor, _SCOPES)
    cursor.space()
    group = EventGroup(folders.scope, folders.names, *_events(cursor))
    cursor.expect(b")", "Closing parenthesis")
    _check(group)
    return group


def _events(
    cursor: Cursor,
) -> tuple[frozenset[Event], tuple[FetchItem, ...], tuple[str, ...]]:
    if not cursor.take(b"("):
        if cursor.word() != b"NONE":
            raise Fault("Events expected.")
        return frozenset(), (), ()
    events: set[Event] = set()
    items: tuple[FetchItem, ...] = ()
    unknown: list[str] = []
    while True:
        word = cursor.atom()
        event = _EVENTS.get(word.upper())
        if event is None:
            unknown.append(word.decode("ascii"))
        else:
            events.add(event)
        if event is Event.MESSAGE_NEW and cursor.take(b" ("):
            items = item_list(cursor)
        if not cursor.take(b" "):
            break
        if len(events) + len(unknown) > MAX_EVENTS:
            raise Fault("Too many events.")
    cursor.expect(b")", "Closing parenthesis")
    return frozenset(events), items, tuple(unknown)


def _check(group: EventGroup) -> None:
    """What RFC 5465 §5 and §6.1 have refused with BAD."""
    messages = group.events & MESSAGE_EVENTS
    if messages and not messages >= _TOGETHER:
        raise Fault("MessageNew and MessageExpunge come together, and before other events.")
    if group.scope in SELECTED and group.events - MESSAGE_EVENTS:
        raise Fault("The selected folder has events of messages only.")
    if group.items and group.scope not in SELECTED:
        raise Fault("Only messages of the selected folder can be fetched.")


COMMANDS: dict[bytes, Callable[[bytes, Cursor], Notify]] = {b"NOTIFY": _notify}
