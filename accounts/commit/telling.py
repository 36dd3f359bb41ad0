"""What is told after a commit: to who follows its folders, its futures, and who watches changes."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from accounts import effects
from accounts.commit.items import Item
from accounts.counters import FolderState

log = logging.getLogger(__name__)

Listener = Callable[[list[tuple[int, int, int]]], None]
Follower = Callable[[FolderState, list[Any]], None]

followers: list[Follower] = []
listeners: list[Listener] = []


class Outcome(NamedTuple):
    """What to do once a batch is committed (see `Rows`)."""

    deeds: list[tuple[FolderState, list[Any]]]
    callbacks: list[Callable[[], None]]
    notices: list[tuple[int, int, int]]

    def joined(self, other: "Outcome") -> "Outcome":
        """This outcome, then that of a later commit."""
        return Outcome(
            self.deeds + other.deeds,
            self.callbacks + other.callbacks,
            self.notices + other.notices,
        )


def nothing() -> Outcome:
    """The outcome of what was not committed."""
    return Outcome([], [], [])


def follow(follower: Follower) -> None:
    """Have folders and the deeds that changed them told to `follower`, before their units' futures.

    A deed is None where its unit does not say. The follower is called in the committer thread, with
    the counters as committed, and must be quick.
    """
    if follower not in followers:
        followers.append(follower)


def listen(listener: Listener) -> None:
    """Have every (mailbox id, folder id, MODSEQ) that changed told, together after the commit."""
    if listener not in listeners:
        listeners.append(listener)


def settle(batch: list[Item], outcome: Outcome) -> None:
    """Say what became of the batch: to who follows, its futures, and who watches what changed."""
    for folder, deeds in outcome.deeds:
        for follower in followers:
            try:
                follower(folder, deeds)
            except Exception:
                log.exception("commit: folder %d could not be followed", folder.id)
    for item in batch:
        item.settle()
    for callback in outcome.callbacks:
        try:
            callback()
        except Exception:
            log.exception("commit: an effect failed")
    if outcome.notices:
        tell = partial(_tell, outcome.notices)
        effects.soon(f"notices {time.monotonic_ns()}", tell, lane="notices")


def _tell(notices: list[tuple[int, int, int]]) -> None:
    for listener in listeners:
        listener(notices)
