"""The answer to a large STORE, made while the disk takes what it changes.

What will have become of the messages is known beforehand, unless others change them at the same
time. So the lines are made before the commit is done; they are said after it, and only where the
folder has become just that. Pure.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace

from accounts.mailstore.deeds import Bits, change_bits
from protocols.servers.imap.folder_view import FolderView

# The lines of fewer messages take no time that is worth hiding.
MANY = 500


class Foreseen:
    """Lines for a picture that is expected."""

    __slots__ = ("_lines", "_picture")

    def __init__(
        self,
        view: FolderView,
        places: Sequence[int],
        flags: Bits,
        keywords: Bits,
        tell: Callable[[FolderView], bytes],
    ) -> None:
        """`tell` gives the lines for a view of the picture with these changes."""
        told = view.told
        self._picture = replace(told, flags=told.flags[:], keywords=told.keywords[:], memo={})
        change_bits(self._picture.flags, places, flags)
        change_bits(self._picture.keywords, places, keywords)
        imagined = copy(view)
        imagined.told = self._picture
        self._lines = tell(imagined)

    def lines(self, view: FolderView) -> bytes | None:
        """The lines, where the picture that the client has come to is the one expected."""
        told, expected = view.told, self._picture
        is_so = (
            told.uids is expected.uids
            and told.keyword_names == expected.keyword_names
            and told.flags == expected.flags
            and told.keywords == expected.keywords
        )
        return self._lines if is_so else None
