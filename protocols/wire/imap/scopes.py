"""Which folders a NOTIFY or an ESEARCH is about, and how that is read (RFC 5465 §6, RFC 7377)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .cursor import Cursor, Fault

MAX_NAMES = 1000


class Scope(Enum):
    """The kinds of `filter-mailboxes`; the value is how the wire spells it."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    # Only of ESEARCH: a folder and those one level below it (RFC 7377 §2.2).
    SUBTREE_ONE = "SUBTREE-ONE"
    MAILBOXES = "MAILBOXES"


WITH_NAMES = frozenset((Scope.SUBTREE, Scope.SUBTREE_ONE, Scope.MAILBOXES))


@dataclass(frozen=True, slots=True)
class Folders:
    """Some folders; `names` where the scope has names."""

    scope: Scope
    names: tuple[str, ...] = ()


def spelt(*scopes: Scope) -> dict[bytes, Scope]:
    """Scopes by how they are spelt on the wire."""
    return {scope.value.encode("ascii"): scope for scope in scopes}


def read_folders(cursor: Cursor, known: Mapping[bytes, Scope]) -> Folders:
    """A scope out of `known`, with its names."""
    scope = known.get(cursor.word())
    if scope is None:
        raise Fault("No such folders.")
    if scope not in WITH_NAMES:
        return Folders(scope)
    cursor.space()
    return Folders(scope, _names(cursor))


def _names(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.take(b"("):
        return (cursor.folder(),)
    names = {cursor.folder(): None}
    while cursor.take(b" "):
        names[cursor.folder()] = None
    cursor.expect(b")", "Closing parenthesis")
    if len(names) > MAX_NAMES:
        raise Fault("Too many folders.")
    return tuple(names)
