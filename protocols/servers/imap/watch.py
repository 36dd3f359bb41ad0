"""What a client of NOTIFY was told of folders, and what it must still be told (RFC 5465 §5).

Pure: what the mailbox sees comes in, lines come out. Only the difference of two sights is told, so
that nothing piles up while a client does not read: it hears later how things are by then. Folders
of others are in sight with the right `l`; `r` is needed to hear of their messages (§5).

Invariants: a name that went is told before one that came; OLDNAME is only said where the client
can rename what it has, which it cannot where names went round in a circle.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from accounts.mailstore import shared_names
from accounts.mailstore.annotations import Changed
from accounts.mailstore.catalog import Sight
from accounts.mailstore.folder_info import FolderInfo
from accounts.mailstore.names import SEPARATOR
from protocols.servers.imap.interest import Interest
from protocols.servers.imap.listing import Tree
from protocols.servers.imap.news import Overflow
from protocols.wire.imap import responses
from protocols.wire.imap.notify import MESSAGE_EVENTS, Event, renamed
from protocols.wire.imap.sequence_set import Range

# What one look may have to tell; after more the client had better ask itself (RFC 5465 §5.8).
MAX_OCTETS = 512 * 1024


# The FETCH responses of messages, given their UIDs.
Fetcher: TypeAlias = Callable[[Sequence[Range]], bytes]


class Manner(NamedTuple):
    """How a client wants to be told."""

    with_modseq: bool
    is_utf8: bool
    tells_uses: bool


class Watch:
    """One client's NOTIFY: its interest, and the sight it knows."""

    __slots__ = (
        "_held",
        "_leave_owners",
        "fetch_arrivals",
        "interest",
        "leave",
        "leave_selected",
        "notice",
        "told",
        "wake",
    )

    def __init__(self, interest: Interest, told: Sight, selected_id: int) -> None:
        self.interest = interest
        self.told = told
        # Tells of new messages of the selected folder.
        self.fetch_arrivals: Fetcher | None = None
        self.wake: Callable[[], None] = _nothing  # Has the connection look again.
        self.notice: Callable[[int, int], None] = _not_heard  # What `changes` calls.
        self.leave: Callable[[], None] = _nothing
        self.leave_selected: Callable[[], None] = _nothing
        # By mailbox: whose folders have been in sight.
        self._leave_owners: dict[int, Callable[[], None]] = {}
        # What the client knows of folders that were selected meanwhile; None: no numbers.
        self._held: dict[int, FolderInfo | None] = {selected_id: None} if selected_id else {}

    def refusals(self, manner: Manner) -> bytes:
        """A LIST of every folder that was named and may not be heard of (RFC 5465 §3.1)."""
        told = self.told
        tree = Tree(told.folders.values(), told.subscribed, tells_uses=manner.tells_uses)
        return b"".join(
            responses.listed(name, tree.attributes_told(name), is_utf8=manner.is_utf8)
            for name, folder in sorted(tree.folders.items())
            if folder.is_selectable
            and not folder.is_readable
            and self.interest.names(name)
            and self._events(name, self.told) & MESSAGE_EVENTS
        )

    def numbers(self, selected_id: int, manner: Manner) -> bytes:
        """A STATUS of every folder of interest (RFC 5465 §3.1)."""
        return b"".join(
            _status(folder, manner, events)
            for folder in sorted(self.told.folders.values(), key=lambda folder: folder.name)
            if folder.id != selected_id
            and folder.is_readable
            and (events := self._events(folder.name, self.told) & MESSAGE_EVENTS)
        )

    def news(self, now: Sight, selected_id: int, manner: Manner) -> bytes:
        """Take the client to `now`; what it must be told on the way there. Overflow."""
        before, self.told = self.told, now
        if before is now and self._held.keys() <= {selected_id}:
            return b""
        lines = b"".join(_Names(self.interest, before, now, manner).lines())
        lines += self._new_numbers(before, selected_id, manner)
        if len(lines) > MAX_OCTETS:
            raise Overflow
        return lines

    def follow_owners(self, subscribe: Callable[[int, int], Callable[[], None]]) -> bool:
        """Hear of whose folders are in sight, as (mailbox, MODSEQ); whether somebody is new."""
        found: dict[int, int] = {}
        for folder in self.told.others.values():
            known = found.get(folder.mailbox_id, 0)
            found[folder.mailbox_id] = max(known, folder.highest_modseq)
        # Those once seen stay: they may share something again.
        new = found.keys() - self._leave_owners.keys()
        for mailbox_id in new:
            self._leave_owners[mailbox_id] = subscribe(mailbox_id, found[mailbox_id])
        return bool(new)

    def end(self) -> None:
        """NOTIFY is over."""
        self.end_selected()
        for leave in (self.leave, *self._leave_owners.values()):
            leave()
        self._leave_owners.clear()

    def end_selected(self) -> None:
        """The selected folder is left."""
        leave, self.leave_selected = self.leave_selected, _nothing
        leave()

    def wants(self, changed: Changed) -> bool:
        """Whether the client wants to hear of an annotation that changed."""
        if changed.folder_id is None:
            return Event.SERVER_METADATA_CHANGE in self.interest.events
        folder = self.told.folders.get(changed.folder_id)
        if folder is None:
            return False
        return Event.MAILBOX_METADATA_CHANGE in self._events(folder.name, self.told)

    def _events(self, name: str, sight: Sight) -> frozenset[Event]:
        return self.interest.of(name, is_subscribed=name in sight.subscribed)

    def _new_numbers(self, before: Sight, selected_id: int, manner: Manner) -> bytes:
        now = self.told
        lines = []
        resubscribed = before.subscribed ^ now.subscribed
        for folder in now.folders.values():
            was = before.folders.get(folder.id)
            if folder.id == selected_id:
                self._held.setdefault(folder.id, was)
                continue
            is_held = folder.id in self._held
            if is_held:
                was = self._held.pop(folder.id)
            elif was is folder and folder.name not in resubscribed:
                continue
            if folder.is_readable and self._has_new_numbers(before, was, folder):
                events = self._events(folder.name, self.told)
                lines.append((folder.name, _status(folder, manner, events)))
        for folder_id in self._held.keys() - now.folders.keys():
            del self._held[folder_id]
        return b"".join(line for _, line in sorted(lines))

    def _has_new_numbers(self, before: Sight, was: FolderInfo | None, folder: FolderInfo) -> bool:
        events = self._events(folder.name, self.told) & MESSAGE_EVENTS
        if not events:
            return False
        if was is None or not was.is_readable or was.name != folder.name:
            return True
        if not self._events(was.name, before) & MESSAGE_EVENTS:
            return True
        if _counts(was) != _counts(folder):
            return True
        return Event.FLAG_CHANGE in events and was.highest_modseq != folder.highest_modseq


def _not_heard(folder_id: int, modseq: int) -> None:
    """Before there is anybody to wake."""


def _nothing() -> None:
    """Before there is anything to leave."""


def _counts(folder: FolderInfo) -> tuple[int, int, int]:
    return folder.exists, folder.uidnext, folder.uidvalidity


def _status(folder: FolderInfo, manner: Manner, events: frozenset[Event]) -> bytes:
    items: list[tuple[str, int | str]] = [
        ("MESSAGES", folder.exists),
        ("UIDNEXT", folder.uidnext),
        ("UIDVALIDITY", folder.uidvalidity),
        ("UNSEEN", folder.unseen),
    ]
    # RFC 5465 §3.1, §5.1: it is all that tells of most changes of flags.
    if manner.with_modseq or Event.FLAG_CHANGE in events:
        items.append(("HIGHESTMODSEQ", folder.highest_modseq))
    return responses.status(folder.name, items, is_utf8=manner.is_utf8)


class _Names:
    """The LIST responses between two sights (RFC 5465 §5.4, §5.5)."""

    def __init__(self, interest: Interest, before: Sight, now: Sight, manner: Manner) -> None:
        self._manner = manner
        self._interest = interest
        self._before = before
        self._now = now

    def lines(self) -> list[bytes]:
        before, now = self._before, self._now
        if before.subscribed == now.subscribed and not self._has_new_names():
            return []
        was, there = _by_name(before), _by_name(now)
        uses = self._manner.tells_uses
        tree = Tree(now.folders.values(), now.subscribed, tells_uses=uses)
        old_names = self._old_names(was, there)
        went = set(was) - set(there) - set(old_names.values())
        told: dict[str, bytes] = {}
        for name in sorted(went):
            if self._wants(Event.MAILBOX_NAME, name) or self._hears_of_access(name):
                told[name] = self._line(tree, name)
        for name in sorted(there):
            if self._wants(Event.MAILBOX_NAME, name):
                if name in old_names:
                    attributes = tree.attributes_told(name)
                    told[name] = renamed(
                        name, attributes, old_names[name], is_utf8=self._manner.is_utf8
                    )
                elif name not in was or _is_another(was[name], there[name]):
                    told[name] = self._line(tree, name)
            elif (
                name in was
                and was[name].is_readable != there[name].is_readable
                and self._hears_of_access(name)
            ):
                told[name] = self._line(tree, name)
        for name in self._parents_affected():
            if name not in told:
                told[name] = self._line(tree, name)
        for name in sorted(before.subscribed ^ now.subscribed):
            if name not in told and self._wants(Event.SUBSCRIPTION_CHANGE, name):
                told[name] = self._line(tree, name)
        return list(told.values())

    def _line(self, tree: Tree, name: str) -> bytes:
        return responses.listed(name, tree.attributes_told(name), is_utf8=self._manner.is_utf8)

    def _has_new_names(self) -> bool:
        before, now = self._before.folders, self._now.folders
        if before.keys() != now.keys():
            return True
        return any(
            was is not now[key] and (was.name != now[key].name or _is_another(was, now[key]))
            for key, was in before.items()
        )

    def _old_names(
        self, was: Mapping[str, FolderInfo], there: Mapping[str, FolderInfo]
    ) -> dict[str, str]:
        """By new name, the old one of folders that the client can rename."""
        found = {}
        for key, folder in self._now.folders.items():
            old = self._before.folders.get(key)
            if old is None or old.name in there or folder.name in was:
                continue
            if all(self._wants(Event.MAILBOX_NAME, name) for name in (old.name, folder.name)):
                found[folder.name] = old.name
        return found

    def _parents_affected(self) -> list[str]:
        """Folders right above those that came or went (RFC 5465 §5.4)."""
        before, now = self._before.folders, self._now.folders
        names = [(before.get(key) or now[key]).name for key in before.keys() ^ now.keys()]
        above = {name.rpartition(SEPARATOR)[0] for name in names}
        there = {folder.name for folder in now.values()}
        return sorted(name for name in above & there if self._wants(Event.MAILBOX_NAME, name))

    def _wants(self, event: Event, name: str) -> bool:
        return event in self._events(name)

    def _hears_of_access(self, name: str) -> bool:
        """RFC 5465 §5.9: of another's folder, whether its messages may still be heard of."""
        return shared_names.split(name) is not None and bool(self._events(name) & MESSAGE_EVENTS)

    def _events(self, name: str) -> frozenset[Event]:
        now, before = (
            self._interest.of(name, is_subscribed=name in sight.subscribed)
            for sight in (self._now, self._before)
        )
        return now | before


def _by_name(sight: Sight) -> dict[str, FolderInfo]:
    return {folder.name: folder for folder in sight.folders.values()}


def _is_another(was: FolderInfo, folder: FolderInfo) -> bool:
    """Whether what has the name now is something else than before."""
    return (
        was.id != folder.id
        or was.is_selectable != folder.is_selectable
        or was.is_readable != folder.is_readable
        or was.special_use != folder.special_use
    )
