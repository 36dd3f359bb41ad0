"""What stands in the parentheses of commands: options, parameters and modifiers, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from .sequence_set import SequenceSet

SelectOption: TypeAlias = Literal["SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"]
ReturnOption: TypeAlias = Literal["SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS"]
StatusItem: TypeAlias = Literal[
    "MESSAGES",
    "RECENT",
    "UIDNEXT",
    "UIDVALIDITY",
    "UNSEEN",
    "HIGHESTMODSEQ",
    "SIZE",
    "DELETED",
    "DELETED-STORAGE",
    "APPENDLIMIT",
    "MAILBOXID",
]
# UPDATE asks for news of the results later on; CONTEXT is only a hint (RFC 5267 §4).
SearchReturn: TypeAlias = Literal[
    "MIN", "MAX", "ALL", "COUNT", "SAVE", "UPDATE", "CONTEXT", "RELEVANCY"
]

T = TypeVar("T")

# RFC 7162 §7: a mod-sequence has 63 bits.
MAX_MODSEQ = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Resync:
    """The QRESYNC parameter of SELECT (RFC 7162 §3.2.5): what the client had when it left.

    `known_uids` None: all. The pairs of message numbers and UIDs that a client may add only help
    servers that forget what they expunged; they are read and dropped (`has_numbers`: there were
    some).
    """

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None
    has_numbers: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """PARTIAL (RFC 9394 §3.1): results by their place, both ends included, as the client wrote it.

    Places count from 1, negative ones from the end; both ends have one sign.
    """

    first: int
    last: int

    def cut(self, found: Sequence[T]) -> Sequence[T]:
        """The results on this page."""
        near, far = sorted((abs(self.first), abs(self.last)))
        if self.first > 0:
            return found[near - 1 : far]
        count = len(found)
        return found[max(count - far, 0) : max(count - near + 1, 0)]

    def to_bytes(self) -> bytes:
        """As written on the wire."""
        return b"%d:%d" % (self.first, self.last)
