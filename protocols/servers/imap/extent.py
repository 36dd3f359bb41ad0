"""Which folders a scope is about, for NOTIFY and ESEARCH (RFC 5465 §6, RFC 7377 §2.2). Pure."""

from collections.abc import Iterable

from accounts.mailstore.names import SEPARATOR
from accounts.mailstore.shared_names import PREFIX, as_seen, split
from protocols.wire.imap.scopes import Scope

INBOX = "INBOX"


class Extent:
    """The folders of a scope, but for those that say only “the selected one”."""

    __slots__ = ("_below", "_names", "_scope")

    def __init__(self, scope: Scope, names: Iterable[str] = ()) -> None:
        self._scope = scope
        self._names = frozenset(map(as_seen, names))
        self._below: tuple[str, ...] = ()
        if scope in (Scope.SUBTREE, Scope.SUBTREE_ONE):
            # An empty name stands above all others.
            self._below = tuple(name and name + SEPARATOR for name in self._names)

    def names(self, name: str) -> bool:
        """Whether the client has said that name itself."""
        return name in self._names

    @property
    def is_about_others(self) -> bool:
        """Whether folders of other mailboxes may be among them."""
        above_others = bool(self._below) and not self._names.isdisjoint(("", PREFIX))
        return self._scope is Scope.SUBSCRIBED or above_others or any(map(split, self._names))

    def says(self, name: str) -> bool:
        """Whether the client has said that name, or what lies above it."""
        return bool(self._names) and self.has(name, is_subscribed=False)

    def has(self, name: str, *, is_subscribed: bool, is_own: bool = True) -> bool:
        """Whether the folder of that name is one of them."""
        match self._scope:
            case Scope.PERSONAL:
                return is_own
            case Scope.INBOXES:
                # Where mail is delivered to.
                return name == INBOX
            case Scope.SUBSCRIBED:
                return is_subscribed
            case Scope.SUBTREE:
                return name in self._names or name.startswith(self._below)
            case Scope.SUBTREE_ONE:
                return name in self._names or any(
                    name.startswith(above) and SEPARATOR not in name[len(above) :]
                    for above in self._below
                )
            case Scope.MAILBOXES:
                return name in self._names
            case Scope.SELECTED | Scope.SELECTED_DELAYED:
                return False
