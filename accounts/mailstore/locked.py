"""Find the folder a request is about: first without a lock, then under its mailbox's."""

from accounts.mailstore.refusals import NoSuchFolder
from accounts.models import Folder
from accounts.rows import FolderGone, FolderState, Rows

_GONE = "The folder no longer exists."


def mailbox_of(folder_id: int) -> int:
    """The mailbox to lock before touching a folder. NoSuchFolder."""
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
