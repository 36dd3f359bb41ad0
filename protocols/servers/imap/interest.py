"""Which events of which folders a client wants to hear of (RFC 5465 §5, §6).

Pure. Several groups may be about one folder: then all their events count (§6). The selected folder
has a group of its own for what becomes of its messages; no other group tells of that (§6.1).
"""

from collections.abc import Iterable
from typing import NamedTuple

from accounts.mailstore import shared_names
from protocols.servers.imap.extent import Extent
from protocols.servers.imap.news import EVERYTHING, SILENCE, Wanted
from protocols.wire.imap.notify import SELECTED, Event, EventGroup

NOTHING: frozenset[Event] = frozenset()


class _Group(NamedTuple):
    events: frozenset[Event]
    extent: Extent


class Interest:
    """The groups of a NOTIFY SET."""

    __slots__ = ("_groups", "events", "selected")

    def __init__(self, groups: Iterable[EventGroup]) -> None:
        groups = tuple(groups)
        self.selected = next((group for group in groups if group.scope in SELECTED), None)
        self.events = NOTHING.union(*(group.events for group in groups))
        self._groups = [
            _Group(group.events, Extent(group.scope, group.names))
            for group in groups
            if group.scope not in SELECTED
        ]

    @property
    def of_selected(self) -> Wanted:
        """Which news of the selected folder; without a group none (RFC 5465 §3.1)."""
        events = NOTHING if self.selected is None else self.selected.events
        # They come together (§5).
        if Event.MESSAGE_NEW not in events:
            return SILENCE
        return EVERYTHING if Event.FLAG_CHANGE in events else Wanted(flags=False)

    @property
    def is_about_others(self) -> bool:
        """Whether folders of other mailboxes may be meant."""
        return any(group.events and group.extent.is_about_others for group in self._groups)

    def names(self, name: str) -> bool:
        """Whether a group says the name itself, or one above it (RFC 5465 §6.5, §6.6)."""
        return any(group.extent.says(name) for group in self._groups)

    def of(self, name: str, *, is_subscribed: bool) -> frozenset[Event]:
        """The events of a folder that is not selected."""
        is_own = shared_names.split(name) is None
        found = [
            group.events
            for group in self._groups
            if group.extent.has(name, is_subscribed=is_subscribed, is_own=is_own)
        ]
        return found[0] if len(found) == 1 else NOTHING.union(*found)
