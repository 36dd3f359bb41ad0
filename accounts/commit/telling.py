"""What is told after a commit: to who follows its folders, its futures, and who watches changes."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from accounts.commit.items import Item
from accounts.counters import FolderState
from accounts.stamps import Step

log = logging.getLogger(__name__)

Listener = Callable[[list[tuple[int, int, int]]], None]
Follower = Callable[[FolderState, list[Any], Step | None], None]
Walker = Callable[[int, Step, bool], None]

followers: list[Follower] = []
walkers: list[Walker] = []
listeners: list[Listener] = []


class Outcome(NamedTuple):
    """What to do once a batch is committed (see `Rows`)."""

    deeds: list[tuple[FolderState, list[Any], Step | None]]
    callbacks: list[Callable[[], None]]
    notices: list[tuple[int, int, int]]
    steps: list[tuple[int, Step, bool]]

    def joined(self, other: "Outcome") -> "Outcome":
        """This outcome, then that of a later commit."""
        return Outcome(
            self.deeds + other.deeds,
            self.callbacks + other.callbacks,
            self.notices + other.notices,
            self.steps + other.steps,
        )


def nothing() -> Outcome:
    """The outcome of what was not committed."""
    return Outcome([], [], [], [])


def follow(follower: Follower) -> None:
    """Have folders and the deeds that changed them told to `follower`, before their units' futures.

    A deed is None where its unit does not say. The follower is called in the committer thread, with
    the counters as committed and the step that the commit was for the stamps of the mailbox, and
    must be quick.
    """
    if follower not in followers:
        followers.append(follower)


def walk(walker: Walker) -> None:
    """Have every mailbox that changed told to `walker`, before the futures: with its step, and
    whether more than messages changed, such as names.

    It is called in the committer thread, and must be quick.
    """
    if walker not in walkers:
        walkers.append(walker)


def listen(listener: Listener) -> None:
    """Have every (mailbox id, folder id, MODSEQ) that changed told, together after the commit.

    The listener is called in the committer thread, once the futures are resolved, and must be
    quick: to wake a thread of its own for it would take longer than most of what it does.
    """
    if listener not in listeners:
        listeners.append(listener)


def settle(batch: list[Item], outcome: Outcome) -> None:
    """Say what became of the batch: to who follows, its futures, and who watches what changed."""
    for folder, deeds, step in outcome.deeds:
        for follower in followers:
            try:
                follower(folder, deeds, step)
            except Exception:
                log.exception("commit: folder %d could not be followed", folder.id)
    for mailbox_id, step, changes_names in outcome.steps:
        for walker in walkers:
            try:
                walker(mailbox_id, step, changes_names)
            except Exception:
                log.exception("commit: mailbox %d could not be walked", mailbox_id)
    for item in batch:
        item.settle()
    for callback in outcome.callbacks:
        try:
            callback()
        except Exception:
            log.exception("commit: an effect failed")
    if outcome.notices:
        for listener in listeners:
            try:
                listener(outcome.notices)
            except Exception:
                log.exception("commit: a change could not be told")
