"""Texts of folders that were searched lately, in memory: who searches once searches again.

A text is held by UID, folded and uncompressed, for as long as there is room; folders that were not
searched for longest go first. A folder larger than the room is held in part. A message never
changes, so what is held stays true; what is not held is read from the kept texts.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from accounts.mailstore import search_kept
from accounts.mailstore.picture import Picture

# In each server process.
CACHE_OCTETS = 64 << 20
# What a text takes besides its octets.
_OVERHEAD = 150

_Key = tuple[int, int, bool]


class _Cache:
    """Texts by folder, UIDVALIDITY and whether the header is in them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[_Key, dict[int, bytes]] = OrderedDict()
        self._sizes: dict[_Key, int] = {}

    def get(self, key: _Key) -> Mapping[int, bytes]:
        with self._lock:
            found = self._texts.get(key)
            if found is None:
                return {}
            self._texts.move_to_end(key)
            return found

    def add(self, key: _Key, more: Mapping[int, bytes], most: int) -> None:
        """Hold more texts; where more than `most` would be held, those of gone messages go."""
        with self._lock:
            held = self._texts.get(key)
            if held is None or len(held) + len(more) > most:
                # A new mapping: others may be reading the old one.
                held = self._texts[key] = {}
                self._sizes[key] = 0
            self._texts.move_to_end(key)
            total = sum(self._sizes.values())
            for uid, text in more.items():
                size = len(text) + _OVERHEAD
                while total + size > CACHE_OCTETS and len(self._texts) > 1:
                    dropped, _ = self._texts.popitem(last=False)
                    total -= self._sizes.pop(dropped)
                if total + size > CACHE_OCTETS:
                    return
                if uid not in held:
                    held[uid] = text
                    self._sizes[key] += size
                    total += size

    def size(self) -> int:
        with self._lock:
            return sum(self._sizes.values())

    def clear(self) -> None:
        with self._lock:
            self._texts.clear()
            self._sizes.clear()


_cache = _Cache()


def texts(picture: Picture, uids: Sequence[int], *, with_header: bool) -> Mapping[int, bytes]:
    """The texts of these (ascending) UIDs and perhaps of others, as far as they were made."""
    held = _cache.get((picture.folder_id, picture.uidvalidity, with_header))
    missing = [uid for uid in uids if uid not in held]
    if not missing:
        return held
    more = {
        uid: each.octets
        for uid, each in search_kept.read(picture.folder_id, missing, with_header=with_header)
        if each is not None
    }
    hold(picture, more, with_header=with_header)
    # `held` may grow meanwhile, so only what this search asked for is copied.
    return more | {uid: held[uid] for uid in uids if uid in held}


def hold(picture: Picture, more: Mapping[int, bytes], *, with_header: bool) -> None:
    """Hold texts, by UID, that were just made."""
    small = {uid: text for uid, text in more.items() if len(text) <= search_kept.LARGEST_KEPT}
    key = (picture.folder_id, picture.uidvalidity, with_header)
    if small:
        _cache.add(key, small, 2 * len(picture) + 1000)


def held_octets() -> int:
    """The memory that is taken."""
    return _cache.size()


def forget() -> None:
    """Drop everything (between tests)."""
    _cache.clear()
