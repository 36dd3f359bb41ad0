"""What a client that was away must be told (QRESYNC, RFC 7162 §3.2)."""

from collections.abc import Iterator

from accounts.mailstore.picture import Picture
from accounts.mailstore.vanished import vanished_since
from protocols.servers.imap.fetch_lines import lines
from protocols.servers.imap.folder_view import FolderView
from protocols.wire.imap import responses
from protocols.wire.imap.fetch_items import Attribute
from protocols.wire.imap.options import Resync
from protocols.wire.imap.sequence_set import SequenceSet

CHUNK = 2_000

_TOLD = (Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ)


def resync(view: FolderView, asked: Resync) -> Iterator[bytes]:
    """What vanished and what changed since the client left; nothing if the UIDs are not its own."""
    if asked.uidvalidity != view.told.uidvalidity:
        return
    yield vanished_line(view.told, asked.modseq, asked.known_uids)
    known = asked.known_uids
    count = len(view.uids)
    spans = [(0, count)] if known is None else view.select(known, is_uid=True) or []
    for chunk in view.chunks(view.changed_spans(spans, asked.modseq), CHUNK):
        yield lines(view, _TOLD, chunk.numbers, chunk.places)


def vanished_line(picture: Picture, modseq: int, within: SequenceSet | None) -> bytes:
    """VANISHED (EARLIER), or nothing where nothing went."""
    gone = vanished_since(picture, modseq, within)
    if not gone:
        return b""
    return responses.vanished(SequenceSet(tuple(gone)).to_bytes(), is_earlier=True)
