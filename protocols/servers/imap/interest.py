"""Which events of which folders a client wants to hear of (RFC 5465 §5, §6).

Pure. Several groups may be about one folder: then all their events count (§6). The selected folder
has a group of its own for what becomes of its messages; no other group tells of that (§6.1).
"""

from collections.abc import Iterable, Sequence

from accounts.mailstore.names import SEPARATOR, canonical
from protocols.wire.imap.notify import MESSAGE_EVENTS, SELECTED, Event, EventGroup, Scope

INBOX = "INBOX"
NOTHING: frozenset[Event] = frozenset()


class Interest:
    """The groups of a NOTIFY SET."""

    __slots__ = ("_groups", "events", "selected")

    def __init__(self, groups: Iterable[EventGroup]) -> None:
        groups = tuple(groups)
        self.selected = next((group for group in groups if group.scope in SELECTED), None)
        self.events = NOTHING.union(*(group.events for group in groups))
        self._groups = [_Group(group) for group in groups if group.scope not in SELECTED]

    def of(self, name: str, *, is_subscribed: bool) -> frozenset[Event]:
        """The events of a folder that is not selected."""
        found = [group.events for group in self._groups if group.has(name, is_subscribed)]
        return found[0] if len(found) == 1 else NOTHING.union(*found)

    @property
    def hears_of_messages(self) -> bool:
        """Whether any folder that is not selected has events of messages."""
        return any(group.events & MESSAGE_EVENTS for group in self._groups)


class _Group:
    __slots__ = ("_below", "_names", "_scope", "events")

    def __init__(self, group: EventGroup) -> None:
        names = [canonical(name) for name in group.names]
        self._scope = group.scope
        self._names = frozenset(names)
        self._below: Sequence[str] = ()
        if group.scope is Scope.SUBTREE:
            self._below = tuple(name + SEPARATOR for name in names)
        self.events = group.events

    def has(self, name: str, is_subscribed: bool) -> bool:
        match self._scope:
            case Scope.PERSONAL:
                return True
            case Scope.INBOXES:
                # Where mail is delivered to.
                return name == INBOX
            case Scope.SUBSCRIBED:
                return is_subscribed
        return name in self._names or name.startswith(tuple(self._below))
