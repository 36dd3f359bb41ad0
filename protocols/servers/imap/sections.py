"""The octets that BODY[…] names, found by offset so that only they are read (RFC 3501 §6.4.5).

A structure once read is kept for the last few messages: clients fetch a large attachment in
hundreds of pieces, and must not pay for the whole message with each.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from accounts import blobs
from accounts.mailstore import fetch
from accounts.mailstore.fetch import FetchRow
from protocols.wire.imap.fetch_items import BodySection, SectionKind
from protocols.wire.message import (
    LIST_VIEW_FIELDS,
    OVERVIEW_FIELDS,
    Kind,
    Part,
    find_part,
    header_fields,
    locate,
    parse,
    split_header,
    walk,
)
from protocols.wire.message.content import TEXT_PLAIN
from protocols.wire.message.transfer import Decoded

Range = tuple[int, int]

_KINDS: dict[SectionKind, Kind] = {
    SectionKind.WHOLE: "",
    SectionKind.HEADER: "HEADER",
    SectionKind.HEADER_FIELDS: "HEADER",
    SectionKind.HEADER_FIELDS_NOT: "HEADER",
    SectionKind.TEXT: "TEXT",
    SectionKind.MIME: "MIME",
}
_ENCODING = b"content-transfer-encoding"
# Octets; no encoding that is known has a longer name.
LONGEST_ENCODING = 40
_FIELD_KINDS = (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT)


def is_whole(section: BodySection) -> bool:
    """Whether it is BODY[], all of a message."""
    return not section.path and section.kind is SectionKind.WHOLE and not section.is_partial


def is_in_list_view(section: BodySection) -> bool:
    """Whether the prepared header fields answer it."""
    return (
        not section.path
        and section.kind is SectionKind.HEADER_FIELDS
        and LIST_VIEW_FIELDS.issuperset(section.fields)
    )


def is_overview(section: BodySection) -> bool:
    """Whether it is all that an overview holds of the header."""
    return is_in_list_view(section) and set(section.fields) == OVERVIEW_FIELDS


@lru_cache(maxsize=256)
def _finder(fields: tuple[bytes, ...]) -> re.Pattern[bytes]:
    names = b"|".join(re.escape(name) for name in fields)
    return re.compile(
        rb"^(?:" + names + rb")[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+", re.MULTILINE | re.IGNORECASE
    )


def list_view_fields(section: BodySection, headers: Sequence[bytes]) -> list[bytes]:
    """HEADER.FIELDS of several messages, from their prepared fields."""
    find = _finder(section.fields).findall
    found = [b"".join(find(block)) + b"\r\n" for block in headers]
    return [_cut(section, octets) for octets in found] if section.is_partial else found


def _cut(section: BodySection, octets: bytes) -> bytes:
    if not section.is_partial:
        return octets
    return octets[section.offset : section.offset + section.count]


class Content(NamedTuple):
    """The content of a part: its range in the whole message, and how it is encoded."""

    start: int
    end: int
    encoding: bytes


class Structure:
    """The parts of one message; `shift` octets of trace headers stand before what was parsed."""

    __slots__ = ("_decoded", "_root", "_shift")

    def __init__(self, root: Part, shift: int = 0) -> None:
        for part in walk(root):
            # A connection keeps this, and what describes parts may be as long as the message.
            part.fields = {_ENCODING: part.encoding[:LONGEST_ENCODING]}
            part.content = TEXT_PLAIN
        self._root = root
        self._shift = shift
        self._decoded: dict[tuple[int, ...], Decoded] = {}

    def find(self, section: BodySection) -> Range | None:
        """The section's range in the whole message, None where there is no such part."""
        found = locate(self._root, section.path, _KINDS[section.kind])
        if found is None or not self._shift:
            return found
        start, end = found
        is_from_top = not section.path and section.kind is not SectionKind.TEXT
        return (0 if is_from_top else start + self._shift), end + self._shift

    def content(self, path: tuple[int, ...]) -> Content | None:
        """What BINARY of a path decodes, None where there is no such part.

        Of what holds other parts only these may be encoded (RFC 2045 §6.4): it stays as it is.
        """
        if not path:
            return Content(0, self._root.body_end + self._shift, b"binary")
        part = find_part(self._root, path)
        if part is None:
            return None
        is_composite = part.is_multipart or part.message is not None
        encoding = b"binary" if is_composite else part.encoding
        return Content(part.body_start + self._shift, part.body_end + self._shift, encoding)

    def decoded(self, row: FetchRow, path: tuple[int, ...]) -> Decoded | None:
        """A part's content without its encoding, which must be a known one; None: no such part."""
        content = self.content(path)
        if content is None:
            return None
        if path not in self._decoded:
            start, end, encoding = content

            def read(at: int, length: int) -> bytes:
                return fetch.octets(row, start + at, length)

            self._decoded[path] = Decoded(read, end - start, encoding)
        return self._decoded[path]


class Structures:
    """The structures of the messages looked into last, by UID."""

    __slots__ = ("_kept",)

    CAPACITY = 4

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Structure] = OrderedDict()

    def of_octets(self, uid: int, octets: bytes) -> Structure:
        """The structure of a message whose octets are at hand."""
        return self._kept.get(uid) or self._keep(uid, Structure(parse(octets)))

    def of_row(self, row: FetchRow) -> Structure:
        """The structure of a large message, read from its file in place."""
        known = self._kept.get(row.uid)
        if known is not None:
            return known
        prefix = bytes(row.prefix or b"")
        assert row.place is not None
        if prefix.endswith(b"\r\n\r\n") or prefix == b"\r\n":
            # The trace headers are the whole header: parts must not be looked for without it.
            return self._keep(row.uid, Structure(parse(fetch.octets(row))))
        return self._keep(row.uid, Structure(parse(blobs.view(row.place)), len(prefix)))

    def _keep(self, uid: int, structure: Structure) -> Structure:
        self._kept[uid] = structure
        if len(self._kept) > self.CAPACITY:
            self._kept.popitem(last=False)
        return structure


def section_octets(section: BodySection, octets: bytes, uid: int, kept: Structures) -> bytes | None:
    """A section of a message that is in memory; None where there is no such part."""
    if section.path:
        found = kept.of_octets(uid, octets).find(section)
    else:
        found = _of_message(section.kind, octets)
    if found is None:
        return None
    start, end = found
    if section.kind in _FIELD_KINDS:
        return _cut(section, _fields(section, octets[start:end]))
    if section.is_partial:
        start = min(start + section.offset, end)
        end = min(start + section.count, end)
    return octets[start:end]


def _of_message(kind: SectionKind, octets: bytes) -> Range | None:
    match kind:
        case SectionKind.WHOLE:
            return 0, len(octets)
        case SectionKind.MIME:
            return None
        case SectionKind.TEXT:
            return split_header(octets), len(octets)
        case _:
            return 0, split_header(octets)


def _fields(section: BodySection, block: bytes) -> bytes:
    is_exclusion = section.kind is SectionKind.HEADER_FIELDS_NOT
    return header_fields(block, section.fields, exclude=is_exclusion)


def section_range(section: BodySection, row: FetchRow, kept: Structures) -> Range | bytes | None:
    """A section of a large message: the range to read, or octets where it is not one range."""
    assert row.size is not None
    if not section.path and section.kind is SectionKind.WHOLE:
        found: Range | None = (0, row.size)
    else:
        found = kept.of_row(row).find(section)
    if found is None:
        return None
    start, end = found
    if section.kind in _FIELD_KINDS:
        return _cut(section, _fields(section, fetch.octets(row, start, end - start)))
    if section.is_partial:
        start = min(start + section.offset, end)
        end = min(start + section.count, end)
    return start, end
