"""The verbs on messages as the owner of the folder calls them, for tests that are not on rights."""

from functools import wraps
from typing import Any

from accounts.mailstore import copy, expunge, flags
from accounts.mailstore.locked import mailbox_of


def _owned(verb: Any) -> Any:
    @wraps(verb)
    def call(folder_id: int, *args: Any, **options: Any) -> Any:
        return verb(folder_id, *args, actor=mailbox_of(folder_id), **options)

    return call


store_flags = _owned(flags.store_flags)
expunge_uids = _owned(expunge.expunge_uids)
copy_uids = _owned(copy.copy_uids)
move_uids = _owned(copy.move_uids)
