"""Write ENVELOPE as IMAP sends it (RFC 9051 §7.5.2)."""

from functools import lru_cache

from protocols.wire.message.address import parse_addresses
from protocols.wire.message.header import unfold
from protocols.wire.message.imap_string import NIL, nstring
from protocols.wire.message.structure import Fields

# Addresses a field in the envelope of an attached message: many of those may stand in one answer.
ATTACHED_ADDRESS_LIMIT = 100
# Octets: a mailbox hears from few people, again and again.
RECURRING = 100


def render_envelope(fields: Fields, address_limit: int) -> bytes:
    """The parenthesised envelope of a message with these fields, octets as received.

    Fields that are absent give NIL; Sender and Reply-To that are absent or empty repeat From.
    """
    sender = _addresses(fields.get(b"from"), address_limit)
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(fields.get(b"date")),
        _text(fields.get(b"subject")),
        sender,
        _addresses(fields.get(b"sender"), address_limit, sender),
        _addresses(fields.get(b"reply-to"), address_limit, sender),
        _addresses(fields.get(b"to"), address_limit),
        _addresses(fields.get(b"cc"), address_limit),
        _addresses(fields.get(b"bcc"), address_limit),
        _text(fields.get(b"in-reply-to")),
        _text(fields.get(b"message-id")),
    )


def _text(value: bytes | None) -> bytes:
    return NIL if value is None else nstring(unfold(value))


def _addresses(value: bytes | None, limit: int, default: bytes = NIL) -> bytes:
    if value is None:
        return default
    render = _recurring if len(value) <= RECURRING else _rendered
    return render(value, limit) or default


def _rendered(value: bytes, limit: int) -> bytes:
    """The addresses in parentheses; empty where there are none."""
    addresses = parse_addresses(value, limit)
    if not addresses:
        return b""
    return b"(%b)" % b"".join(
        b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(local), nstring(domain))
        for name, route, local, domain in addresses
    )


_recurring = lru_cache(maxsize=2048)(_rendered)
