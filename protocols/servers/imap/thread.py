"""THREAD and UID THREAD, in slices that yield (RFC 5256 §3)."""

import time
from collections.abc import Iterator

from accounts.mailstore import search as store
from accounts.mailstore.thread import Threading
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.wire.imap import thread as wire
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.search import asks_modseq
from protocols.wire.imap.thread import Thread

# Threads written between two pauses.
SLICE = 1_000


def thread(client: Client, command: Thread) -> Iterator[Push | Reply]:
    """Find messages and name them in threads, by number, or by UID for UID THREAD."""
    view = client.selected
    if asks_modseq(command.program):
        yield note_condstore(client)
    yield client.news(may_expunge=command.is_uid)
    scope = store.Scope(view.told, view.uids, view.recent_runs(), int(time.time()), view.saved)
    found: list[int] = []
    for uids in store.search(scope, command.program):
        found += uids
        # Nothing to say yet, but others may have their turn.
        yield b""
    threading = Threading(client.folder_id, command.algorithm)
    for _ in threading.work(found):
        yield b""
    numbers = (
        threading.uids if command.is_uid else [view.number(uid) or 0 for uid in threading.uids]
    )
    tops, children = threading.threads.tops, threading.threads.children
    lists: list[bytes] = []
    for start in range(0, len(tops), SLICE):
        lists.append(wire.thread_lists(tops[start : start + SLICE], children, numbers))
        yield b""
    yield wire.thread(lists)
    yield ok(command.tag, "Done.")
