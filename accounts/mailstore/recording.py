"""Keep what is deleted recoverable, as part of the deletion's own commit (RFC 9051 has no undo)."""

import json
from collections.abc import Sequence

from accounts.counters import FolderState
from accounts.entry_sql import uids_sql
from accounts.models import Domain, Entry, Mailbox, Recoverable, RecoverableEntry
from accounts.statements import execute, fetch, now_as_stored

# Nothing comes of it where the domain keeps nothing.
_BATCH = (
    f"INSERT INTO {Recoverable._meta.db_table}"  # noqa: S608
    " (mailbox_id, folder_id, folder_name, keywords, at, messages, octets)"
    f" SELECT m.id, %s, %s, %s, %s, %s, %s FROM {Mailbox._meta.db_table} m"
    f" JOIN {Domain._meta.db_table} d ON d.id = m.domain_id"
    " WHERE m.id = %s AND d.recoverable_days > 0 RETURNING id"
)
_ENTRIES = (
    f"INSERT INTO {RecoverableEntry._meta.db_table}"  # noqa: S608
    " (batch_id, message_id, flags, keywords)"
    f" SELECT %s, message_id, flags, keywords FROM {Entry._meta.db_table} WHERE folder_id = %s"
)


def record(folder: FolderState, uids: Sequence[int] | None, *, messages: int, octets: int) -> None:
    """Keep entries (None: all) that the caller is about to delete in this same direct Unit.

    `messages` and `octets` are what they come to. Octets are none of ours: the rows alone keep the
    collector away from them.
    """
    kept, now = json.dumps(folder.keywords), now_as_stored()
    batch = fetch(_BATCH, [folder.id, folder.name, kept, now, messages, octets, folder.mailbox_id])
    if not batch:
        return
    statement, parameters = _ENTRIES, [*batch[0], folder.id]
    if uids is not None:
        condition, chosen = uids_sql(uids)
        statement += f" AND {condition}"
        parameters += chosen
    execute(f"{statement} ORDER BY uid", parameters)
