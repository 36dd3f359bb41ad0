"""BINARY[…] and BINARY.SIZE[…]: parts without their transfer encoding (RFC 3516 §4.2).

A small message is decoded in memory; of a large one a piece at a time, and what was learnt of it is
kept with its structure for the next range that is asked for.
"""

from collections.abc import Iterator, Sequence

from accounts.blobs import BlobMissing
from accounts.mailstore.fetch import FetchRow
from protocols.servers.imap.sections import Structure
from protocols.wire.imap.fetch_items import Binary, BinarySize, FetchItem
from protocols.wire.imap.strings import literal, literal8
from protocols.wire.message import decode_transfer, transfer


def can_decode(items: Sequence[FetchItem], structure: Structure) -> bool:
    """False when one of the items asks for a part in an encoding that nobody here knows."""
    for item in items:
        if isinstance(item, Binary | BinarySize):
            content = structure.content(item.path)
            if content is not None and not transfer.is_known(content.encoding):
                return False
    return True


def value(item: Binary | BinarySize, octets: bytes, structure: Structure) -> bytes:
    """What the response says behind the label, for a message that is in memory."""
    content = structure.content(item.path)
    if content is None:
        return b"0" if isinstance(item, BinarySize) else b"NIL"
    decoded = decode_transfer(octets[content.start : content.end], content.encoding)
    if isinstance(item, BinarySize):
        return b"%d" % len(decoded)
    if item.count >= 0:
        decoded = decoded[item.offset : item.offset + item.count]
    # RFC 3516 §4.3: a string where it can be one, so that clients need not look for NUL.
    return literal8(decoded) if b"\0" in decoded else literal(decoded)


def streamed(item: Binary | BinarySize, row: FetchRow, structure: Structure) -> Iterator[bytes]:
    """The same for a large message, in pieces; an empty one is time to let others have a turn."""
    decoded = structure.decoded(row, item.path)
    if decoded is None:
        yield b"0" if isinstance(item, BinarySize) else b"NIL"
        return
    if isinstance(item, BinarySize):
        for _ in decoded.scan():
            yield b""
        yield b"%d" % decoded.known_size
        return
    start, end = 0, None
    if item.count >= 0:
        start, end = item.offset, item.offset + item.count
    for _ in decoded.scan(end):
        yield b""
    end = decoded.known_size if end is None else min(end, decoded.known_size)
    start = min(start, end)
    yield b"%b{%d}\r\n" % (b"~" if decoded.holds_nul(start, end) else b"", end - start)
    for piece in decoded.read(start, end):
        yield piece
        start += len(piece)
    if start != end:
        raise BlobMissing(f"message {row.uid} ends within its part")
