"""What FETCH asks for, one value an item (RFC 3501 §6.4.5); macros are already expanded."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Attribute(Enum):
    """Items without arguments; the value is the name a response repeats."""

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    MODSEQ = b"MODSEQ"
    SAVEDATE = b"SAVEDATE"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"


class SectionKind(Enum):
    """Which octets of a part a section names."""

    WHOLE = b""
    HEADER = b"HEADER"
    HEADER_FIELDS = b"HEADER.FIELDS"
    HEADER_FIELDS_NOT = b"HEADER.FIELDS.NOT"
    TEXT = b"TEXT"
    MIME = b"MIME"


@dataclass(frozen=True, slots=True)
class BodySection:
    """Octets of a message: `BODY[…]<…>`, and RFC822, RFC822.HEADER and RFC822.TEXT.

    `path` counts parts from 1, () is the message. `fields` are header names in lower case. `offset`
    and `count` (octets) are the partial range, -1 when all is wanted. `label` is the name the
    response must bear, e.g. `BODY[1.HEADER.FIELDS (TO)]<0>`. Unless `is_peek`, \\Seen gets set.
    """

    path: tuple[int, ...]
    kind: SectionKind
    fields: tuple[bytes, ...]
    is_peek: bool
    offset: int
    count: int
    label: bytes

    @property
    def is_partial(self) -> bool:
        """Whether only a range is wanted; what lies past the end is an empty string."""
        return self.count >= 0


@dataclass(frozen=True, slots=True)
class Preview:
    """`PREVIEW` (RFC 8970 §3); `is_lazy`: only where it costs the server nothing (§3.2)."""

    is_lazy: bool


@dataclass(frozen=True, slots=True)
class Binary:
    """`BINARY[…]<…>` (RFC 3516 §4.2): a part without its transfer encoding.

    As in `BodySection`; the partial range counts decoded octets.
    """

    path: tuple[int, ...]
    is_peek: bool
    offset: int
    count: int
    label: bytes


@dataclass(frozen=True, slots=True)
class BinarySize:
    """`BINARY.SIZE[…]`: how many octets `BINARY[…]` would be."""

    path: tuple[int, ...]
    label: bytes


FetchItem: TypeAlias = Attribute | BodySection | Preview | Binary | BinarySize

FAST = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
ALL = (*FAST, Attribute.ENVELOPE)
FULL = (*ALL, Attribute.BODY)
