"""Read the MIME structure of a message as a tree of offsets (RFC 2045, RFC 2046).

Rules: no octet is copied except header fields; every offset lies inside the message, and the parts
of a multipart with what stands between them make up its body exactly; an outer boundary ends
inner parts. Limits bound the work: what lies deeper or comes later is one opaque part.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocols.wire.message.content import (
    MESSAGE_RFC822,
    TEXT_PLAIN,
    Content,
    parse_content_type,
    strip_comments,
)
from protocols.wire.message.decode import read_param
from protocols.wire.message.header import BETWEEN_FIELDS, HEADER_LIMIT, split_header, unfold
from protocols.wire.message.octets import Buffer, occurrences, take

Kind: TypeAlias = Literal["", "HEADER", "TEXT", "MIME"]
Fields: TypeAlias = dict[bytes, bytes]
# A field as it stands in a header: its name in lower case, its value, folded, and all of it but the
# line feed at its end.
Cut: TypeAlias = tuple[bytes, bytes, bytes]

PART_LIMIT = 1000
DEPTH_LIMIT = 50
# RFC 2046 §5.1.1 allows 70; a delimiter must at least fit on a line of mail.
BOUNDARY_LIMIT = 900
# Fields looked at in the header of the message, of attached messages, and of parts.
FIELD_LIMIT = 20_000
_ATTACHED_FIELD_LIMIT = 1000
_PART_FIELD_LIMIT = 100
_INNER_HEADER_LIMIT = 64 * 1024
# Octets of Content-Transfer-Encoding in which one is looked for.
_ENCODING_LIMIT = 1000
# Lines that begin like a delimiter and are none, and octets searched for delimiters in all.
_FALSE_DELIMITER_LIMIT = 20_000
_SEARCH_LIMIT = 64 << 20

_DELIMITER_TAIL = re.compile(rb"(--)?+[ \t]*+\r?(?:\n|\Z)")
_BLANK = re.compile(rb"\s*+\Z")

CONTENT_FIELDS = frozenset(
    (
        b"content-type",
        b"content-transfer-encoding",
        b"content-id",
        b"content-description",
        b"content-disposition",
        b"content-language",
        b"content-location",
        b"content-md5",
    )
)
ADDRESS_LIST_FIELDS = frozenset((b"to", b"cc", b"bcc"))
MESSAGE_FIELDS = (
    CONTENT_FIELDS
    | ADDRESS_LIST_FIELDS
    | {b"date", b"subject", b"from", b"sender", b"reply-to", b"in-reply-to", b"message-id"}
)
OPAQUE = Content(b"application", b"octet-stream", ())


@dataclass(slots=True)
class Part:
    """A message or a part of one; `octets[header_start:body_start]` is its header with the empty
    line, `octets[body_start:body_end]` its body.

    `path` is the part's section number; a message attached as message/rfc822 (`message`) has the
    path of the part that holds it. `fields` are the values, folded, of the fields that a part
    (CONTENT_FIELDS) or a message (MESSAGE_FIELDS) is described by. `content` is what the part is
    treated as: it differs from the field where that cannot be made sense of.
    """

    path: tuple[int, ...]
    header_start: int
    body_start: int
    body_end: int
    fields: Fields
    content: Content
    is_message: bool
    is_multipart: bool = False
    children: "list[Part]" = field(default_factory=list)
    message: "Part | None" = None

    @property
    def number(self) -> str:
        """The section number as IMAP writes it: "" for the message, "1", "2.1"."""
        return ".".join(map(str, self.path))

    @property
    def encoding(self) -> bytes:
        """The transfer encoding as received, b"7bit" where none is given (RFC 2045 §6.1)."""
        value = self.fields.get(b"content-transfer-encoding")
        words = strip_comments(unfold(value[:_ENCODING_LIMIT])).split(None, 1) if value else None
        return words[0].rstrip(b";") or b"7bit" if words else b"7bit"


def parse(octets: Buffer) -> Part:
    """The structure of a whole message."""
    return parse_with_header(octets, split_header(octets), None)


def parse_with_header(octets: Buffer, body_start: int, fields: Fields | None) -> Part:
    """The same, where the caller has split the header off and perhaps read its fields."""
    scanner = _Scanner(octets)
    if fields is None:
        block = take(octets, 0, min(body_start, HEADER_LIMIT))
        fields = read_fields(cut_fields(block, FIELD_LIMIT), MESSAGE_FIELDS)
    part = Part((), 0, body_start, len(octets), fields, TEXT_PLAIN, is_message=True)
    scanner.read_content(part, 0, TEXT_PLAIN)
    return part


def cut_fields(block: bytes, limit: int) -> list[Cut]:
    """The fields of a header block in order, `limit` of them at most."""
    cut: list[Cut] = []
    for raw in BETWEEN_FIELDS.split(block, limit)[:limit]:
        name, _colon, value = raw.partition(b":")
        cut.append((name.rstrip().lower(), value, raw))
    return cut


def read_fields(cut: list[Cut], wanted: frozenset[bytes]) -> Fields:
    """Values (folded) by lower-case name: the first of each; lists of recipients are joined."""
    fields: Fields = {}
    repeated: dict[bytes, list[bytes]] = {}
    for name, value, _raw in cut:
        if name in wanted:
            if name not in fields:
                fields[name] = value
            elif name in ADDRESS_LIST_FIELDS:
                repeated.setdefault(name, [fields[name]]).append(value)
    for name, values in repeated.items():
        fields[name] = b",".join(values)
    return fields


def section(octets: Buffer, path: tuple[int, ...], kind: Kind = "") -> tuple[int, int] | None:
    """The range of a section (RFC 9051 §6.4.5.1), or None where there is no such part.

    `section(octets, (), "")` is BODY[], `((2,), "MIME")` is BODY[2.MIME], and so on.
    """
    if not path:
        if kind == "":
            return 0, len(octets)
        body_start = split_header(octets)
        match kind:
            case "HEADER":
                return 0, body_start
            case "TEXT":
                return body_start, len(octets)
            case _:
                return None
    return locate(parse(octets), path, kind)


def locate(root: Part, path: tuple[int, ...], kind: Kind = "") -> tuple[int, int] | None:
    """As `section`, in a structure already read."""
    if not path:
        match kind:
            case "":
                return root.header_start, root.body_end
            case "HEADER":
                return root.header_start, root.body_start
            case "TEXT":
                return root.body_start, root.body_end
            case _:
                return None
    part = find_part(root, path)
    if part is None:
        return None
    match kind:
        case "":
            return part.body_start, part.body_end
        case "MIME":
            return part.header_start, part.body_start
    if part.message is None:
        return None
    return locate(part.message, (), kind)


def find_part(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part of that section number. Number 1 of a message that is no multipart is its body."""
    part, is_message = root, True
    for number in path:
        if not is_message and part.message is not None:
            part, is_message = part.message, True
        if part.is_multipart:
            if not 1 <= number <= len(part.children):
                return None
            part, is_message = part.children[number - 1], False
        elif is_message and number == 1:
            is_message = False
        else:
            return None
    return part


def walk(part: Part) -> Iterator[Part]:
    """The part itself and everything in it, attached messages too, in order."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        yield part
        if part.message is not None:
            waiting.append(part.message)
        waiting.extend(reversed(part.children))


class _Scanner:
    """Reads one message; its counters bound what that may cost."""

    __slots__ = ("false_delimiters_left", "octets", "octets_left", "parts_left")

    def __init__(self, octets: Buffer) -> None:
        self.octets = octets
        self.parts_left = PART_LIMIT
        self.octets_left = _SEARCH_LIMIT + 4 * len(octets)
        self.false_delimiters_left = _FALSE_DELIMITER_LIMIT

    def read_part(
        self, start: int, end: int, path: tuple[int, ...], depth: int, default: Content
    ) -> Part:
        body_start = split_header(self.octets, start, end)
        block = take(self.octets, start, min(body_start, start + _INNER_HEADER_LIMIT))
        fields = read_fields(cut_fields(block, _PART_FIELD_LIMIT), CONTENT_FIELDS)
        part = Part(path, start, body_start, end, fields, default, is_message=False)
        self.read_content(part, depth, default)
        return part

    def read_attached(self, holder: Part, depth: int) -> Part:
        start, end = holder.body_start, holder.body_end
        body_start = split_header(self.octets, start, end)
        block = take(self.octets, start, min(body_start, start + _INNER_HEADER_LIMIT))
        fields = read_fields(cut_fields(block, _ATTACHED_FIELD_LIMIT), MESSAGE_FIELDS)
        part = Part(holder.path, start, body_start, end, fields, TEXT_PLAIN, is_message=True)
        self.read_content(part, depth, TEXT_PLAIN)
        return part

    def read_content(self, part: Part, depth: int, default: Content) -> None:
        """Set what the part is, and read what is in it."""
        self.parts_left -= 1
        value = part.fields.get(b"content-type")
        content = default
        if value is not None:
            # RFC 2045 §5.2: what cannot be read as a media type is plain text.
            content = parse_content_type(unfold(value)) or TEXT_PLAIN
        part.content = content
        kind = content.kind
        if kind.startswith(b"multipart/"):
            self._read_multipart(part, depth, kind)
        elif kind in (b"message/rfc822", b"message/global"):
            if depth >= DEPTH_LIMIT or self.parts_left <= 0:
                part.content = OPAQUE
            else:
                part.message = self.read_attached(part, depth + 1)

    def _read_multipart(self, part: Part, depth: int, kind: bytes) -> None:
        boundary = (read_param(part.content.params, b"boundary") or b"").rstrip()
        if not boundary or len(boundary) > BOUNDARY_LIMIT:
            part.content = TEXT_PLAIN
            return
        self.octets_left -= part.body_end - part.body_start
        if depth >= DEPTH_LIMIT or self.parts_left <= 0 or self.octets_left < 0:
            part.content = OPAQUE
            return
        ranges, has_delimiter = self._split(part.body_start, part.body_end, boundary)
        if not has_delimiter and not self._is_blank(part):
            # Its text would be invisible as the preamble of nothing.
            part.content = TEXT_PLAIN
            return
        part.is_multipart = True
        default = MESSAGE_RFC822 if kind == b"multipart/digest" else TEXT_PLAIN
        if not ranges:
            # IMAP's grammar wants at least one part in a multipart (RFC 9051 §9, body-type-mpart).
            ranges, default = [(part.body_end, part.body_end)], TEXT_PLAIN
        part.children = [
            self.read_part(start, end, (*part.path, number), depth + 1, default)
            for number, (start, end) in enumerate(ranges, 1)
        ]

    def _split(self, start: int, end: int, boundary: bytes) -> tuple[list[tuple[int, int]], bool]:
        """The ranges of the parts of a multipart body, and whether any delimiter was found."""
        octets = self.octets
        ranges: list[tuple[int, int]] = []
        needle = b"\n--" + boundary
        opened_at = -1
        has_delimiter = False
        limit = self.parts_left
        for at in occurrences(octets, needle, max(start - 1, 0), end):
            tail = _DELIMITER_TAIL.match(octets, at + len(needle), end)
            if tail is None:
                self.false_delimiters_left -= 1
                if self.false_delimiters_left < 0:
                    break
                continue
            has_delimiter = True
            if opened_at >= 0:
                # The line end before a delimiter belongs to it (RFC 2046 §5.1.1).
                ends_at = at - 1 if octets[at - 1] == 0x0D else at
                ranges.append((opened_at, max(ends_at, opened_at)))
                opened_at = -1
            if tail.group(1):
                break
            opened_at = tail.end()
            if len(ranges) + 1 >= limit:
                break
        if opened_at >= 0:
            ranges.append((opened_at, end))
        return ranges, has_delimiter

    def _is_blank(self, part: Part) -> bool:
        return _BLANK.match(self.octets, part.body_start, part.body_end) is not None
