"""News of the selected folder that a client does not want to hear for now (RFC 5465 §3.1).

Nothing of it is lost. Messages that came or went are left to the client's view, which goes on
numbering what the client knows; whose flags changed stands here until it wants to hear of flags.
"""

from collections.abc import Collection, Iterable

_NONE: frozenset[int] = frozenset()


class Withheld:
    """One a view; almost always empty."""

    __slots__ = ("_complete_until", "unheard")

    def __init__(self) -> None:
        # UIDs whose flags changed.
        self.unheard: set[int] | frozenset[int] = _NONE
        # The mod-sequence up to which the client knows everything. Below 0: of all there is.
        self._complete_until = -1

    @property
    def is_empty(self) -> bool:
        """Whether the client has been told of everything."""
        return self._complete_until < 0

    def modseq_told(self, highest: int) -> int:
        """The mod-sequence up to which it has been told of everything, at most `highest`."""
        return highest if self._complete_until < 0 else self._complete_until

    def and_unheard(self, uids: Collection[int]) -> Collection[int]:
        """These, and those whose flags changed earlier."""
        return self.unheard.union(uids) if self.unheard else uids

    def withhold(self, uids: Iterable[int]) -> None:
        """The flags of these changed, which the client does not want to hear."""
        if isinstance(self.unheard, frozenset):
            self.unheard = set()
        self.unheard.update(uids)

    def tell(self) -> None:
        """Of all flags the client hears now."""
        self.unheard = _NONE

    def note(self, modseq_before: int, *, has_messages: bool) -> None:
        """After each look at the folder: with `has_messages` the view holds none back."""
        if has_messages and not self.unheard:
            self._complete_until = -1
        elif self._complete_until < 0:
            self._complete_until = modseq_before
