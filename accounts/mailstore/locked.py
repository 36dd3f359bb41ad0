"""Find the folder a request is about, without a lock and under its mailbox's; work under it."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from accounts import commit
from accounts.counters import FolderState
from accounts.mailstore import rights
from accounts.mailstore.refusals import NoSuchFolder
from accounts.mailstore.rights import Right
from accounts.models import Folder
from accounts.rows import FolderGone, Rows

_GONE = "The folder no longer exists."

T = TypeVar("T")


def run_locked(mailbox_id: int, work: Callable[[Rows], T], *, rows: int = 1) -> T:
    """Commit what `work` does under the lock of a mailbox, to about so many rows."""

    def write(held: Rows, blob_id: int | None) -> T:
        return work(held)

    return commit.run(commit.Unit(frozenset((mailbox_id,)), write, rows=rows))


@lru_cache(10_000)
def mailbox_of(folder_id: int) -> int:
    """The mailbox to lock before touching a folder. NoSuchFolder.

    Remembered: a folder never changes its mailbox, and its key is never given to another.
    """
    found = Folder.objects.values_list("mailbox_id", flat=True).filter(pk=folder_id).first()
    if found is None:
        raise NoSuchFolder(_GONE)
    return found


def locked_folder(rows: Rows, folder_id: int, actor: int, needed: Right) -> FolderState:
    """A folder that may hold messages, under its mailbox's lock, for a mailbox that acts on it.

    Every write to messages comes through here: a folder of another needs the rights named.
    NoSuchFolder, NotPermitted.
    """
    return locked_with_rights(rows, folder_id, actor, needed)[0]


def locked_with_rights(
    rows: Rows, folder_id: int, actor: int, needed: Right, *, is_settled: bool = True
) -> tuple[FolderState, Right]:
    """The same, and all the rights that the actor has there.

    `is_settled` as in `Rows.folder`.
    """
    try:
        folder = rows.folder(folder_id, is_settled=is_settled)
    except FolderGone:
        raise NoSuchFolder(_GONE) from None
    held = rights.require(actor, folder.mailbox_id, folder_id, needed)
    if not folder.is_selectable:
        raise NoSuchFolder("The folder holds only other folders.")
    return folder, held


def require_name(rows: Rows, folder_id: int, name: str) -> None:
    """NoSuchFolder unless a folder, under its mailbox's lock, still has the name it was found by.

    Whoever found it long ago would file mail in a folder that was renamed since.
    """
    try:
        folder = rows.folder(folder_id, is_settled=False)
    except FolderGone:
        raise NoSuchFolder(_GONE) from None
    if folder.name != name:
        raise NoSuchFolder("The folder has another name now.")
