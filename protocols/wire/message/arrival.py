"""What is put on top of a message as it arrives, and the only fields ever taken from it."""

import re

from protocols.wire.message.content import strip_comments
from protocols.wire.message.header import (
    BETWEEN_FIELDS,
    HEADER_LIMIT,
    iter_fields,
    split_header,
    unfold,
)
from protocols.wire.message.octets import Buffer, take

_AUTHSERV_ID = re.compile(rb"\s*+(?:\"([^\"\\]*+)\"|([^\s;=\"/]++))")


def add_missing_fields(octets: Buffer, *, message_id: bytes, date: bytes, sender: bytes) -> bytes:
    """The lines to put on top so that Message-ID, Date and From are all there (RFC 6409 §8).

    The values are whole field values: `message_id` with its angle brackets. An empty `sender`
    adds no From. A text that does not begin with a header field gets an empty line after them,
    so that it stays body.
    """
    block = take(octets, 0, min(split_header(octets), HEADER_LIMIT))
    has_fields = bool(block) and not block.startswith((b"\n", b"\r\n"))
    present = set()
    for raw in BETWEEN_FIELDS.split(block):
        name, _colon, value = raw.partition(b":")
        if value.strip() and not value.startswith(b"//"):
            present.add(name.rstrip(b" \t").lower())
    lines = b"".join(
        b"%b: %b\r\n" % (name, value)
        for name, value in ((b"Message-ID", message_id), (b"Date", date), (b"From", sender))
        if value and name.lower() not in present
    )
    return lines if has_fields else lines + b"\r\n"


def ranges_to_strip(octets: Buffer, *, authserv_id: bytes) -> list[tuple[int, int]]:
    """Where the header holds Return-Path, or Authentication-Results that bear our name.

    RFC 5321 §4.4: the final delivery alone writes Return-Path. RFC 8601 §5: results that claim
    to be ours are forged. Ranges are whole fields, in order.
    """
    block = take(octets, 0, min(split_header(octets), HEADER_LIMIT))
    # Most headers hold neither, which is told much sooner than what they do hold.
    lowered = block.lower()
    if b"return-path" not in lowered and b"authentication-results" not in lowered:
        return []
    ours = authserv_id.lower()
    return [
        (field.start, field.end)
        for field in iter_fields(block)
        if field.name == b"return-path"
        or (field.name == b"authentication-results" and _authserv_id(field.value) == ours)
    ]


def _authserv_id(value: bytes) -> bytes:
    found = _AUTHSERV_ID.match(strip_comments(unfold(value)))
    return (found.group(1) or found.group(2) or b"").lower() if found else b""
