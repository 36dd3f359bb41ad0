"""Messages that came in or were read lately, in memory: a message never changes.

Who gets a mail is told of it on every device at once and reads it there, and what was read is read
again. Whoever asks here must know from elsewhere (a picture) that the message is still in the
folder. A folder, its UIDVALIDITY and a UID never mean another message. The octets kept are bounded
for the process, least recently used first out; what is long is not kept at all.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from accounts import blobs
from accounts.blobs import Place
from accounts.mailstore.columns import Found
from accounts.mailstore.fetch import Columns, entries_query
from accounts.mailstore.picture import Picture
from accounts.models import Blob, Message
from accounts.statements import fetch
from protocols.wire.message import Prepared
from protocols.wire.message.octets import Buffer

LIMIT = 16 << 20
# Octets of a message, and of each of its prepared texts.
LONGEST = 64 << 10
LONGEST_TEXT = 16 << 10
# About what the objects around the octets take.
_OVERHEAD = 600

COLUMNS = (
    Columns.SIZE
    | Columns.DATES
    | Columns.ENVELOPE
    | Columns.BODYSTRUCTURE
    | Columns.BODY
    | Columns.HEADERS
)


class Kept(NamedTuple):
    """What is known of a message; `octets` are None where nobody has read them here."""

    size: int
    internal_date: int
    zone_minutes: int
    envelope: bytes
    bodystructure: bytes
    body: bytes
    headers: bytes
    octets: bytes | None


class Arrival(NamedTuple):
    """A message that comes in, for one mailbox; `octets` are all recipients', behind `prefix`."""

    prepared: Prepared
    size: int
    internal_date: int
    zone_minutes: int
    prefix: bytes
    octets: Buffer | None


# A folder, its UIDVALIDITY, a UID.
_Key = tuple[int, int, int]


class _Shelf:
    """What the process keeps, least recently used first out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._octets = 0
        self._kept: OrderedDict[_Key, Kept] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def octets(self) -> int:
        return self._octets

    def get(self, keys: Sequence[_Key]) -> list[Kept | None]:
        with self._lock:
            found = [self._kept.get(key) for key in keys]
            for key, kept in zip(keys, found, strict=True):
                if kept is not None:
                    self._kept.move_to_end(key)
            return found

    def put(self, key: _Key, kept: Kept) -> None:
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self._octets -= _weight(old)
            self._kept[key] = kept
            self._octets += _weight(kept)
            while self._octets > self._limit:
                self._octets -= _weight(self._kept.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._octets = 0


def _weight(kept: Kept) -> int:
    texts = len(kept.envelope) + len(kept.bodystructure) + len(kept.body) + len(kept.headers)
    return _OVERHEAD + texts + len(kept.octets or b"")


_shelf = _Shelf(LIMIT)


def keep(folder_id: int, uidvalidity: int, uid: int, came: Arrival) -> None:
    """Keep a message that has come, unless its texts are long; of a long one, not the octets."""
    prepared, size, internal_date, zone_minutes, prefix, octets = came
    texts = (prepared.envelope, prepared.bodystructure, prepared.body, prepared.headers)
    if max(map(len, texts)) > LONGEST_TEXT:
        return
    whole = None if octets is None or size > LONGEST else prefix + bytes(octets)
    kept = Kept(size, internal_date, zone_minutes, *texts, whole)
    _shelf.put((folder_id, uidvalidity, uid), kept)


def at_hand(picture: Picture, uids: Sequence[int], *, with_octets: bool) -> list[Kept] | None:
    """The messages of a picture with these UIDs, where all of them are kept."""
    folder_id, uidvalidity = picture.folder_id, picture.uidvalidity
    found = _shelf.get([(folder_id, uidvalidity, uid) for uid in uids])
    there = [each for each in found if each is not None]
    if len(there) < len(uids) or (with_octets and any(each.octets is None for each in there)):
        return None
    return there


def read(picture: Picture, uids: Sequence[int], *, with_octets: bool) -> list[Kept] | None:
    """The same, and what is not kept is read, by one query, and kept.

    For a few messages. None where one is gone or long.
    """
    folder_id, uidvalidity = picture.folder_id, picture.uidvalidity
    found = _shelf.get([(folder_id, uidvalidity, uid) for uid in uids])
    missing = [
        uid
        for uid, kept in zip(uids, found, strict=True)
        if kept is None or (with_octets and kept.octets is None)
    ]
    fresh = _read(folder_id, missing, with_octets=with_octets) if missing else {}
    if len(fresh) < len(missing):
        return None
    for uid, kept in fresh.items():
        _shelf.put((folder_id, uidvalidity, uid), kept)
    return [fresh.get(uid) or kept for uid, kept in zip(uids, found, strict=True)]  # type: ignore[misc]


def columns_of(messages: Sequence[Kept]) -> Found:
    """What is known of messages, column by column."""
    return dict(zip(Kept._fields, zip(*messages, strict=True), strict=True))


def forget() -> None:
    """Lose the memory of all messages (between tests)."""
    _shelf.clear()


def _within(name: str) -> str:
    return f"CASE WHEN length(m.{name}) <= {LONGEST_TEXT} THEN m.{name} END"


_TEXTS = ", ".join(map(_within, ("envelope", "bodystructure", "body", "headers")))
_CHOSEN = f"e.uid, m.size, m.internal_date, m.zone_minutes, {_TEXTS}"
_PLACED = f"{_CHOSEN}, {_within('prefix')}, b.segment_id, b.offset, b.length, b.id"
_MESSAGES = f" JOIN {Message._meta.db_table} m ON m.id = e.message_id"
_BLOBS = f"{_MESSAGES} JOIN {Blob._meta.db_table} b ON b.id = m.blob_id"


def _read(folder_id: int, uids: Sequence[int], *, with_octets: bool) -> dict[int, Kept]:
    """Those that are there and short. BlobMissing."""
    chosen, joins = (_PLACED, _BLOBS) if with_octets else (_CHOSEN, _MESSAGES)
    rows = [
        row for row in fetch(*entries_query(chosen, joins, folder_id, uids)) if None not in row[4:9]
    ]
    if not with_octets:
        return {row[0]: _kept(row, None) for row in rows}
    rows = [row for row in rows if row[1] <= LONGEST]
    stored = blobs.read_views([Place(*row[-4:]) for row in rows])
    return {
        row[0]: _kept(row, bytes(row[8]) + octets) for row, octets in zip(rows, stored, strict=True)
    }


def _kept(row: Sequence[Any], octets: bytes | None) -> Kept:
    _, size, internal_date, zone_minutes, *texts = row[:8]
    envelope, bodystructure, body, headers = map(bytes, texts)
    return Kept(size, internal_date, zone_minutes, envelope, bodystructure, body, headers, octets)
