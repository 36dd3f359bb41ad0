"""Header fields of folders as SEARCH compares them, in memory: SUBJECT and FROM are asked often.

The values of one field of one folder are decoded and folded when they are first asked for and kept,
by UID, for as long as there is room. A message never changes, so what is kept stays true.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from accounts.mailstore.columns import read_columns
from accounts.mailstore.fetch import Columns
from accounts.mailstore.picture import Picture
from accounts.mailstore.search_text import fold
from protocols.wire.message import decode_header, iter_fields

CACHE_OCTETS = 48 << 20
# Of a message's list-view fields: what is larger stays out of memory.
LARGEST_HEADER = 16 << 10
# What a value takes besides its characters.
_OVERHEAD = 150

Values = dict[int, str | None]
"""By UID: the field's values, folded, with NUL between them; None: there is no such field."""


class _Cache:
    """Values by folder, UIDVALIDITY and field, least recently asked first out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._values: OrderedDict[tuple[int, int, bytes], Values] = OrderedDict()
        self._sizes: dict[tuple[int, int, bytes], int] = {}

    def get(self, key: tuple[int, int, bytes]) -> Values:
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return {}
            self._values.move_to_end(key)
            return found

    def add(self, key: tuple[int, int, bytes], more: Values, most: int) -> Values:
        """Keep more values; where more than `most` are kept, those of gone messages go first.

        What is kept now. Others may be reading it: it grows, and nothing in it changes.
        """
        with self._lock:
            kept = self._values.get(key)
            if kept is None or len(kept) + len(more) > most:
                kept = self._values[key] = {}
                self._sizes[key] = 0
            kept.update(more)
            self._values.move_to_end(key)
            self._sizes[key] += sum(len(value or "") + _OVERHEAD for value in more.values())
            while self._values and sum(self._sizes.values()) > self._limit:
                dropped, _ = self._values.popitem(last=False)
                del self._sizes[dropped]
            return kept

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._sizes.clear()


_cache = _Cache(CACHE_OCTETS)


def values(picture: Picture, field: bytes, uids: Sequence[int]) -> Mapping[int, str | None]:
    """The values of a list-view field (lower case), of these messages at least.

    A message with large fields, and one that was expunged meanwhile, is left out.
    """
    key = (picture.folder_id, picture.uidvalidity, field)
    known = _cache.get(key)
    missing = [uid for uid in uids if uid not in known]
    if not missing:
        return known
    found = read_columns(
        picture.folder_id, missing, columns=Columns.HEADERS, at_most=LARGEST_HEADER
    )
    more = {
        uid: _value(field, bytes(headers))
        for uid, headers in zip(found["uid"], found["headers"], strict=True)
        if headers is not None
    }
    kept = _cache.add(key, more, 2 * len(picture) + 1000)
    # Not a copy, but where it was begun anew: a large folder is asked for in a thousand parts.
    return kept if kept is known or not known else {**known, **more}


def _value(field: bytes, headers: bytes) -> str | None:
    found = [fold(decode_header(each.value)) for each in iter_fields(headers) if each.name == field]
    return "\0".join(found) if found else None


def forget() -> None:
    """Drop everything (between tests)."""
    _cache.clear()
