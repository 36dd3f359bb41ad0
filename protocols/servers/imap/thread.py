"""THREAD and UID THREAD, in slices that yield (RFC 5256 §3)."""

from collections.abc import Iterator

from accounts.mailstore.thread import Threading
from protocols.servers.imap.answers import ok
from protocols.servers.imap.client import Client
from protocols.servers.imap.filters import expanded_here
from protocols.servers.imap.progress import Progress
from protocols.servers.imap.search import matching
from protocols.wire.imap import thread as wire
from protocols.wire.imap.responses import Push, Reply
from protocols.wire.imap.thread import Thread

# Threads written between two pauses.
SLICE = 1_000


def thread(client: Client, command: Thread) -> Iterator[Push | Reply]:
    """Find messages and name them in threads, by number, or by UID for UID THREAD."""
    view = client.selected
    progress = Progress(command.tag)
    program = expanded_here(client, command.program)
    found = yield from matching(client, program, progress, is_uid=command.is_uid, ways=2)
    count = len(view.told)
    threading = Threading(client.folder_id, command.algorithm)
    for _ in threading.work(found):
        yield progress.line(count, 2 * count)
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
