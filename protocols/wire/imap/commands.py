"""Everything an IMAP client can say, one frozen value a command.

`ServerConversation.next_event` gives these; every one is answered with `send` (a `Tagged` or, where
its docstring says so, a `Continuation`) except `AppendChunk`, which needs no answer. `tag` is the
client's, b"*" where it could not be read. Whether a command is allowed now is the session's to say.
Folder names are decoded from modified UTF-7, and INBOX in any case is "INBOX".
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .fetch_items import FetchItem
from .options import Page, Resync, ReturnOption, SearchReturn, SelectOption, StatusItem
from .quota import GetQuota, GetQuotaRoot, SetQuota
from .responses import Tagged
from .search import SearchKey
from .sequence_set import SequenceSet
from .sort import Sort


@dataclass(frozen=True, slots=True)
class Invalid:
    """A command that cannot be understood or is too big; answer it with `reply`."""

    tag: bytes
    reply: Tagged


# Any state (RFC 3501 §6.1).


@dataclass(frozen=True, slots=True)
class Capability:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Noop:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Logout:
    """Answer with a `Tagged` whose `untagged` says BYE and that `closes`."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Id:
    """ID (RFC 2971): what the client says about itself; () for NIL."""

    tag: bytes
    parameters: tuple[tuple[str, str | None], ...]


# Not authenticated state (RFC 3501 §6.2).


@dataclass(frozen=True, slots=True)
class StartTls:
    """An OK makes the conversation want TLS and forget what was buffered."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Login:
    tag: bytes
    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password: values end up in logs."""
        return f"Login(tag={self.tag!r}, username={self.username!r})"


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE; `initial` is the decoded initial response (RFC 4959), None without one.

    Answer with `Continuation(challenge)` to be given a `SaslResponse`, or with a `Tagged`.
    """

    tag: bytes
    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        """Without the initial response: it holds credentials."""
        return f"Authenticate(tag={self.tag!r}, mechanism={self.mechanism!r})"


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """The next line of an AUTHENTICATE, decoded; answered as that is.

    None: the client cancelled (`*`) or sent no base64; answer BAD.
    """

    tag: bytes
    data: bytes | None

    def __repr__(self) -> str:
        """Without the data: it holds credentials."""
        return f"SaslResponse(tag={self.tag!r})"


# Authenticated state (RFC 3501 §6.3).


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437): back to not authenticated state, on the same connection."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE (RFC 5161); names in upper case."""

    tag: bytes
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE when `is_read_only`, with its parameters (RFC 7162 §3.1.8, §3.2.5)."""

    tag: bytes
    name: str
    is_read_only: bool
    condstore: bool = False
    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE; `special_use` holds attributes such as `\\Sent` (RFC 6154 §3), spelt as there.

    A trailing hierarchy delimiter (RFC 3501 §6.3.3) is already taken off `name`.
    """

    tag: bytes
    name: str
    special_use: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    tag: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    tag: bytes
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    tag: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    tag: bytes
    name: str


@dataclass(frozen=True, slots=True)
class List:
    """LIST, or LSUB when `is_lsub`; patterns may hold `*` and `%`.

    `is_extended` tells the syntax of RFC 5258 (options, several patterns) from the plain one, in
    which an empty pattern asks for the hierarchy delimiter. `status_items`: a STATUS with these for
    each folder that can be selected (RFC 5819).
    """

    tag: bytes
    reference: str
    patterns: tuple[str, ...]
    select_options: frozenset[SelectOption]
    return_options: frozenset[ReturnOption]
    is_lsub: bool
    is_extended: bool
    status_items: tuple[StatusItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; items in the client's order, each once."""

    tag: bytes
    name: str
    items: tuple[StatusItem, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND up to its literal of `size` octets, none of which is read yet.

    Answer with `Continuation()` to be given `AppendChunk`s and `AppendEnd` or `AppendAborted`, or
    refuse with a `Tagged` (TRYCREATE, TOOBIG): a synchronising literal is then never sent, and any
    other is dropped as it arrives. `flags` are bits of `flags.Flag`; `internal_date` is in seconds
    since 1970 with `zone_minutes` east of UTC, None for now.
    """

    tag: bytes
    name: str
    flags: int
    keywords: tuple[str, ...]
    internal_date: int | None
    zone_minutes: int
    size: int


@dataclass(frozen=True, slots=True)
class Replace(Append):
    """REPLACE or UID REPLACE (RFC 8508): an APPEND that removes the message `number`, 0 for `*`."""

    number: int
    is_uid: bool


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """Some of the literal of the APPEND under way. Needs no answer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """The APPEND is complete: store it and answer."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class AppendAborted:
    """What followed the literal was no end of a command: drop it and answer with `reply`."""

    tag: bytes
    reply: Tagged


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE (RFC 2177): answer with `Continuation(b"idling")`, push at will, then comes `Done`."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """The end of IDLE. `is_clean` False: the client said something else than DONE; answer BAD."""

    tag: bytes
    is_clean: bool


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS (RFC 4978): an OK makes both directions deflate from the next octet on."""

    tag: bytes
    mechanism: str


# Selected state (RFC 3501 §6.4).


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

    `page` is what PARTIAL asks for among the options (RFC 9394).
    """

    tag: bytes
    program: SearchKey
    is_uid: bool
    return_options: frozenset[SearchReturn] | None
    page: Page | None = None


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


Command: TypeAlias = (
    Invalid
    | Capability
    | Noop
    | Logout
    | Id
    | StartTls
    | Login
    | Authenticate
    | Unauthenticate
    | Enable
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Namespace
    | Status
    | Append
    | Replace
    | Compress
    | Idle
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | Sort
    | Fetch
    | Store
    | Copy
    | Move
    | GetQuota
    | GetQuotaRoot
    | SetQuota
)
Event: TypeAlias = Command | SaslResponse | AppendChunk | AppendEnd | AppendAborted | Done
