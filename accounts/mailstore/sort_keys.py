"""What a message is sorted and threaded by, made from its header fields (RFC 5256, RFC 5957).

Pure. Texts are in the form that puts them in order and written as UTF-8, whose octets sort as the
characters do.
"""

from typing import NamedTuple

from accounts.mailstore.search_text import collated
from accounts.mailstore.thread_names import first_fields, names, packed
from protocols.wire.message import Address, decode_header, parse_addresses, read_subject


class Keys(NamedTuple):
    """By the names of the columns they are kept in."""

    is_reply: bool
    subject: bytes
    sender: bytes
    sender_name: bytes
    recipient: bytes
    recipient_name: bytes
    copied: bytes
    names: bytes


def keys_of(headers: bytes) -> Keys:
    """The keys of a message, from its list-view fields; of several of a name the first counts."""
    fields = first_fields(headers)
    subject = read_subject(decode_header(fields.get(b"subject", b"")))
    sender = _first(fields.get(b"from", b""))
    recipient = _first(fields.get(b"to", b""))
    return Keys(
        subject.is_reply,
        _folded(subject.text),
        _folded(_mailbox(sender)),
        _folded(_display(sender)),
        _folded(_mailbox(recipient)),
        _folded(_display(recipient)),
        _folded(_mailbox(_first(fields.get(b"cc", b"")))),
        packed(names(fields)),
    )


def _folded(text: str) -> bytes:
    return collated(text).encode("utf-8", "surrogatepass")


def _first(value: bytes) -> Address | None:
    return next(iter(parse_addresses(value, 1)), None)


def _mailbox(address: Address | None) -> str:
    """The addr-mailbox, which for a group is its name."""
    return "" if address is None else decode_header(address.local or b"")


def _display(address: Address | None) -> str:
    """The name, else the address itself (RFC 5957 §3)."""
    if address is None:
        return ""
    if address.name or address.domain is None:
        return decode_header(address.name or address.local or b"")
    return decode_header(b"@".join(filter(None, (address.local, address.domain))))
