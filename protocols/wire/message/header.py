"""Find the header of a message and the fields in it, by offset.

Rules: linear time on any octets; line ends may be CRLF or bare LF (mail that came by APPEND);
nothing is changed, so every field can be given back exactly as it was received.
"""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from protocols.wire.message.octets import Buffer, occurrences, take

# Octets of a header block that are searched for fields; the rest of a longer one is carried along.
HEADER_LIMIT = 1 << 20
# Octets searched at once for the end of a header, and for fields. No other thread can do anything
# meanwhile, and 100 MiB of header take seconds.
_PIECE = 256 * 1024
# Lines that are no field but stand inside a header (a field broken by a careless program).
_STRAY_LINE_LIMIT = 100

# RFC 5322 §3.6.8, with the obsolete space before the colon (§4.5). A line of text that begins
# with a URL is no field, though "https" would make a name. No name is longer than a line may be
# (§2.1.1).
_FIELD = rb"[!-9;-~]{1,998}+[ \t]*+:(?!//)"
_FIELD_START = re.compile(_FIELD)
_LINE_END = re.compile(rb"\r?\n")
_HEADER_END = re.compile(rb"\n(?:(\r?\n)|(?!" + _FIELD + rb"|[ \t]|\Z))")
_NAME = re.compile(rb"[!-9;-~]++")
# What some program may take for a From field, and its value.
_AUTHORS = re.compile(rb"^from[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE | re.IGNORECASE)
_RECEIVED = re.compile(rb"(?:\A|\n)received[ \t]*+:", re.IGNORECASE)
# Names that tell a header without its closing empty line from a text such as "Note: buy milk".
_FAMILIAR_NAME = (
    rb"(?:from|to|cc|bcc|subject|date|sender|reply-to|message-id|in-reply-to|references|received"
    rb"|return-path|mime-version|content-[a-z-]++|x-[!-9;-~]++|list-[a-z]++)[ \t]*+:"
)
_FAMILIAR_FIRST = re.compile(_FAMILIAR_NAME, re.IGNORECASE)
_FAMILIAR_LATER = re.compile(rb"\n" + _FAMILIAR_NAME, re.IGNORECASE)

# To compile a pattern takes longer the more names are in it.
_FEW_NAMES = 16

# Cuts a header block into fields: a line feed that no folding white space follows.
BETWEEN_FIELDS = re.compile(rb"\n(?![ \t])")


class Field(NamedTuple):
    """One header field; `block[start:end]` is the whole field with its line end.

    `name` is in lower case; `value` is what follows the colon as received: folded, not stripped.
    """

    name: bytes
    start: int
    end: int
    value: bytes


def split_header(octets: Buffer, start: int = 0, end: int | None = None) -> int:
    """The offset of the body of the entity that begins at `start`.

    The header ends with its first empty line, which belongs to it. Where that line is missing,
    the first line that is neither field nor continuation begins the body, unless a field follows
    it directly. An entity that does not begin with a field has no header: its body begins at
    `start`, or after the empty line found there.
    """
    end = len(octets) if end is None else end
    if empty_line := _LINE_END.match(octets, start, end):
        return empty_line.end()
    if not _FIELD_START.match(octets, start, end):
        return start
    at = start
    body = end
    strays = 0
    while ending := _header_end(octets, at, end):
        if ending.group(1) is not None:
            return ending.end()
        next_line = next(occurrences(octets, b"\n", ending.end(), end), end) + 1
        after_stray = _FIELD_START.match(octets, next_line, end) if next_line < end else None
        strays += 1
        if after_stray is None or strays > _STRAY_LINE_LIMIT:
            body = ending.end()
            break
        at = after_stray.end()
    # No empty line closed it: a header only if a name in it is one that mail really uses.
    limit = min(body, start + HEADER_LIMIT)
    if _FAMILIAR_FIRST.match(octets, start, limit) or _FAMILIAR_LATER.search(octets, start, limit):
        return body
    return start


def _header_end(octets: Buffer, at: int, end: int) -> re.Match[bytes] | None:
    """The first `_HEADER_END` in `[at, end)`, looked for a piece at a time."""
    while at < end:
        piece = take(octets, at, min(at + _PIECE, end))
        last = at + piece.rfind(b"\n")
        if last < at:
            at += len(piece)
            continue
        # What the last line feed means is told by the line behind it.
        found = _HEADER_END.search(octets, at, last + 1) or _HEADER_END.match(octets, last, end)
        if found:
            return found
        at = last + 1
    return None


def begins_with_field(octets: Buffer) -> bool:
    """False for a text without header, and for one that begins with an empty line."""
    return not _LINE_END.match(octets) and split_header(octets) > 0


def iter_fields(block: bytes) -> Iterator[Field]:
    """The fields of a header block in order; lines that are no field are passed over."""
    start = 0
    size = len(block)
    while start < size:
        between = BETWEEN_FIELDS.search(block, start)
        end = between.end() if between else size
        raw = block[start:end]
        name, colon, value = raw.partition(b":")
        name = name.rstrip(b" \t")
        if colon and _NAME.fullmatch(name) and not value.startswith(b"//"):
            yield Field(name.lower(), start, end, _without_line_end(value))
        start = end


def unfold(value: bytes) -> bytes:
    """A field's value on one line, without white space at its ends; holds no CR and no LF."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    if b"\r" in value:
        value = value.replace(b"\r", b" ")
    return value.strip()


def header_fields(block: bytes, names: Collection[bytes], *, exclude: bool = False) -> bytes:
    """The fields of the given names as received, or all others, closed by an empty line.

    This is BODY[HEADER.FIELDS (…)] and BODY[HEADER.FIELDS.NOT (…)] of RFC 9051 §6.4.5.1; names
    match in any case.
    """
    if exclude or len(names) > _FEW_NAMES:
        wanted = {name.lower() for name in names}
        fields = iter_fields(block)
        found = [
            block[each.start : each.end] for each in fields if (each.name in wanted) != exclude
        ]
    else:
        find = _finder(tuple(names)).findall
        found = [field for piece in _pieces(block) for field in find(piece)]
    if found and not found[-1].endswith(b"\n"):
        found.append(b"\n" if found[-1].endswith(b"\r") else b"\r\n")
    return b"".join(found) + b"\r\n"


def author_values(octets: Buffer) -> Iterator[bytes]:
    """The values of all From fields that any program may find in a message, folded.

    Other programs may read a header up to the first empty line, whatever stands before it, and may
    take for a field what is none here. What has no header at all is not looked at.
    """
    if not begins_with_field(octets):
        return
    end = split_header(octets)
    if not take(octets, max(end - 3, 0), end).endswith((b"\n\r\n", b"\n\n")):
        end = next(occurrences(octets, b"\n\r\n", end - 1, len(octets)), len(octets))
    for piece in _pieces(take(octets, 0, end)):
        yield from _AUTHORS.findall(piece)


def _pieces(block: bytes) -> Iterator[bytes]:
    """The fields of a block, whole ones and some at a time."""
    start, size = 0, len(block)
    while size - start > _PIECE:
        between = BETWEEN_FIELDS.search(block, start + _PIECE)
        end = between.end() if between else size
        yield block[start:end]
        start = end
    yield block[start:]


@lru_cache(maxsize=256)
def _finder(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """What finds the fields of these names that `iter_fields` gives, in a third of the time."""
    alternatives = [re.escape(name) for name in names if _NAME.fullmatch(name)]
    # Without any, what matches nothing.
    chosen = b"|".join(alternatives) or rb"(?!)"
    return re.compile(
        rb"^(?:" + chosen + rb")[ \t]*+:(?!//)[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)",
        re.MULTILINE | re.IGNORECASE,
    )


def count_received(header: Buffer) -> int:
    """How many Received fields a header holds: the hops made so far (RFC 5321 §6.3)."""
    limit = min(len(header), HEADER_LIMIT)
    return sum(1 for _ in _RECEIVED.finditer(header, 0, limit))


def _without_line_end(value: bytes) -> bytes:
    if value.endswith(b"\r\n"):
        return value[:-2]
    return value.removesuffix(b"\n")
