"""What a FETCH needs, and its answer's lines: columns of octets joined by one template.

Pure. Items come in the client's order.
"""

from collections.abc import Mapping, Sequence
from operator import add

from accounts.blobs import Octets
from accounts.mailstore.columns import Found
from accounts.mailstore.fetch import Columns
from accounts.mailstore.object_ids import email_id, thread_id
from accounts.mailstore.picture import pick
from protocols.servers.imap import rendering
from protocols.servers.imap.dates import internal_dates
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.sections import (
    is_in_list_view,
    is_overview,
    is_whole,
    list_view_fields,
)
from protocols.wire.conversation import Pieces
from protocols.wire.imap import strings
from protocols.wire.imap.fetch_items import (
    Attribute,
    Binary,
    BinarySize,
    BodySection,
    FetchItem,
    Preview,
)
from protocols.wire.imap.responses import InPieces
from protocols.wire.message import in_ascii, in_utf8

Bodies = Mapping[FetchItem, Sequence[Octets | None]]
"""For each section the octets of every row (None: there is no such part), for BINARY its value."""

Columnwise = list[Sequence[object]]

NO_BODIES: Bodies = {}
NOTHING: Found = {}

# Octets: shorter pieces of an answer are joined, since each costs something on its way out.
SHORT = 1024
# Mail programs name all fields they list in one item. Who asks for many items gets them from the
# message, where the size of an answer is bounded.
MAX_LISTED = 4

_SOURCES = {
    Attribute.INTERNALDATE: Columns.DATES,
    Attribute.SIZE: Columns.SIZE,
    Attribute.ENVELOPE: Columns.ENVELOPE,
    Attribute.BODY: Columns.BODY,
    Attribute.BODYSTRUCTURE: Columns.BODYSTRUCTURE,
    Attribute.SAVEDATE: Columns.SAVED_AT,
    Attribute.EMAILID: Columns.MESSAGE,
    Attribute.THREADID: Columns.THREAD,
}


class Plan:
    """What a FETCH needs: columns of the store, octets (`sections`), and whether it sets \\Seen."""

    __slots__ = (
        "binaries",
        "columns",
        "is_overview",
        "is_whole",
        "items",
        "makes_previews",
        "sections",
        "sets_seen",
    )

    def __init__(self, items: Sequence[FetchItem], *, sets_seen: bool) -> None:
        self.items = tuple(items)
        bodies = [item for item in items if isinstance(item, BodySection)]
        is_crowded = sum(map(is_in_list_view, bodies)) > MAX_LISTED
        binaries = tuple(item for item in items if isinstance(item, Binary | BinarySize))
        read = tuple(item for item in bodies if is_crowded or not is_in_list_view(item))
        self.sections: tuple[BodySection | Binary | BinarySize, ...] = (*read, *binaries)
        self.binaries = binaries
        self.is_whole = bool(read) and not binaries and all(map(is_whole, read))
        self.sets_seen = sets_seen and any(
            not item.is_peek for item in items if isinstance(item, BodySection | Binary)
        )
        self.columns = Columns(0)
        for item in items:
            if isinstance(item, Attribute):
                self.columns |= _SOURCES.get(item, Columns(0))
            elif isinstance(item, Preview):
                self.columns |= Columns.PREVIEW
        self.makes_previews = Preview(is_lazy=False) in self.items
        if len(read) < len(bodies):
            self.columns |= Columns.HEADERS
        if self.sections:
            self.columns |= Columns.OCTETS | Columns.SIZE
        self.is_overview = bool(bodies) and not self.sections and all(map(_in_overview, items))

    def items_with(self, *, flags: bool, modseq: bool) -> tuple[FetchItem, ...]:
        """The items, and FLAGS if that is told unasked: with MODSEQ where the client keeps it.

        RFC 7162 §3.2.4: then with the UID, too.
        """
        if not flags:
            return self.items
        with_modseq = (Attribute.UID, Attribute.MODSEQ) if modseq else ()
        unasked = (Attribute.FLAGS, *with_modseq)
        return (*self.items, *(item for item in unasked if item not in self.items))


def _in_overview(item: FetchItem) -> bool:
    """Whether an overview has it, or the picture of the folder."""
    if isinstance(item, BodySection):
        return not item.is_partial and is_overview(item)
    return item in _OVERVIEW


_OVERVIEW = (
    *(Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ),
    *(Attribute.INTERNALDATE, Attribute.SIZE, Attribute.BODYSTRUCTURE),
)


def lines(
    view: FolderView,
    items: Sequence[FetchItem],
    numbers: Sequence[int],
    places: Sequence[int],
    found: Found = NOTHING,
) -> bytes:
    """The FETCH responses for some messages, which `found` has in the same order."""
    return _template(view, items, numbers, places, found, NO_BODIES).lines(b")\r\n")


def lines_with(
    bodies: Bodies,
    view: FolderView,
    items: Sequence[FetchItem],
    numbers: Sequence[int],
    places: Sequence[int],
    found: Found,
    prefixes: Sequence[bytes] = (),
) -> bytes | InPieces:
    """FETCH responses with the sections that `bodies` has, behind `prefixes` if there are any."""
    template = _template(view, items, numbers, places, found, bodies, prefixes)
    pieces = template.pieces(b")\r\n")
    told = InPieces(pieces)
    return told if len(told) > SHORT * len(pieces) else b"".join(pieces)


def beginning(
    view: FolderView,
    items: Sequence[FetchItem],
    sections: Sequence[FetchItem],
    number: int,
    place: int,
    found: Found,
) -> bytes:
    """A FETCH response without `sections` and its end: they are streamed."""
    short = [item for item in items if item not in sections]
    return _template(view, short, [number], [place], found, NO_BODIES).lines(b"")


class _Template:
    """What is said of each message, item after item, and the columns of values that go into it."""

    __slots__ = ("_columns", "_octets", "_parts", "_pieces", "_start")

    def __init__(self, start: bytes, column: Sequence[object]) -> None:
        self._start = start
        self._pieces: list[bytes] = []
        self._columns: Columnwise = [column]
        self._parts: list[tuple[bytes, Columnwise]] = []  # those before octets of messages
        self._octets: list[Sequence[Octets]] = []

    def say(self, text: bytes, *columns: Sequence[object]) -> None:
        """An item: a template of its own, and a column for each value in it."""
        self._pieces.append(text)
        self._columns += columns

    def say_octets(
        self, text: bytes, octets: Sequence[Octets], prefixes: Sequence[bytes] = ()
    ) -> None:
        """An item, and the octets of each message (and a prefix) behind it, as a literal."""
        sizes = map(len, octets)
        if any(prefixes):
            sizes = map(add, sizes, map(len, prefixes))
            self.say(text + b" {%d}\r\n%b", list(sizes), prefixes)
        else:
            self.say(text + b" {%d}\r\n", list(sizes))
        self._parts.append((self._text(), self._columns))
        self._octets.append(octets)
        # The next item begins with the space that stands between two.
        self._start, self._pieces, self._columns = b"", [b""], []

    def lines(self, end: bytes) -> bytes:
        return rendering.lines(self._text() + end, self._columns)

    def pieces(self, end: bytes) -> Pieces:
        if not self._octets:
            return [self.lines(end)]
        last = (self._text() + end, self._columns)
        return rendering.pieces_around([*self._parts, last], self._octets)

    def _text(self) -> bytes:
        return self._start + b" ".join(self._pieces)


def _template(
    view: FolderView,
    items: Sequence[FetchItem],
    numbers: Sequence[int],
    places: Sequence[int],
    found: Found,
    bodies: Bodies,
    prefixes: Sequence[bytes] = (),
) -> _Template:
    by_uid = view.wording.by_uid
    start = b"* %d UIDFETCH (" if by_uid else b"* %d FETCH ("
    template = _Template(start, pick(view.told.uids, places) if by_uid else numbers)
    digits = found.get("digits")
    for item in items:
        if isinstance(item, Attribute):
            values = _values(view, item, places, found)
            if item is Attribute.FLAGS and (same := alike(values)) is not None:
                template.say(b"FLAGS (%b)" % same.replace(b"%", b"%%"))
                continue
            form = b" %b" if values is digits else _FORMATS.get(item, b" %b")
            template.say(item.value + form, values)
        elif isinstance(item, Preview):
            template.say(b"PREVIEW %b", [_preview(words) for words in found["preview"]])
        elif isinstance(item, Binary | BinarySize):
            template.say(item.label + b" %b", bodies[item])
        elif "overview" in found:
            template.say(item.label.replace(b"%", b"%%") + b" %b", found["overview"])
        else:
            # A client chooses part of the label: it must not reach the template as one.
            label = item.label.replace(b"%", b"%%")
            octets = bodies.get(item)
            if octets is None:
                _say_fields(template, label, list_view_fields(item, found["headers"]))
            elif whole := _all_there(octets):
                template.say_octets(label, whole, prefixes)
            else:
                template.say(label + b" %b", [nstring(each) for each in octets])
    return template


def _all_there(octets: Sequence[Octets | None]) -> Sequence[Octets]:
    """The octets where no message lacks them, else nothing."""
    return [] if None in octets else [each for each in octets if each is not None]


def _say_fields(template: _Template, label: bytes, fields: Sequence[bytes]) -> None:
    template.say(label + b" {%d}\r\n%b", [len(each) for each in fields], fields)


def alike(values: Sequence[object]) -> bytes | None:
    """The octets that all of the values are: what one STORE changed is alike as a rule."""
    first = values[0] if values else None
    return first if isinstance(first, bytes) and values.count(first) == len(values) else None


_FORMATS = {
    Attribute.UID: b" %d",
    Attribute.SIZE: b" %d",
    Attribute.FLAGS: b" (%b)",
    Attribute.MODSEQ: b" (%d)",
    Attribute.EMAILID: b" (%b)",
}


def _values(
    view: FolderView, item: Attribute, places: Sequence[int], found: Found
) -> Sequence[object]:
    match item:
        case Attribute.UID:
            return pick(view.told.uids, places)
        case Attribute.FLAGS:
            return rendering.flag_texts(view, places)
        case Attribute.MODSEQ:
            return pick(view.told.modseqs, places)
        case Attribute.INTERNALDATE if "date" in found:
            return found["date"]
        case Attribute.INTERNALDATE:
            return internal_dates(zip(found["internal_date"], found["zone_minutes"], strict=True))
        case Attribute.SAVEDATE:
            return internal_dates((at, 0) for at in found["saved_at"])
        case Attribute.EMAILID:
            return [email_id(key).encode() for key in found["message_id"]]
        case Attribute.THREADID:
            return [
                b"NIL" if key is None else b"(%b)" % thread_id(key).encode()
                for key in found["thread"]
            ]
        case Attribute.SIZE:
            return found["digits"] if "digits" in found else found["size"]
        case Attribute.ENVELOPE:
            return _told(view, found["envelope"])
        case Attribute.BODY:
            return _told(view, found["body"])
        case Attribute.BODYSTRUCTURE:
            return _told(view, found["bodystructure"])


def _told(view: FolderView, forms: Sequence[bytes]) -> Sequence[bytes]:
    """Prepared forms as this client reads them: with raw UTF-8 in them there are two ways."""
    if b"".join(forms).isascii():
        return forms
    told = in_utf8 if view.wording.in_utf8 else in_ascii
    return [form if form.isascii() else told(form) for form in forms]


def _preview(words: str | None) -> bytes:
    return strings.nstring(None if words is None else words.encode())


def nstring(octets: Octets | None) -> bytes:
    """A literal, or NIL where there is no such part."""
    return b"NIL" if octets is None else b"{%d}\r\n" % len(octets) + octets
