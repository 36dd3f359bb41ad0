"""Turn 8-bit mail into 7-bit MIME for a peer that takes nothing else (RFC 6152 §3).

Rules: the result is pure ASCII in lines of at most LINE_LIMIT octets, and decodes to the same
contents in the same structure. Bodies that are fit to travel keep every octet; each other leaf is
encoded anew (text as quoted-printable, the rest as base64). Doing it twice changes nothing more.
"""

import binascii
import re

from protocols.wire.message.decode import decode_transfer
from protocols.wire.message.downgrade_header import (
    LINE_LIMIT,
    TO_ASCII,
    downgrade_field,
)
from protocols.wire.message.header import iter_fields
from protocols.wire.message.structure import OPAQUE, Part, parse

_BARE_CR = re.compile(rb"\r(?!\n)")
_LINE_END = re.compile(rb"\r?\n")
# RFC 2045 §6.7: lines of at most 76 characters, the "=" of a soft break among them.
_SOFT_LINE = re.compile(rb"(?:=[0-9A-Fa-f]{2}|[\x00-\xff]){1,25}")
_RAW = re.compile(rb"[\x00\r\x80-\xff]")
# Octets that make 76 characters, the most of a line (§6.8).
BASE64_LINE = 57


def to_7bit(octets: bytes) -> bytes:
    """The message as 7-bit MIME; the same object when it is fit to travel as it is."""
    if _is_fit(octets):
        return octets
    return b"".join(_message(octets, parse(octets)))


def _message(octets: bytes, part: Part) -> list[bytes]:
    chunks = _part(octets, part)
    if _is_changed(octets, part, chunks):
        block = octets[part.header_start : part.body_start]
        if all(field.name != b"mime-version" for field in iter_fields(block)):
            chunks.insert(0, b"MIME-Version: 1.0\r\n")
    return chunks


def _is_changed(octets: bytes, part: Part, chunks: list[bytes]) -> bool:
    return b"".join(chunks) != octets[part.header_start : part.body_end]


def _part(octets: bytes, part: Part) -> list[bytes]:
    if part.is_multipart:
        return [_header(octets, part, b"7bit", None), *_multipart_body(octets, part)]
    if part.message is not None:
        return [_header(octets, part, b"7bit", None), *_message(octets, part.message)]
    body = octets[part.body_start : part.body_end]
    if _is_fit(body):
        return [_header(octets, part, b"7bit", None), body]
    match part.encoding.lower():
        case b"quoted-printable":
            return [_header(octets, part, None, None), _mend_quoted_printable(body)]
        case b"base64":
            return [
                _header(octets, part, None, None),
                base64_lines(decode_transfer(body, b"base64")),
            ]
    content_type = _content_type(part, body)
    # Only text whose line ends are its own to change may have them made CRLF.
    is_text = part.content.type.lower() in (b"text", b"message") and b"\0" not in body
    if is_text and part.encoding.lower() != b"binary":
        encoding, encoded = b"quoted-printable", _quoted_printable(body)
    else:
        encoding, encoded = b"base64", base64_lines(body)
    return [_header(octets, part, encoding, content_type), encoded]


def _multipart_body(octets: bytes, part: Part) -> list[bytes]:
    chunks: list[bytes] = []
    at = part.body_start
    for child in part.children:
        chunks.append(_between(octets[at : child.header_start]))
        chunks += _part(octets, child)
        at = child.body_end
    chunks.append(_between(octets[at : part.body_end]))
    return chunks


def _between(octets: bytes) -> bytes:
    """Preamble, delimiters and epilogue: nothing a reader sees, so made fit by force."""
    if _is_fit(octets):
        return octets
    octets = _BARE_CR.sub(b" ", octets.translate(TO_ASCII))
    return b"\r\n".join(_cut(line) for line in _LINE_END.split(octets))


def _cut(line: bytes) -> bytes:
    if len(line) > LINE_LIMIT:
        # A delimiter padded with white space (RFC 2046 §5.1.1) stays one.
        line = line.rstrip()
    pieces = [line[at : at + LINE_LIMIT] for at in range(0, len(line), LINE_LIMIT)]
    return b"\r\n".join(pieces)


def _content_type(part: Part, body: bytes) -> bytes | None:
    """A new Content-Type where the old one would not allow the new encoding, or is missing."""
    value = part.fields.get(b"content-type")
    if part.content is OPAQUE:
        return b"application/octet-stream"
    if value is None and part.content.type != b"text":
        return None
    if value is None or value.strip().lower().startswith(b"multipart/"):
        # RFC 1428 §3: the charset of undeclared 8-bit text is unknown unless it proves itself.
        try:
            body.decode()
        except UnicodeDecodeError:
            return b"text/plain; charset=unknown-8bit"
        return b"text/plain; charset=utf-8"
    return None


def _header(octets: bytes, part: Part, encoding: bytes | None, content_type: bytes | None) -> bytes:
    """The part's header made ASCII, told its new encoding and type where these are given."""
    block = octets[part.header_start : part.body_start]
    if encoding == b"7bit" and part.encoding.lower() not in (b"8bit", b"binary"):
        encoding = None
    replaced = set()
    if encoding is not None:
        replaced.add(b"content-transfer-encoding")
    if content_type is not None:
        replaced.add(b"content-type")
    if not replaced and _is_fit(block):
        return block
    chunks: list[bytes] = []
    at = 0
    for field in iter_fields(block):
        chunks.append(_between(block[at : field.start]))
        at = field.end
        if field.name not in replaced:
            raw = block[field.start : field.end]
            chunks.append(downgrade_field(raw if raw.endswith(b"\n") else raw + b"\r\n", field))
    if content_type is not None:
        chunks.append(b"Content-Type: %b\r\n" % content_type)
    if encoding is not None:
        chunks.append(b"Content-Transfer-Encoding: %b\r\n" % encoding)
    # What is left is the empty line, unless the body began without one.
    chunks.append(block[at:] if block[at:] in (b"\r\n", b"\n") else b"\r\n")
    return b"".join(chunks)


def _quoted_printable(text: bytes) -> bytes:
    """RFC 2045 §6.7; the line ends of the text become CRLF, as they must in transport."""
    lines = [
        binascii.b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n")
        for line in _LINE_END.split(text)
    ]
    return b"\r\n".join(lines)


def _mend_quoted_printable(text: bytes) -> bytes:
    """Text that claims to be quoted-printable, with what it should have quoted quoted."""
    lines: list[bytes] = []
    for line in _LINE_END.split(text):
        line = _RAW.sub(lambda octet: b"=%02X" % octet[0][0], line)
        if len(line) > LINE_LIMIT:
            line = b"=\r\n".join(_SOFT_LINE.findall(line))
        lines.append(line)
    return b"\r\n".join(lines)


def base64_lines(octets: bytes) -> bytes:
    """In base64, with CRLF between the lines."""
    return b"\r\n".join(
        binascii.b2a_base64(octets[at : at + BASE64_LINE], newline=False)
        for at in range(0, len(octets), BASE64_LINE)
    )


def _is_fit(octets: bytes) -> bool:
    """Nothing in it needs 8 bits, a long line, NUL or a bare CR (RFC 5321 §2.3.8)."""
    if not octets.isascii() or b"\0" in octets or _BARE_CR.search(octets):
        return False
    at = 0
    while len(octets) - at > LINE_LIMIT:
        line_end = octets.rfind(b"\n", at, at + LINE_LIMIT + 1)
        if line_end >= 0:
            at = line_end + 1
        elif octets[at + LINE_LIMIT : at + LINE_LIMIT + 2] == b"\r\n":
            at += LINE_LIMIT + 2
        else:
            return False
    return True
