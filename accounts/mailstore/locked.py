"""Find the folder a request is about: first without a lock, then under its mailbox's."""

from functools import lru_cache

from accounts.counters import FolderState
from accounts.mailstore.refusals import NoSuchFolder
from accounts.models import Folder
from accounts.rows import FolderGone, Rows

_GONE = "The folder no longer exists."


@lru_cache(10_000)
def mailbox_of(folder_id: int) -> int:
    """The mailbox to lock before touching a folder. NoSuchFolder.

    Remembered: a folder never changes its mailbox, and its key is never given to another.
    """
    found = Folder.objects.values_list("mailbox_id", flat=True).filter(pk=folder_id).first()
    if found is None:
        raise NoSuchFolder(_GONE)
    return found


def locked_folder(rows: Rows, folder_id: int) -> FolderState:
    """A folder that may hold messages, under its mailbox's lock. NoSuchFolder."""
    try:
        folder = rows.folder(folder_id)
    except FolderGone:
        raise NoSuchFolder(_GONE) from None
    if not folder.is_selectable:
        raise NoSuchFolder("The folder holds only other folders.")
    return folder
