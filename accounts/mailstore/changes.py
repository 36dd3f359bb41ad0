"""Tell whoever watches a folder that it changed.

A notice carries only (mailbox, folder, MODSEQ); receivers read the truth from the database. Notices
may be lost, doubled or late: a poll every POLL_SECONDS stands behind them, so a lost one costs
latency and never truth. `publish` may be called on any thread but the reactor's, after the commit;
watchers in this process are called before it returns, those in others hear through `notices`.
"""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence

from accounts.mailstore import notices
from accounts.models import Folder, Mailbox

log = logging.getLogger(__name__)

Callback = Callable[[int, int], None]
"""Called with (folder id or 0, MODSEQ), on some thread; must return at once."""

_Key = tuple[str, int]

_lock = threading.Lock()
_watchers: dict[_Key, dict[int, Callback]] = {}
_latest: dict[_Key, int] = {}
_tickets = itertools.count()
_listener: notices.Listener | None = None


def publish(changed: Sequence[notices.Notice]) -> None:
    """Say which folders (0: the mailbox's list of folders) are at which MODSEQ now."""
    for notice in changed:
        _dispatch(*notice)
    notices.send(changed)


def subscribe(folder_id: int, callback: Callback, *, known_modseq: int) -> Callable[[], None]:
    """Call `callback` at every change of the folder after `known_modseq`; returns the way out."""
    return _watch(("folder", folder_id), callback, known_modseq)


def subscribe_mailbox(
    mailbox_id: int, callback: Callback, *, known_modseq: int
) -> Callable[[], None]:
    """Call `callback` at every change in the mailbox; returns the way out."""
    return _watch(("mailbox", mailbox_id), callback, known_modseq)


def _watch(key: _Key, callback: Callback, known_modseq: int) -> Callable[[], None]:
    global _listener
    ticket = next(_tickets)
    with _lock:
        _watchers.setdefault(key, {})[ticket] = callback
        # The lowest of all watchers': the poll may call one once too often, never too seldom.
        _latest[key] = min(_latest.get(key, known_modseq), known_modseq)
        # A forked child has the variable but not the thread.
        if _listener is None or _listener.pid != os.getpid():
            _listener = notices.Listener(_dispatch, poll)
            _listener.start()

    def leave() -> None:
        with _lock:
            callbacks = _watchers.get(key, {})
            callbacks.pop(ticket, None)
            if not callbacks:
                _watchers.pop(key, None)
                _latest.pop(key, None)

    return leave


def _dispatch(mailbox_id: int, folder_id: int, modseq: int) -> None:
    callbacks: list[Callback] = []
    with _lock:
        for key in (("folder", folder_id), ("mailbox", mailbox_id)):
            if key in _watchers:
                _latest[key] = max(_latest[key], modseq)
                callbacks += _watchers[key].values()
    for callback in callbacks:
        try:
            callback(folder_id, modseq)
        except Exception:
            # One broken watcher must not cost the others their notice.
            log.exception("a watcher of folder %d failed", folder_id)


def poll() -> None:
    """Compare all that is watched with the database and dispatch what was missed."""
    with _lock:
        known = dict(_latest)
    for some in _batches(ident for kind, ident in known if kind == "folder"):
        rows = Folder.objects.filter(pk__in=some).values_list("mailbox_id", "pk", "highest_modseq")
        for mailbox_id, folder_id, modseq in rows:
            if modseq > known["folder", folder_id]:
                _dispatch(mailbox_id, folder_id, modseq)
    for some in _batches(ident for kind, ident in known if kind == "mailbox"):
        counters = Mailbox.objects.filter(pk__in=some).values_list("pk", "highest_modseq")
        for mailbox_id, modseq in counters:
            if modseq > known["mailbox", mailbox_id]:
                _dispatch(mailbox_id, 0, modseq)


def _batches(idents: Iterable[int]) -> Iterable[list[int]]:
    remaining = iter(idents)
    while some := list(itertools.islice(remaining, 500)):
        yield some
