"""Searches that are followed: CANCELUPDATE, and what is said of changes (RFC 5267 §4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .cursor import Cursor
from .responses import Origin, correlators
from .sequence_set import compact

Kind: TypeAlias = Literal["ADDTO", "REMOVEFROM"]

Placed: TypeAlias = tuple[int, Sequence[int]]
"""A context position, counted from 1, and the results that come or go there, in their order.

Position 0: the results are in mailbox order, and the client finds their places."""


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """CANCELUPDATE: the tags of searches that need not be followed any longer."""

    tag: bytes
    cancelled: tuple[bytes, ...]


def read_cancel_update(tag: bytes, cursor: Cursor) -> CancelUpdate:
    """One tag or more, quoted."""
    tags: list[bytes] = []
    while not tags or cursor.has_more():
        cursor.space()
        tags.append(cursor.string())
    return CancelUpdate(tag, tuple(tags))


def results_changed(
    tag: bytes,
    kind: Kind,
    placed: Sequence[Placed],
    *,
    is_uid: bool,
    origin: Origin | None = None,
) -> bytes:
    """ESEARCH with the results that came to a search, or left it, each after the one before it."""
    pairs = b" ".join(b"%d %b" % (position, compact(results)) for position, results in placed)
    uid = b" UID" if is_uid else b""
    named = correlators(tag, origin)
    return b"* ESEARCH %b%b %b (%b)\r\n" % (named, uid, kind.encode(), pairs)


def no_update(tag: bytes) -> bytes:
    """The response code that says a search will not be followed (§4.3.1)."""
    return b'NOUPDATE "%b"' % tag
