"""How much work one search may be, counted as it goes, so that no program of keys stops a server.

Work is counted in looks: one is a look at a flag of one message, some 50 ns of a processor. What
keys cost besides was measured, and is told in looks below.

1. A search may do ALLOWANCE looks, whatever it asks for.
2. Besides, it may do as many looks as FREE_KEYS keys would that each cost as much as its dearest.
   So a search with no more keys than that is never refused, however much mail there is.
"""

from accounts.mailstore.refusals import SearchTooLarge
from protocols.wire.imap import search as keys
from protocols.wire.imap.search import SearchKey

# Five seconds of a processor.
ALLOWANCE = 100_000_000
FREE_KEYS = 100

# Looks a key, to be put in order and asked in a folder, though it holds a message or two.
A_KEY = 100
# Looks a message.
A_FLAG = 1
A_RANGE = 4
A_FIELD = 4
A_COLUMN = 20
A_LIKE_FIELD = 40
A_TEXT = 20
A_HEADER = 200
A_WHOLE_MESSAGE = 200
# Octets a look.
TEXT_OCTETS = 64
LIKE_TEXT_OCTETS = 1
DECODED_OCTETS = 32


class Work:
    """What one search has done."""

    __slots__ = ("_allowed", "_current", "_dearest", "spent")

    def __init__(self) -> None:
        self.spent = 0
        self._allowed = ALLOWANCE
        # Of the keys in this slice of the folder.
        self._current = 0
        self._dearest = 0

    def begin_folder(self, program: SearchKey) -> None:
        """Go on with another folder: where there are thousands, the keys themselves are work."""
        self.spent += max(0, _count(program) - FREE_KEYS) * A_KEY
        self._check()

    def begin_slice(self) -> None:
        """Go on with other messages."""
        self._allowed += FREE_KEYS * self._dearest
        self._dearest = 0

    def begin_key(self) -> None:
        """Go on with another key."""
        self._current = 0

    def add(self, looks: int) -> None:
        """Count looks before they are done; SearchTooLarge when they are too many."""
        self.spent += looks
        self._current += looks
        self._dearest = max(self._dearest, self._current)
        self._check()

    def _check(self) -> None:
        if self.spent > self._allowed + FREE_KEYS * self._dearest:
            raise SearchTooLarge("Those are too many keys for so many messages.")


def is_always_done(program: SearchKey) -> bool:
    """Whether a program has so few keys that it is never refused."""
    return _count(program) <= FREE_KEYS


def _count(key: SearchKey) -> int:
    match key:
        case keys.And(keys=several) | keys.Or(keys=several):
            return sum(map(_count, several))
        case keys.Fuzzy(key=inner):
            return _count(inner)
        case keys.Not(key=inner):
            return 1 + _count(inner)
        case _:
            return 1
