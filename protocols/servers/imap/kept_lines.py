"""Keep the FETCH lines of whole chunks that were read from the store, for whoever asks again.

Lines belong to one state of a folder: a picture in which a message came, changed or went has
another `memo`, hence another version, and what was kept for the old one is never found again.
The octets kept are bounded for the process, whatever the number of folders and clients.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from protocols.servers.imap.folder_view import FolderView, Wording
from protocols.wire.imap.fetch_items import FetchItem

LIMIT = 32 << 20
# Chunks of long lines cost more memory than the reading they save is worth.
LONGEST = 1 << 20

_Key = tuple[object, tuple[FetchItem, ...], int, Wording]


class KeptLines:
    """Lines by folder state, items and first place; least recently used first out."""

    def __init__(self, limit: int = LIMIT, longest: int = LONGEST) -> None:
        self._limit = limit
        self._longest = longest
        self._lines: OrderedDict[_Key, bytes] = OrderedDict()
        self._octets = 0
        self._lock = threading.Lock()

    @property
    def octets(self) -> int:
        return self._octets

    def get(self, view: FolderView, items: Sequence[FetchItem], place: int) -> bytes | None:
        key = _key(view, items, place)
        with self._lock:
            found = self._lines.get(key)
            if found is not None:
                self._lines.move_to_end(key)
            return found

    def put(self, view: FolderView, items: Sequence[FetchItem], place: int, lines: bytes) -> None:
        if len(lines) > self._longest:
            return
        key = _key(view, items, place)
        with self._lock:
            self._octets += len(lines) - len(self._lines.pop(key, b""))
            self._lines[key] = lines
            while self._octets > self._limit:
                self._octets -= len(self._lines.popitem(last=False)[1])


def _key(view: FolderView, items: Sequence[FetchItem], place: int) -> _Key:
    # An object of its own, as the MODSEQ alone does not tell two pictures apart: one that was
    # read during a commit may have rows above it.
    version = view.told.memo.setdefault("version", object())
    return version, tuple(items), place, view.wording
