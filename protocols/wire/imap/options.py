"""What stands in the parentheses of commands: options, parameters and modifiers, as values."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .sequence_set import SequenceSet

SelectOption: TypeAlias = Literal["SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"]
ReturnOption: TypeAlias = Literal["SUBSCRIBED", "CHILDREN", "SPECIAL-USE"]
StatusItem: TypeAlias = Literal[
    "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ"
]
SearchReturn: TypeAlias = Literal["MIN", "MAX", "ALL", "COUNT"]

# RFC 7162 §7: a mod-sequence has 63 bits.
MAX_MODSEQ = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Resync:
    """The QRESYNC parameter of SELECT (RFC 7162 §3.2.5): what the client had when it left.

    `known_uids` None: all. The pairs of message numbers and UIDs that a client may add only help
    servers that forget what they expunged; they are read and dropped.
    """

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None
