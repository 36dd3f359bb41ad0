"""Access control lists (RFC 4314): what a client may ask about them, and what it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .responses import folder_name
from .strings import astring, string

Change: TypeAlias = Literal["", "+", "-"]


@dataclass(frozen=True, slots=True)
class SetAcl:
    """SETACL (RFC 4314 §3.1): replace (no `change`), add or take away these rights."""

    tag: bytes
    name: str
    identifier: str
    change: Change
    rights: str


@dataclass(frozen=True, slots=True)
class DeleteAcl:
    """DELETEACL (RFC 4314 §3.2)."""

    tag: bytes
    name: str
    identifier: str


@dataclass(frozen=True, slots=True)
class GetAcl:
    """GETACL (RFC 4314 §3.3)."""

    tag: bytes
    name: str


@dataclass(frozen=True, slots=True)
class ListRights:
    """LISTRIGHTS (RFC 4314 §3.4); the answer repeats the identifier as the client wrote it."""

    tag: bytes
    name: str
    identifier: str


@dataclass(frozen=True, slots=True)
class MyRights:
    """MYRIGHTS (RFC 4314 §3.5)."""

    tag: bytes
    name: str


def acl(name: str, entries: Iterable[tuple[str, str]], *, is_utf8: bool = False) -> bytes:
    """The ACL response (RFC 4314 §3.6): identifiers and their rights."""
    words = [_text(word) for entry in entries for word in entry]
    return b" ".join((b"* ACL", folder_name(name, is_utf8=is_utf8), *words)) + b"\r\n"


def list_rights(
    name: str, identifier: str, always: str, optional: Sequence[str], *, is_utf8: bool = False
) -> bytes:
    """The LISTRIGHTS response (RFC 4314 §3.7): rights held anyhow, and those that may be given."""
    words = map(_text, (identifier, always, *optional))
    return b" ".join((b"* LISTRIGHTS", folder_name(name, is_utf8=is_utf8), *words)) + b"\r\n"


def my_rights(name: str, rights: str, *, is_utf8: bool = False) -> bytes:
    """The MYRIGHTS response (RFC 4314 §3.8)."""
    return b"* MYRIGHTS %b %b\r\n" % (folder_name(name, is_utf8=is_utf8), _text(rights))


def _text(word: str) -> bytes:
    return astring(word.encode()) if word else string(b"")
