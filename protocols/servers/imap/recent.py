"""Who is the first to see a message: \\Recent is shown by one session only (RFC 3501 §2.3.2).

What a SELECT finds is taken in the database, so that no other process shows it too. What arrives
while sessions are selected is taken here, in this process (between simultaneous sessions the RFC
leaves it open who shows it), and written down when the session leaves the folder.
"""

import threading
from concurrent.futures import Future
from functools import partial

import structlog

from accounts.commit import CommitUnavailable
from accounts.mailstore import folders
from accounts.mailstore.picture import Picture

log = structlog.get_logger(__name__)

_lock = threading.Lock()
# By folder and UIDVALIDITY: sessions of this process have shown all UIDs below.
_shown: dict[tuple[int, int], int] = {}
_CAPACITY = 100_000


def take(picture: Picture) -> range:
    """The UIDs of the picture that no session has shown as \\Recent; they are the caller's now."""
    key = picture.folder_id, picture.uidvalidity
    with _lock:
        start = max(_shown.get(key, 1), picture.recent_from_uid)
        if start < picture.uidnext:
            if len(_shown) >= _CAPACITY:
                # Forgetting shows \Recent once more at worst.
                _shown.clear()
            _shown[key] = picture.uidnext
    return range(start, max(start, picture.uidnext))


def look(picture: Picture) -> range:
    """The same without taking them, for EXAMINE (RFC 3501 §6.3.2)."""
    key = picture.folder_id, picture.uidvalidity
    with _lock:
        start = max(_shown.get(key, 1), picture.recent_from_uid)
    return range(start, max(start, picture.uidnext))


def claim(folder_id: int) -> int:
    """The first UID that no process has shown; all that there is counts as shown from now on.

    FolderGone, NoSuchFolder.
    """
    try:
        return folders.take_recent(folder_id)
    except (CommitUnavailable, OSError):
        # A store that cannot write just now can still be read.
        log.info("recent_not_claimed", folder=folder_id)
        return 0


def write_down(picture: Picture) -> None:
    """Have it kept in the database that all messages of a picture have been shown.

    Asks nobody, and nobody waits for it: in this process `_shown` knows meanwhile.
    """
    done = folders.note_shown(picture)
    done.add_done_callback(partial(_written_down, picture.folder_id))


def _written_down(folder_id: int, done: "Future[None]") -> None:
    if (error := done.exception()) is not None:
        # At worst a message is \Recent once more.
        log.info("recent_not_written_down", folder=folder_id, error=str(error))
