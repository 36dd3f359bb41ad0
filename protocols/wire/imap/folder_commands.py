"""Commands on folders (RFC 3501 §6.3)."""

from dataclasses import dataclass

from .options import Resync, ReturnOption, SelectOption, StatusItem


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
    each folder that can be selected (RFC 5819). `entries`: a METADATA with these for each folder
    that exists (RFC 9590).
    """

    tag: bytes
    reference: str
    patterns: tuple[str, ...]
    select_options: frozenset[SelectOption]
    return_options: frozenset[ReturnOption]
    is_lsub: bool
    is_extended: bool
    status_items: tuple[StatusItem, ...] = ()
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; items in the client's order, each once."""

    tag: bytes
    name: str
    items: tuple[StatusItem, ...]
