"""The words of a message as a person reads them: what SEARCH looks through.

Everything decoded is bounded by the caller's limit, and so is what is read for it.
"""

from collections.abc import Iterator

from protocols.wire.message.charset import decode_text
from protocols.wire.message.content import parse_disposition
from protocols.wire.message.decode import (
    decode_header,
    decode_params,
    decode_transfer,
    read_param,
)
from protocols.wire.message.header import (
    BETWEEN_FIELDS,
    HEADER_LIMIT,
    iter_fields,
    unfold,
)
from protocols.wire.message.html_text import html_to_text
from protocols.wire.message.octets import Buffer, take
from protocols.wire.message.structure import Part, parse, walk

# Encoded text is at most about three times as long as what it stands for (quoted-printable).
_ENCODED_FACTOR = 3
# Reports of what became of a message are of type message, and read by people.
_READ = (b"text", b"message")


def decoded_text(octets: Buffer, limit: int, root: Part | None = None) -> Iterator[str]:
    """The readable texts of the body, at most about `limit` characters in all, in order.

    These are the text parts (HTML as its words), reports, the names and descriptions of parts, and
    the headers of attached messages. `root` is what `parse` gives, if the caller has it.
    """
    left = limit
    for part in walk(root or parse(octets)):
        if left <= 0:
            return
        for text in _texts(octets, part, left):
            if text:
                yield text[:left]
                left -= len(text)


def decoded_header(
    octets: Buffer, limit: int = HEADER_LIMIT, root: Part | None = None
) -> Iterator[str]:
    """The header's fields and those of the parts as `Name: value`, decoded (RFC 9051 §6.4.4, TEXT).

    At most `limit` octets of headers are read. Those of attached messages are of the body.
    """
    for part in walk(root or parse(octets)):
        if limit <= 0:
            return
        if not _is_attached(part):
            end = min(part.body_start, part.header_start + limit)
            limit -= end - part.header_start
            yield from _decoded_fields(take(octets, part.header_start, end))


def _is_attached(part: Part) -> bool:
    """Whether it is a message within the message."""
    return part.is_message and part.header_start > 0


def _decoded_fields(block: bytes) -> Iterator[str]:
    at = 0
    for field in iter_fields(block):
        yield from _stray_lines(block[at : field.start])
        name, _colon, _value = block[field.start : field.end].partition(b":")
        yield f"{name.strip().decode('latin-1')}: {decode_header(field.value)}"
        at = field.end
    yield from _stray_lines(block[at:])


def _stray_lines(between: bytes) -> Iterator[str]:
    """What stands in a header and is no field: part of one that was folded wrongly, mostly."""
    if between.strip():
        yield from map(decode_header, BETWEEN_FIELDS.split(between))


def part_text(octets: Buffer, part: Part, limit: int) -> str:
    """The text of one text part, its HTML as words, from as many octets as `limit` needs."""
    end = min(part.body_end, part.body_start + limit * _ENCODED_FACTOR)
    body = decode_transfer(take(octets, part.body_start, end), part.encoding)
    text = decode_text(body, read_param(part.content.params, b"charset"))[:limit]
    return html_to_text(text) if part.content.kind == b"text/html" else text


def _part_names(part: Part) -> list[str]:
    """The names in Content-Disposition (RFC 2183 §2.3) and Content-Type, decoded, each once."""
    names: dict[str, str] = {}
    value = part.fields.get(b"content-disposition")
    if value and (parsed := parse_disposition(unfold(value))):
        names = decode_params(parsed[1])
    found = (names.get("filename", ""), decode_params(part.content.params).get("name", ""))
    return [name for name in dict.fromkeys(found) if name]


def _texts(octets: Buffer, part: Part, limit: int) -> Iterator[str]:
    if _is_attached(part):
        block = take(octets, part.header_start, min(part.body_start, part.header_start + limit))
        yield "\n".join(_decoded_fields(block))
    yield from _part_names(part)
    if not part.is_message:
        yield decode_header(part.fields.get(b"content-description", b""))
    if part.is_multipart or part.message is not None:
        return
    if part.content.type.lower() in _READ:
        yield part_text(octets, part, limit)
