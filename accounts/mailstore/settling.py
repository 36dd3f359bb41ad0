"""Write what large STOREs left behind into the entries, where nobody has done so yet."""

from contextlib import suppress

from accounts import commit, flag_deeds
from accounts.mailstore.locked import mailbox_of
from accounts.mailstore.refusals import NoSuchFolder
from accounts.rows import FolderGone, Rows


def settle_all() -> int:
    """Settle all folders; how many there were. For the worker, which does so every few seconds."""
    folder_ids = flag_deeds.unsettled()
    for folder_id in folder_ids:
        _settle(folder_id)
    return len(folder_ids)


def settle(folder_id: int) -> None:
    """Have the entries of a folder settled, for who asks the database about their flags.

    A STORE that comes just now may leave something again. A folder that is gone has none.
    """
    if flag_deeds.left(folder_id):
        _settle(folder_id)


def _settle(folder_id: int) -> None:
    try:
        mailbox_id = mailbox_of(folder_id)
    except NoSuchFolder:
        return

    def write(rows: Rows, blob_id: object) -> None:
        with suppress(FolderGone):
            rows.folder(folder_id)

    commit.run(
        commit.Unit(
            frozenset((mailbox_id,)),
            write,
            folder_ids=frozenset((folder_id,)),
            rows=commit.MAX_ROWS,
        )
    )
