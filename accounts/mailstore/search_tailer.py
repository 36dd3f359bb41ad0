"""Keep the texts of new messages and index them, behind the mail: a tailer of the change log.

It has a cursor a mailbox: the MODSEQ up to which it has read, and the key of the last message whose
text it kept. Nobody waits for it, and a search needs nothing of it to be right. But a search reads
what is not indexed yet, so it begins soon after mail came, and waits only while much is coming.

Invariants (what a kill -9 at any line leaves behind):

1. Texts and the cursor behind them are written by one commit: a message is never passed over.
2. The cursor's MODSEQ is read before the messages, so what comes meanwhile is looked for again.
3. Two that run at once do work twice and nothing wrong.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet

from accounts import commit
from accounts.mailstore import message_octets, search_blocks, search_kept
from accounts.mailstore.search_index import VERSION
from accounts.mailstore.search_intake import Intake
from accounts.models import Mailbox, SearchCursor
from accounts.rows import Rows

# Seconds: a little less than what lies between two calls of beat.
TURN = 1.9
# Two thirds of one processor at most.
REST = 0.5
# Messages: where more are new, it works beside who brings them until it has caught up.
FAR_BEHIND = 5_000
# Seconds between two looks whether mail is still coming.
_WAIT = 0.25
# Messages of one mailbox between two looks at the clock, and in one commit.
BATCH = 100
# Batches of the mailbox that is to be finished first, for one of each other: two that are half
# indexed are searched slowly, both.
_FAVOUR = 5
# Mailboxes in one commit, where little is new in each.
_MAILBOXES = 50

_turn = threading.Lock()


@dataclass(slots=True)
class _Round:
    """Whose turn it is: what one run leaves to the next."""

    intake: Intake = field(default_factory=Intake)
    # The mailbox that was worked on last: the next run goes on behind it.
    after: int = 0
    # The mailbox that is to be finished first: much was new in it when no other was.
    favoured: int = 0
    # It was far behind, and has not caught up since.
    is_late: bool = False

    def next_behind(self) -> list[int]:
        keys = behind().order_by("pk").values_list("pk", flat=True)
        return list(keys.filter(pk__gt=self.after)[:_MAILBOXES]) or list(keys[:_MAILBOXES])

    def by_turns(self, mailbox_ids: list[int]) -> Iterator[int]:
        """The mailboxes in their order; the favoured one several times, until it is finished."""
        for mailbox_id in mailbox_ids:
            self.after = mailbox_id
            for _ in range(_FAVOUR):
                yield mailbox_id
                if self.favoured != mailbox_id:
                    break

    def favour(self, mailbox_id: int, *, has_more: bool) -> None:
        """Finish the first mailbox that has much."""
        if has_more:
            self.favoured = self.favoured or mailbox_id
        elif self.favoured == mailbox_id:
            self.favoured = 0


_round = _Round()


def catch_up(seconds: float = TURN, *, rests: bool = True) -> int:
    """Work through the mailboxes that changed, for about so long; how many messages were read.

    It rests in between, so that others have the processor, and waits while much mail is coming in,
    unless it shall not.
    """
    deadline = time.monotonic() + seconds
    # The turn before may end a little late. This one goes on then, instead of leaving a gap.
    if not _turn.acquire(timeout=max(0.0, min(seconds, TURN))):
        return 0
    try:
        pace = _Pace(deadline, rests=rests)
        total = 0
        for read in _commits(pace):
            total += read
            if pace.is_over():
                break
            pace.pause()
        return total
    finally:
        _turn.release()


class _Pace:
    """How long it works at a time, and rests in between: some ten milliseconds, not more.

    Who waits for an answer meanwhile is held up by a part of one such piece of work.
    """

    def __init__(self, deadline: float, *, rests: bool) -> None:
        self._begun = time.monotonic()
        self._deadline = deadline
        self.rests = rests

    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    def pause(self) -> None:
        """Rest from what was done since the last rest."""
        if self.rests:
            self._sleep(REST * (time.monotonic() - self._begun))

    def wait(self) -> None:
        """Leave the processor to who brings mail."""
        self._sleep(_WAIT)

    def _sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self._deadline - time.monotonic())))
        self._begun = time.monotonic()


def behind() -> QuerySet[Mailbox]:
    """Mailboxes that have changed since the tailer looked at them."""
    is_new = Q(search_cursor=None) | ~Q(search_cursor__version=VERSION)
    return Mailbox.objects.filter(is_new | Q(highest_modseq__gt=F("search_cursor__modseq")))


def start_again(mailbox_id: int) -> None:
    """Drop a mailbox's index and have it made anew; its texts stay."""
    SearchCursor.objects.filter(mailbox_id=mailbox_id).delete()
    search_blocks.drop(mailbox_id)


def _commits(pace: _Pace) -> Iterator[int]:
    """Work until no mailbox is behind; the number of messages read by each commit.

    One that rests leaves to the next turn what comes while it looks at the last ones: a trickle of
    mail shall be no trickle of commits.
    """
    is_more = True
    while is_more:
        highest = _round.intake.look()
        if pace.rests and _round.intake.is_done(highest):
            return
        some = _round.next_behind()
        if not some:
            _round.is_late = False
            _round.intake.done(highest)
            return
        if pace.rests and _round.intake.is_busy:
            _round.is_late = _round.is_late or _are_far_behind(some)
            if not _round.is_late:
                pace.wait()
                yield 0
                continue
        step = _Step()
        is_more = not pace.rests or len(some) == _MAILBOXES
        for mailbox_id in _round.by_turns(some):
            is_more |= _look_at(mailbox_id, step)
            if step.read >= BATCH:
                yield _write(step, pace)
                step = _Step()
        yield _write(step, pace)
    _round.is_late = False


def _are_far_behind(mailbox_ids: list[int]) -> bool:
    """Whether much is new in these, which are the next that are behind."""
    if len(mailbox_ids) == _MAILBOXES:
        return True
    cursors = SearchCursor.objects.filter(version=VERSION, pk__in=mailbox_ids)
    kept = dict(cursors.values_list("pk", "message_id"))
    left = FAR_BEHIND
    for mailbox_id in mailbox_ids:
        left -= message_octets.count_above(mailbox_id, kept.get(mailbox_id, 0), left)
        if not left:
            return True
    return False


@dataclass(slots=True)
class _Step:
    """What is written of some mailboxes together."""

    texts: list[tuple[Any, ...]] = field(default_factory=list)
    cursors: list[tuple[Any, ...]] = field(default_factory=list)
    # (mailbox, key of the last message) where messages were new.
    moved: list[tuple[int, int]] = field(default_factory=list)
    read: int = 0


def _look_at(mailbox_id: int, step: _Step) -> bool:
    """Read what is new in a mailbox, BATCH messages at most; whether there may be more."""
    highest = Mailbox.objects.filter(pk=mailbox_id).values_list("highest_modseq", flat=True).first()
    if highest is None:
        _round.favour(mailbox_id, has_more=False)
        return False
    last, modseq = _cursor(mailbox_id)
    rows = message_octets.rows_above(mailbox_id, last, BATCH)
    if rows:
        known = search_kept.kept_keys([row[0] for row in rows])
        unread = message_octets.read([row for row in rows if row[0] not in known])
        step.texts += search_kept.packed(
            (key, search_kept.texts_of(octets)) for key, octets in unread if octets is not None
        )
        last = rows[-1][0]
        step.moved.append((mailbox_id, last))
        step.read += len(rows)
    if len(rows) < BATCH:
        modseq = highest
    step.cursors.append((mailbox_id, VERSION, last, modseq, mailbox_id))
    has_more = len(rows) == BATCH
    _round.favour(mailbox_id, has_more=has_more)
    return has_more


def _cursor(mailbox_id: int) -> tuple[int, int]:
    """The key of the last message whose text is kept, and the MODSEQ that was read up to."""
    found = SearchCursor.objects.filter(pk=mailbox_id, version=VERSION)
    row = found.values_list("message_id", "modseq").first()
    if row is None:
        search_blocks.drop(mailbox_id, is_outdated=True)
    return row or (0, 0)


# A mailbox that was purged meanwhile is passed over.
_MOVE = (
    f"INSERT INTO {SearchCursor._meta.db_table} (mailbox_id, version, message_id, modseq)"  # noqa: S608
    f" SELECT %s, %s, %s, %s WHERE EXISTS (SELECT 1 FROM {Mailbox._meta.db_table} WHERE id = %s)"
    " ON CONFLICT (mailbox_id) DO UPDATE SET version = excluded.version,"
    " message_id = excluded.message_id, modseq = excluded.modseq"
)


def _write(step: _Step, pace: _Pace) -> int:
    """Commit a step, then make the blocks that are full now."""

    def write(rows: Rows, blob_id: int | None) -> None:
        rows.direct()
        search_kept.keep(step.texts)
        with connection.cursor() as cursor:
            cursor.executemany(_MOVE, step.cursors)

    if step.cursors:
        commit.run(commit.Unit(frozenset(), write, rows=len(step.texts) + len(step.cursors)))
    for mailbox_id, last in step.moved:
        search_blocks.index_full_blocks(mailbox_id, last, pace.pause)
    return step.read
