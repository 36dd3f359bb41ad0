"""NOTIFY (RFC 5465): the events that a client wants to hear of, and how folder names are told."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from .fetch_items import FetchItem
from .responses import folder_name, listed
from .scopes import Scope


class Event(Enum):
    """RFC 5465 §5; the value is how the wire spells it."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    ANNOTATION_CHANGE = "AnnotationChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


MESSAGE_EVENTS = frozenset(
    (Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE, Event.FLAG_CHANGE, Event.ANNOTATION_CHANGE)
)


SELECTED = frozenset((Scope.SELECTED, Scope.SELECTED_DELAYED))


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events of some folders; `names` where the scope has names.

    `items` are told of each new message of the selected folder (§5.2). `unknown` are events that
    nobody has defined yet.
    """

    scope: Scope
    names: tuple[str, ...]
    events: frozenset[Event]
    items: tuple[FetchItem, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY SET, or NOTIFY NONE when there are no groups; `wants_status`: of all folders first."""

    tag: bytes
    groups: tuple[EventGroup, ...]
    wants_status: bool = False


def bad_event(supported: Iterable[Event]) -> bytes:
    """The BADEVENT response code (RFC 5465 §8): the events there are."""
    return b"BADEVENT (%b)" % " ".join(event.value for event in supported).encode()


def renamed(name: str, attributes: Iterable[str], old: str, *, is_utf8: bool = False) -> bytes:
    """LIST of a folder that had another name (RFC 5465 §5.4)."""
    line = listed(name, attributes, is_utf8=is_utf8).removesuffix(b"\r\n")
    return b'%b ("OLDNAME" (%b))\r\n' % (line, folder_name(old, is_utf8=is_utf8))
