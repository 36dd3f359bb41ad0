"""Annotations of folders and of the server (RFC 5464): what a client may ask, and what it is told.

An entry's name is a path below `/private` (its reader's own) or `/shared`; names are compared
without case (§3.2.1) and kept in lower case. `name` of a folder is "" for the server's entries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .responses import folder_name
from .strings import astring, literal, nstring

Depth: TypeAlias = Literal["0", "1", "INFINITY"]


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """GETMETADATA (RFC 5464 §4.2); values of more than `max_size` octets are left out."""

    tag: bytes
    name: str
    entries: tuple[str, ...]
    depth: Depth = "0"
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """SETMETADATA (RFC 5464 §4.3); None removes an entry."""

    tag: bytes
    name: str
    values: tuple[tuple[str, bytes | None], ...]


def metadata(
    name: str, values: Iterable[tuple[str, bytes | None]], *, is_utf8: bool = False
) -> bytes:
    """The METADATA response with values (RFC 5464 §4.4.1)."""
    words = [b"%b %b" % (astring(entry.encode()), _value(value)) for entry, value in values]
    return b"* METADATA %b (%b)\r\n" % (_folder(name, is_utf8), b" ".join(words))


def metadata_changed(name: str, entries: Sequence[str], *, is_utf8: bool = False) -> bytes:
    """The METADATA response without values (RFC 5464 §4.4.2): these entries changed."""
    words = [astring(entry.encode()) for entry in entries]
    return b"* METADATA %b %b\r\n" % (_folder(name, is_utf8), b" ".join(words))


def _folder(name: str, is_utf8: bool) -> bytes:
    return folder_name(name, is_utf8=is_utf8) if name else b'""'


def _value(value: bytes | None) -> bytes:
    # RFC 5464 §5: only a literal8 may hold NUL.
    return b"~" + literal(value) if value and b"\0" in value else nstring(value)
