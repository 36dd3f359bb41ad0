"""Make one batch durable: repeated while its outcome is unknown, split where its data is wrong."""

import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection

from accounts import stamps
from accounts.blobs import Place
from accounts.commit.items import Item
from accounts.commit.marks import is_marked, is_stored, leave_mark
from accounts.commit.octets import (
    OctetsLost,
    await_octets,
    insert_blobs,
    store_octets,
    unavailable,
)
from accounts.commit.telling import Outcome, nothing
from accounts.commit.units import DATABASE_LOST
from accounts.commit.writer import Writer
from accounts.models import Blob
from accounts.rows import Rows
from accounts.statements import now_as_stored
from accounts.transactions import Transaction

log = logging.getLogger(__name__)

RETRY_PAUSES = (0.05, 0.25, 1.0)
# How long to wait, in seconds, for a database that went away during a COMMIT.
LOOK_PATIENCE = 30.0
LOOK_PAUSE = 0.25


class _OutcomeUnknown(Exception):
    """The database went away during a COMMIT and did not come back to say what became of it."""


def make_durable(batch: list[Item], writer: Writer) -> Outcome:
    """Commit the rows of a batch whose octets are written: not before these are durable."""
    try:
        try:
            return _commit(_whole(batch), writer)
        except OctetsLost:
            log.exception("commit: a segment was abandoned")
            store_octets(_whole(batch), and_wait=True)
            return _commit(_whole(batch), writer)
    except Exception as error:
        log.exception("commit: a batch of %d failed", len(batch))
        for item in batch:
            item.error = item.error or error
        return nothing()


def _whole(batch: list[Item]) -> list[Item]:
    """Those whose octets could be written."""
    return [item for item in batch if item.error is None]


def _commit(items: list[Item], writer: Writer) -> Outcome:
    """Commit the rows of a batch, repeating and splitting it as the package's invariants say."""
    if not items:
        return nothing()
    try:
        return _commit_under_one_mark(items, Attempt(items, writer))
    except _OutcomeUnknown as unknown:
        for item in items:
            item.error = unavailable(unknown)
        return nothing()


def _commit_under_one_mark(items: list[Item], attempt: "Attempt") -> Outcome:
    error: Exception
    for pause in (*RETRY_PAUSES, None):
        try:
            attempt.run()
        except OctetsLost:
            raise
        except DATABASE_LOST as failure:
            log.warning("commit: %s", failure)
            connection.close()
            error = failure
            if pause is None:
                break
            time.sleep(pause)
            if attempt.has_landed():
                return attempt.outcome()
        except Exception as failure:  # noqa: BLE001 it is the Future's to raise
            # A repeat that meets the mark of the commit before it is that commit's success.
            if attempt.has_landed():
                return attempt.outcome()
            if len(items) > 1:
                return _split(items, attempt.writer)
            items[0].error = failure
            return nothing()
        else:
            return attempt.outcome()
    if attempt.has_landed():
        return attempt.outcome()
    for item in items:
        item.error = unavailable(error)
    return nothing()


def _split(items: list[Item], writer: Writer) -> Outcome:
    # Or the first half could be there already when the second learns that it must begin again.
    await_octets(items)
    middle = len(items) // 2
    first = _commit(items[:middle], writer)
    return first.joined(_commit(items[middle:], writer))


class Attempt:
    """Tries at committing one batch under one mark: its octets' place, or a row."""

    def __init__(self, items: Sequence[Item], writer: Writer) -> None:
        self._items = items
        self.writer = writer
        self._mark: uuid.UUID | None = None
        # What the try that last got as far as COMMIT would have to say.
        self._verdicts: list[tuple[Any, BaseException | None]] | None = None
        self._kept: Place | None = None  # of its octets: they mark it
        self._outcome = nothing()

    def run(self) -> None:
        verdicts: list[tuple[Any, BaseException | None]] = []
        now = now_as_stored()
        kept = self.writer.kept
        place: Place | None = None
        with Transaction():
            kept.check()
            stamps.heal()
            # Before all other rows: where a commit of them is still under way, it stops us here.
            stored = insert_blobs(self._items, now)
            rows = Rows(kept, now, is_alone=len(self._items) == 1)
            rows.load(
                (key for item in self._items for key in item.unit.mailbox_ids),
                (key for item in self._items for key in item.unit.folder_ids),
            )
            dead: list[int] = []
            for item, blob_id in zip(self._items, stored, strict=True):
                try:
                    result = item.unit.write(rows, blob_id)
                    rows.finish_unit()
                except DATABASE_LOST:
                    raise
                except Exception as error:
                    if len(self._items) == 1:
                        raise
                    rows.fail_unit(error)
                    verdicts.append((None, error))
                    if blob_id is not None:
                        dead.append(blob_id)
                else:
                    verdicts.append((result, None))
                    place = place or item.place
            if place is None:
                self._mark = self._mark or uuid.uuid4()
                leave_mark(self.writer.id, self._mark, now)
            rows.write()
            if dead:
                Blob.objects.filter(pk__in=dead).delete()
            await_octets(self._items)
            # Last of all: who looks from here on does so in vain until the commit is over.
            steps = stamps.change(rows.mailboxes)
            self._verdicts, self._kept = verdicts, place
            self._outcome = _outcome(rows, steps)
            rows.announce()
        kept.keep()

    def has_landed(self) -> bool:
        """True when a try whose outcome was unknown did commit after all.

        Whoever is told that nothing was stored sends again: so this waits for a database that is
        away. _OutcomeUnknown when it stays away.
        """
        if self._verdicts is None:
            return False
        deadline = time.monotonic() + LOOK_PATIENCE
        while True:
            try:
                if self._kept is not None:
                    return is_stored(self._kept)
                return self._mark is not None and is_marked(self.writer.id, self._mark)
            except DATABASE_LOST as error:
                log.warning("commit: cannot look for a mark: %s", error)
                connection.close()
                if time.monotonic() > deadline:
                    raise _OutcomeUnknown(str(error)) from error
                time.sleep(LOOK_PAUSE)

    def outcome(self) -> Outcome:
        for item, (result, error) in zip(self._items, self._verdicts or (), strict=True):
            item.result, item.error = result, error
        return self._outcome


def _outcome(rows: Rows, steps: dict[int, stamps.Step]) -> Outcome:
    deeds = [(folder, done, steps.get(folder.mailbox_id)) for folder, done in rows.deeds]
    named = rows.renamed
    walked = [(key, step, key in named) for key, step in steps.items()]
    return Outcome(deeds, rows.callbacks, rows.notices, walked)
