"""Write BODY and BODYSTRUCTURE as IMAP sends them (RFC 9051 §7.5.2)."""

from protocols.wire.message.content import (
    Params,
    parse_disposition,
    strip_comments,
)
from protocols.wire.message.decode import read_param
from protocols.wire.message.envelope import ATTACHED_ADDRESS_LIMIT, render_envelope
from protocols.wire.message.header import unfold
from protocols.wire.message.imap_string import NIL, nstring, string
from protocols.wire.message.octets import Buffer, count_lines
from protocols.wire.message.structure import Part


def render_structure(octets: Buffer, part: Part) -> tuple[bytes, bytes]:
    """BODY and BODYSTRUCTURE of a message: without and with the extension data."""
    if part.is_multipart:
        return _render_multipart(octets, part)
    content = part.content
    fields = part.fields
    params = content.params
    is_text = content.type.lower() == b"text"
    if is_text and read_param(params, b"charset") is None:
        # RFC 2046 §4.1.2: the default is told, so that clients need not know it.
        params = (*params, (b"charset", b"us-ascii"))
    plain = b"%b %b %b %b %b %b %d" % (
        string(content.type),
        string(content.subtype),
        _params(params),
        _field(part, b"content-id"),
        _field(part, b"content-description"),
        string(part.encoding),
        part.body_end - part.body_start,
    )
    full = plain
    if part.message is not None:
        envelope = render_envelope(part.message.fields, ATTACHED_ADDRESS_LIMIT)
        lines = count_lines(octets, part.body_start, part.body_end)
        inner_body, inner_full = render_structure(octets, part.message)
        plain += b" %b %b %d" % (envelope, inner_body, lines)
        full += b" %b %b %d" % (envelope, inner_full, lines)
    elif is_text:
        plain += b" %d" % count_lines(octets, part.body_start, part.body_end)
        full = plain
    md5 = _field(part, b"content-md5") if b"content-md5" in fields else NIL
    return b"(%b)" % plain, b"(%b %b %b)" % (full, md5, _extension(part))


def _render_multipart(octets: Buffer, part: Part) -> tuple[bytes, bytes]:
    rendered = [render_structure(octets, child) for child in part.children]
    subtype = string(part.content.subtype)
    return (
        b"(%b %b)" % (b"".join(plain for plain, _ in rendered), subtype),
        b"(%b %b %b %b)"
        % (
            b"".join(full for _, full in rendered),
            subtype,
            _params(part.content.params),
            _extension(part),
        ),
    )


def _extension(part: Part) -> bytes:
    """Disposition, language and location."""
    fields = part.fields
    disposition = NIL
    value = fields.get(b"content-disposition")
    if value and (parsed := parse_disposition(unfold(value))):
        disposition = b"(%b %b)" % (string(parsed[0]), _params(parsed[1]))
    language = NIL
    if value := fields.get(b"content-language"):
        tags = [tag.strip() for tag in strip_comments(unfold(value)).split(b",") if tag.strip()]
        if len(tags) == 1:
            language = string(tags[0])
        elif tags:
            language = b"(%b)" % b" ".join(map(string, tags))
    return b"%b %b %b" % (disposition, language, _field(part, b"content-location"))


def _field(part: Part, name: bytes) -> bytes:
    value = part.fields.get(name)
    return NIL if value is None else nstring(unfold(value))


def _params(params: Params) -> bytes:
    if not params:
        return NIL
    return b"(%b)" % b" ".join(b"%b %b" % (string(name), string(value)) for name, value in params)
