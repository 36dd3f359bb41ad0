"""FETCH lines of overviews, which were made to be told as they are.

Where a client asks for what is in them in the order they have it, they are not even taken apart:
the lines of a chunk are what the database put together, with a NUL wherever a value or a name
belongs (as there is one between two parts of an overview), and all of these filled in at once.
"""

from collections.abc import Callable, Sequence

from accounts.mailstore import overview
from accounts.mailstore.picture import pick
from accounts.uid_sets import as_range
from protocols.servers.imap import rendering
from protocols.servers.imap.fetch_lines import alike, lines
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.spans import Chunk
from protocols.wire.imap.fetch_items import Attribute, BodySection, FetchItem

Read = Callable[[bytes], bytes | None]
"""The overviews of a chunk's messages with these octets between two; None where one is missing."""

# What an overview has before the fields, for which each client has a name of its own.
_STORED = (Attribute.INTERNALDATE, Attribute.SIZE, Attribute.BODYSTRUCTURE)
_PICTURED = (Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ)

_Columns = list[Sequence[bytes]]
_Request = tuple[tuple[FetchItem, ...], bytes, tuple[FetchItem, ...]]


def overview_lines(
    view: FolderView, items: tuple[FetchItem, ...], chunk: Chunk, read: Read
) -> bytes | None:
    """The lines of a chunk; None where not all of its messages have an overview."""
    request = _as_stored(items)
    if request is None:
        octets = read(b"\0")
        return None if octets is None else _lines_of_parts(view, items, chunk, octets)
    before, label, behind = request
    head, columns = _head(view, before, chunk)
    last, more = _said(view, behind, chunk)
    end = b"".join(b" " + each for each in last) + b")\r\n"
    octets = read(end + head)
    if octets is None:
        return None
    if not octets.isascii():
        # Not every client may be told a BODYSTRUCTURE with raw UTF-8 in it.
        apart = octets.replace(end + head, b"\0")
        return _lines_of_parts(view, items, chunk, apart)
    for name in (b" RFC822.SIZE ", b" BODYSTRUCTURE ", b" %b " % label):
        columns.append([name] * len(chunk))
    template = b"".join([head, octets, end]).replace(b"%", b"%%").replace(b"\0", b"%b")
    return template % rendering.by_row([*columns, *more])


def _as_stored(items: tuple[FetchItem, ...]) -> _Request | None:
    """The items before the overview, the label of its fields and the items behind it, where what is
    in it is asked for in its order, and nothing else but what the picture knows.
    """
    if Attribute.INTERNALDATE not in items:
        return None
    start = items.index(Attribute.INTERNALDATE)
    stop = start + len(_STORED)
    others = items[:start] + items[stop + 1 :]
    if items[start:stop] != _STORED or not all(item in _PICTURED for item in others):
        return None
    for fields in items[stop : stop + 1]:
        if isinstance(fields, BodySection):
            return items[:start], fields.label, items[stop + 1 :]
    return None


def _lines_of_parts(
    view: FolderView, items: Sequence[FetchItem], chunk: Chunk, octets: bytes
) -> bytes | None:
    found = overview.parts(octets, len(chunk))
    return None if found is None else lines(view, items, chunk.numbers, chunk.places, found)


def _head(view: FolderView, items: Sequence[FetchItem], chunk: Chunk) -> tuple[bytes, _Columns]:
    """A line up to the overview, and what belongs into it."""
    by_uid = view.wording.by_uid
    start = b"* \0 UIDFETCH (" if by_uid else b"* \0 FETCH ("
    called = as_range(pick(view.told.uids, chunk.places)) if by_uid else chunk.numbers
    said, columns = _said(view, items, chunk)
    text = start + b" ".join([*said, b"INTERNALDATE "])
    return text, [rendering.digits(called), *columns]


def _said(
    view: FolderView, items: Sequence[FetchItem], chunk: Chunk
) -> tuple[list[bytes], _Columns]:
    """What the picture has to say of messages: a text an item, and what belongs into them."""
    texts: list[bytes] = []
    columns: _Columns = []
    for item in items:
        if item is Attribute.FLAGS:
            flags = rendering.flag_texts(view, chunk.places)
            same = alike(flags)
            texts.append(b"FLAGS (%b)" % (b"\0" if same is None else same))
            columns += [flags] if same is None else []
        elif item is Attribute.UID:
            texts.append(b"UID \0")
            columns.append(rendering.digits(as_range(pick(view.told.uids, chunk.places))))
        else:
            texts.append(b"MODSEQ (\0)")
            columns.append(rendering.digits(pick(view.told.modseqs, chunk.places)))
    return texts, columns
