"""Make, once at delivery, what IMAP will be asked for again and again.

The prepared forms are wire bytes, stored beside the message. Whoever changes what they look like
raises PREPARED_VERSION, so that `fsck --prepare` renews the stored ones.
"""

import re
from dataclasses import dataclass

from protocols.wire.message.address import ADDRESS_LIMIT
from protocols.wire.message.bodystructure import render_structure
from protocols.wire.message.date import parse_date
from protocols.wire.message.envelope import render_envelope
from protocols.wire.message.header import HEADER_LIMIT, split_header, unfold
from protocols.wire.message.octets import Buffer, take
from protocols.wire.message.preview import render_preview
from protocols.wire.message.structure import (
    FIELD_LIMIT,
    MESSAGE_FIELDS,
    cut_fields,
    parse_with_header,
    read_fields,
)

PREPARED_VERSION = 9

# What mail programs ask for to show a list of messages (Thunderbird, Apple Mail, K-9, Roundcube).
LIST_VIEW_FIELDS = frozenset(
    (
        b"date",
        b"from",
        b"to",
        b"cc",
        b"bcc",
        b"sender",
        b"reply-to",
        b"subject",
        b"message-id",
        b"in-reply-to",
        b"references",
        b"content-type",
        b"mime-version",
        b"priority",
        b"x-priority",
        b"importance",
        b"newsgroups",
        b"list-id",
        b"list-post",
        b"list-unsubscribe",
        b"disposition-notification-to",
        b"mail-followup-to",
        b"mail-reply-to",
        b"x-uniform-type-identifier",
        b"x-universally-unique-identifier",
        b"x-k9mail-identity",
    )
)

# What most lists of messages show of the header, and the first thing that a reader waits for.
OVERVIEW_FIELDS = frozenset((b"date", b"from", b"to", b"subject"))
_OVERVIEW_FIELD = re.compile(
    rb"^(?:" + b"|".join(sorted(OVERVIEW_FIELDS)) + rb")[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message as its readers will ask for it.

    `envelope`, `bodystructure` and `body` are IMAP wire bytes with their parentheses. `headers`
    are the LIST_VIEW_FIELDS as received, in their order, each ending in CRLF; `overview_fields` are
    the OVERVIEW_FIELDS of them, closed by an empty line. `sent_at` is the Date field in Unix
    seconds. `preview` are the first words, on one line.
    """

    envelope: bytes
    bodystructure: bytes
    body: bytes
    headers: bytes
    overview_fields: bytes
    sent_at: int | None
    preview: str
    version: int = PREPARED_VERSION


def prepare(octets: Buffer, *, prefix: bytes = b"") -> Prepared:
    """Prepare the message that `prefix` and `octets` make up together.

    `prefix` holds whole header fields put on top of what was received; it ends in an empty line
    exactly when what was received does not begin with a header field.
    """
    body_start = split_header(octets)
    if prefix.endswith(b"\r\n\r\n") or prefix == b"\r\n":
        body_start = 0
    block = take(octets, 0, min(body_start, HEADER_LIMIT))
    if prefix:
        block = prefix + block
    cut = cut_fields(block, FIELD_LIMIT)
    fields = read_fields(cut, MESSAGE_FIELDS)
    root = parse_with_header(octets, body_start, fields)
    body, bodystructure = render_structure(octets, root)
    headers = b"".join(_closed(raw) for name, _value, raw in cut if name in LIST_VIEW_FIELDS)
    moment = parse_date(unfold(fields[b"date"])) if b"date" in fields else None
    return Prepared(
        envelope=render_envelope(fields, ADDRESS_LIMIT),
        bodystructure=bodystructure,
        body=body,
        headers=headers,
        overview_fields=b"".join(_OVERVIEW_FIELD.findall(headers)) + b"\r\n",
        sent_at=moment.unix if moment else None,
        preview=render_preview(octets, root),
    )


def _closed(raw: bytes) -> bytes:
    """A field with CRLF at its end, whatever stood there."""
    return raw + b"\n" if raw.endswith(b"\r") else raw.removesuffix(b"\n") + b"\r\n"
