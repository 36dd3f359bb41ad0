"""Encode the parts of a message that hold NUL, so that it can be told as text (RFC 3516 §4.4).

Everything else stays as it is. Only a part's content can be encoded: what has NUL in a header or
between parts is no message that could be told.
"""

from collections.abc import Iterator, Sequence

from protocols.wire.message.downgrade import BASE64_LINE, base64_lines
from protocols.wire.message.header import HEADER_LIMIT, iter_fields
from protocols.wire.message.octets import WINDOW, Buffer, count_octet, take
from protocols.wire.message.structure import Part, parse, walk
from protocols.wire.message.transfer import Decoded, is_known

_COMPOSITE = (b"multipart/", b"message/")


def encode_nul(octets: Buffer) -> Iterator[bytes] | None:
    """The message in pieces, every part that holds NUL as base64; None where that cannot be."""
    root = parse(octets)
    parts = []
    left = count_octet(octets, b"\0", 0, len(octets))
    for part in walk(root):
        if part.is_multipart or part.message is not None:
            continue
        inside = count_octet(octets, b"\0", part.body_start, part.body_end)
        if inside:
            left -= inside
            parts.append(part)
    if left or not all(map(_can_be_encoded, parts)):
        return None
    return _pieces(octets, root, parts)


def _can_be_encoded(part: Part) -> bool:
    declared = part.fields.get(b"content-type", b"").strip().lower()
    # RFC 2045 §6.4: what holds other parts has no encoding of its own.
    is_leaf = not declared.startswith(_COMPOSITE)
    is_short = part.body_start - part.header_start <= HEADER_LIMIT
    return is_leaf and is_short and is_known(part.encoding)


def _pieces(octets: Buffer, root: Part, parts: Sequence[Part]) -> Iterator[bytes]:
    header = take(octets, 0, min(root.body_start, HEADER_LIMIT))
    if parts and all(field.name != b"mime-version" for field in iter_fields(header)):
        yield b"MIME-Version: 1.0\r\n"
    at = 0
    for part in parts:
        yield from _copied(octets, at, part.header_start)
        yield _header(take(octets, part.header_start, part.body_start))
        yield from _base64(octets, part)
        at = part.body_end
    if parts and at == len(octets):
        yield b"\r\n"
    yield from _copied(octets, at, len(octets))


def _copied(octets: Buffer, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, WINDOW):
        yield take(octets, at, min(at + WINDOW, end))


def _header(block: bytes) -> bytes:
    """A part's header with its encoding told anew."""
    kept = []
    at = 0
    for field in iter_fields(block):
        kept.append(block[at : field.start])
        if field.name != b"content-transfer-encoding":
            raw = block[field.start : field.end]
            kept.append(raw if raw.endswith(b"\n") else raw + b"\r\n")
        at = field.end
    rest = block[at:]
    if rest not in (b"\r\n", b"\n"):
        kept.append(rest)
        rest = b"\r\n"
    return b"".join((*kept, b"Content-Transfer-Encoding: base64\r\n", rest))


def _base64(octets: Buffer, part: Part) -> Iterator[bytes]:
    def read(start: int, length: int) -> bytes:
        return take(octets, part.body_start + start, part.body_start + start + length)

    size = part.body_end - part.body_start
    waiting = b""
    is_first = True
    for piece in Decoded(read, size, part.encoding).read(0, size):
        waiting += piece
        whole = len(waiting) // BASE64_LINE * BASE64_LINE
        if whole:
            yield b"" if is_first else b"\r\n"
            yield base64_lines(waiting[:whole])
            waiting = waiting[whole:]
            is_first = False
    if waiting:
        yield b"" if is_first else b"\r\n"
        yield base64_lines(waiting)
