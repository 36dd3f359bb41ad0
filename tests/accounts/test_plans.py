"""How statements are answered where a house is large: by indexes, never by whole tables."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.counters import FolderState
from accounts.mailstore import lately, overview, search_kept, sort_kept, whole
from accounts.mailstore.columns import read_columns
from accounts.mailstore.fetch import Columns, fetch
from accounts.mailstore.tally import tally
from tests.accounts.mail import append_many, inbox, make_mailbox

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows no such plans"),
]

# Tables that grow with the house.
LARGE = ("message", "entry", "overview", "searchtext", "sortkeys", "threadedmessage")


def fill(folder_id: int, mailbox_id: int) -> None:
    """3,000 messages in the folder, and 10,000 in 2,000 small ones; made of the only one there is.

    So low UIDs are common.
    """
    statements = (
        "INSERT INTO accounts_folder (mailbox_id, name, special_use, is_selectable, uidvalidity,"
        " uidnext, highest_modseq, pruned_modseq, recent_from_uid, exists_count, unseen_count,"
        " octets, keywords, created_at) SELECT %(mailbox)s, 'F' || n, '', true, 1, 6, 1, 0, 1, 5,"
        " 0, 0, '[]', now() FROM generate_series(1, 2000) n",
        "INSERT INTO accounts_message (mailbox_id, blob_id, prefix, size, internal_date,"
        " zone_minutes, envelope, bodystructure, body, headers, prepared_version)"
        " SELECT mailbox_id, blob_id, prefix, size, internal_date, zone_minutes, envelope,"
        " bodystructure, body, headers, prepared_version"
        " FROM accounts_message, generate_series(1, 12999)",
        "WITH places AS (SELECT %(folder)s AS folder, n AS uid FROM generate_series(2, 3000) n"
        "  UNION ALL SELECT id, n FROM accounts_folder, generate_series(1, 5) n"
        "  WHERE name LIKE 'F%%'),"
        " numbered AS (SELECT *, row_number() OVER () AS place FROM places),"
        " messages AS (SELECT id, row_number() OVER () AS place FROM accounts_message m"
        "  WHERE NOT EXISTS (SELECT 1 FROM accounts_entry e WHERE e.message_id = m.id))"
        " INSERT INTO accounts_entry (folder_id, uid, message_id, flags, keywords, modseq,"
        " saved_at) SELECT folder, uid, id, 0, 0, 2, 0 FROM numbered JOIN messages USING (place)",
        "INSERT INTO accounts_overview SELECT id, octets FROM accounts_message m,"
        " accounts_overview o WHERE m.id <> o.message_id",
        "INSERT INTO accounts_searchtext (message_id, version, header, body)"
        " SELECT id, 0, '', '' FROM accounts_message",
        "INSERT INTO accounts_sortkeys (message_id, version, is_reply, subject, sender,"
        " sender_name, recipient, recipient_name, copied, names)"
        " SELECT id, 0, false, '', '', '', '', '', '', '' FROM accounts_message",
        "INSERT INTO accounts_threadedmessage (message_id, thread)"
        " SELECT id, id FROM accounts_message",
        "ANALYZE",
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, {"mailbox": mailbox_id, "folder": folder_id})


@contextmanager
def by_indexes() -> Iterator[None]:
    """Every SELECT of the block is answered by indexes alone."""
    with CaptureQueriesContext(connection) as queries:
        yield
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if not query["sql"].startswith("SELECT"):
                continue
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            read = [name for name in LARGE if f"Seq Scan on accounts_{name} " in plan]
            assert not read, plan


@pytest.mark.parametrize("uids", [range(1, 11), range(7, 8), [2, 3, 5, 8, 13, 21]])
def test_a_page_of_a_large_folder_is_read_as_one_of_a_small_one(uids: list[int]) -> None:
    mailbox_id = make_mailbox()
    folder_id = inbox(mailbox_id)
    append_many(mailbox_id, folder_id, 1)
    fill(folder_id, mailbox_id)
    folder = FolderState(folder_id, mailbox_id, "INBOX", True, 1, 3001, 1, 1, 3000, 0, 0, [], False)
    every = Columns.SIZE | Columns.ENVELOPE | Columns.OCTETS | Columns.THREAD
    with by_indexes():
        assert [row.uid for row in fetch(folder_id, uids, columns=every)] == list(uids)
        assert read_columns(folder_id, uids, columns=Columns.HEADERS)["uid"] == tuple(uids)
        assert overview.read(folder_id, uids, b"\0") is not None
        assert list(whole.read_whole(folder_id, uids)) == list(uids)
        assert list(lately._read(folder_id, uids, with_octets=True)) == list(uids)
        kept = search_kept.read(folder_id, uids, with_header=True)
        assert [uid for uid, _texts in kept] == list(uids)
        assert [row[0] for row in sort_kept._kept(folder_id, uids, ["subject"])] == list(uids)
        assert list(tally(folder, uids).uids) == list(uids)
