"""Short digests of the message-ids in header fields, by which messages find their thread.

Pure: nothing here asks the database.
"""

from hashlib import blake2b
from typing import NamedTuple

from protocols.wire.message import ancestors, iter_fields, message_ids

# Of a message's references: the oldest, and the latest of the others.
MAX_REFERENCES = 100

_WANTED = frozenset(
    (b"subject", b"from", b"to", b"cc", b"message-id", b"references", b"in-reply-to")
)
_NO_NAME = bytes(8)


class Names(NamedTuple):
    """A message's own id, None without a valid one, and those of its ancestors, oldest first."""

    own: bytes | None
    references: list[bytes]


def first_fields(headers: bytes) -> dict[bytes, bytes]:
    """The values of the fields that matter to threads and order; of several of a name the first."""
    found: dict[bytes, bytes] = {}
    for field in iter_fields(headers):
        if field.name in _WANTED:
            found.setdefault(field.name, field.value)
    return found


def names(fields: dict[bytes, bytes], limit: int = MAX_REFERENCES) -> Names:
    """The names in the fields of a message, with `limit` references at most."""
    own = message_ids(fields.get(b"message-id", b""))[:1]
    found = ancestors(fields.get(b"references", b""), fields.get(b"in-reply-to", b""))
    if len(found) > limit:
        found = [found[0], *found[1 - limit :]]
    return Names(_digest(own[0]) if own else None, [_digest(name) for name in found])


def packed(found: Names) -> bytes:
    """Names as one run of octets, eight each, the message's own first."""
    return b"".join((found.own or _NO_NAME, *found.references))


def unpacked(octets: bytes) -> Names:
    """What `packed` packed."""
    own = octets[:8]
    references = [octets[at : at + 8] for at in range(8, len(octets), 8)]
    return Names(None if own == _NO_NAME else own, references)


def _digest(identifier: bytes) -> bytes:
    # 64 bits: whoever finds two ids with one digest has joined two threads of their own.
    return blake2b(identifier, digest_size=8).digest()
