"""Quotas (RFC 9208): what a client may ask about them, and what it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from .responses import folder_name
from .strings import astring

Resource: TypeAlias = Literal["STORAGE", "MESSAGE", "MAILBOX"]


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA (RFC 9208 §4.1.1)."""

    tag: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """GETQUOTAROOT (RFC 9208 §4.1.2); the folder need not exist."""

    tag: bytes
    name: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """SETQUOTA (RFC 9208 §4.1.3): resources, as the client names them, and their new limits."""

    tag: bytes
    root: bytes
    limits: tuple[tuple[str, int], ...]


class Limit(NamedTuple):
    """One resource of a quota root: STORAGE in units of 1,024 octets (RFC 9208 §5.1)."""

    resource: Resource
    used: int
    allowed: int


def quota(root: bytes, limits: Iterable[Limit]) -> bytes:
    """The QUOTA response (RFC 9208 §4.2.1)."""
    words = [b"%b %d %d" % (each.resource.encode(), each.used, each.allowed) for each in limits]
    return b"* QUOTA %b (%b)\r\n" % (astring(root), b" ".join(words))


def quota_root(name: str, roots: Sequence[bytes], *, is_utf8: bool = False) -> bytes:
    """The QUOTAROOT response (RFC 9208 §4.2.2)."""
    words = b"* QUOTAROOT", folder_name(name, is_utf8=is_utf8), *map(astring, roots)
    return b" ".join(words) + b"\r\n"
