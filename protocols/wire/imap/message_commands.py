"""Commands on the selected folder and its messages (RFC 3501 §6.4)."""

from dataclasses import dataclass
from enum import Enum

from .fetch_items import FetchItem
from .options import Page, SearchReturn
from .search import SearchKey
from .sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Check:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Close:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Unselect:
    """UNSELECT (RFC 3691): CLOSE without the expunge."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE, or UID EXPUNGE (RFC 4315) when `uids` is given."""

    tag: bytes
    uids: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH or UID SEARCH. `return_options` (RFC 4731) is None where a plain SEARCH answers.

    `page` is what PARTIAL asks for among the options (RFC 9394); `update_items`, which UPDATE may
    have, are told of each new message that comes to the results (RFC 5465 §7).
    """

    tag: bytes
    program: SearchKey
    is_uid: bool
    return_options: frozenset[SearchReturn] | None
    page: Page | None = None
    update_items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or UID FETCH, macros expanded. Items come each once, in the client's order.

    A UID FETCH always has `Attribute.UID` among its items (RFC 3501 §6.4.8). `changed_since` leaves
    out what has no higher mod-sequence, and puts `Attribute.MODSEQ` among the items;
    `wants_vanished` asks for the UIDs expunged since too (RFC 7162 §3.1.4, §3.2.6). Of what is left
    only those on the `page` are told (RFC 9394 §3.3).
    """

    tag: bytes
    sequence_set: SequenceSet
    items: tuple[FetchItem, ...]
    is_uid: bool
    changed_since: int | None = None
    wants_vanished: bool = False
    page: Page | None = None


class StoreMode(Enum):
    """What STORE does with its flags: FLAGS, +FLAGS or -FLAGS."""

    SET = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class Store:
    """STORE or UID STORE. `flags` are bits of `flags.Flag`.

    Messages with a mod-sequence above `unchanged_since` are left as they are (RFC 7162 §3.1.3).
    """

    tag: bytes
    sequence_set: SequenceSet
    mode: StoreMode
    flags: int
    keywords: tuple[str, ...]
    is_silent: bool
    is_uid: bool
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY or UID COPY, to the folder `name`."""

    tag: bytes
    sequence_set: SequenceSet
    name: str
    is_uid: bool


@dataclass(frozen=True, slots=True)
class Move:
    """MOVE or UID MOVE (RFC 6851), to the folder `name`."""

    tag: bytes
    sequence_set: SequenceSet
    name: str
    is_uid: bool
