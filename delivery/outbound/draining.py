"""Empty the queue: claim what is due, hand it to the loop, write down what became of it.

Rules of the file: a destination that is slow never makes another one wait; what came back is
written within `SETTLE_EVERY`; nothing is claimed any more once a stop was asked for. The database
is this thread's, the network is the loop's.
"""

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from random import Random, SystemRandom

from django.db import DatabaseError, close_old_connections

from accounts.commit import CommitUnavailable
from delivery import queue
from delivery.outbound.parcels import group, read_octets
from delivery.outbound.verdicts import Ended, Judge
from delivery.queue import Claim
from delivery.transport.loop import Loop, Setting
from delivery.transport.outcome import Outcome, Parcel, failed

log = logging.getLogger(__name__)

CLAIM_AT_ONCE = 100
IN_FLIGHT = 2000
IN_FLIGHT_PER_DESTINATION = 200
# Seconds.
SETTLE_EVERY = 0.05
LOOK_EVERY = 1.0
PAUSE_AFTER_FAILURE = 1.0
DRAIN_SPAN = 900.0
# Nothing is under way any more this long before a claim ends.
CLAIM_MARGIN = 10.0
STOP_PATIENCE = 60.0

# What the loop reports, or None: look again.
News = Sequence[tuple[int, Outcome]] | None


@dataclass(slots=True)
class _Lease:
    """Until when, on the monotonic clock, a parcel may be worked on."""

    until: float

    def get(self) -> float:
        return self.until


@dataclass(frozen=True, slots=True)
class _Flight:
    claim: Claim
    lease: _Lease


class Drain:
    """The outbound work of one process; `run` works in one thread at a time."""

    def __init__(
        self,
        setting: Setting,
        *,
        retry_schedule: Sequence[timedelta] = (),
        clock: Callable[[], datetime] = queue.now,
        random: Random | None = None,
    ) -> None:
        random = random or SystemRandom()
        self._is_relayed = bool(setting.routing.relay)
        self._clock = clock
        self._judge = Judge(setting.routing.hostname, retry_schedule, random.random)
        self._news: SimpleQueue[News] = SimpleQueue()
        self._loop = Loop(setting, self._news.put, random)
        self._running = threading.Lock()
        self._is_stopping = False
        self._flights: dict[int, _Flight] = {}
        self._last_key = 0
        self._ended: list[Ended] = []
        self._renew_at = 0.0
        self._last_turn: float | None = None

    @property
    def last_turn(self) -> float:
        """When the work last went round; now, while nobody is at it."""
        return self._last_turn or time.monotonic()

    def run(self) -> bool:
        """Work until nothing is due or under way; False where another thread is already at it."""
        # Whoever is at it may be waiting for peers: let it look again.
        self._news.put(None)
        while self._running.acquire(blocking=False):
            try:
                close_old_connections()
                self._work()
            finally:
                self._last_turn = None
                self._running.release()
                close_old_connections()
            # Somebody may have asked for a look while this thread was ending.
            if self._news.empty():
                return True
        return False

    def stop(self, patience: float = STOP_PATIENCE) -> None:
        """Claim nothing more; finish or release what is under way, and write that down."""
        self._is_stopping = True
        self._loop.stop(patience)
        # If nobody is running, nobody has heard what the loop said last.
        with self._running:
            self._work()

    def _work(self) -> None:
        ends_at = time.monotonic() + DRAIN_SPAN
        while True:
            self._last_turn = time.monotonic()
            claimed = 0
            if not self._is_stopping and time.monotonic() < ends_at:
                claimed = self._guarded(self._claim)
            if not (claimed or self._flights or self._ended) and self._news.empty():
                return
            # While more may be due it is claimed at once: the peers work meanwhile.
            self._collect(0.0 if claimed == CLAIM_AT_ONCE else LOOK_EVERY)
            self._guarded(self._settle)
            if time.monotonic() >= self._renew_at:
                self._guarded(self._renew)

    def _guarded(self, step: Callable[[], int]) -> int:
        """Run a step that needs the database; while that is away, wait and go on."""
        try:
            return step()
        except (DatabaseError, CommitUnavailable) as error:
            log.warning("the database is away: %s", error)
            close_old_connections()
            time.sleep(PAUSE_AFTER_FAILURE)
            return 0

    # Claiming

    def _claim(self) -> int:
        room = min(CLAIM_AT_ONCE, IN_FLIGHT - len(self._flights))
        if room <= 0:
            return 0
        load = Counter(flight.claim.destination for flight in self._flights.values())
        busy = [name for name, count in load.items() if count >= IN_FLIGHT_PER_DESTINATION]
        # Counted from before the transaction, which may last.
        lease_until = self._lease_end()
        claims = queue.claim(self._clock(), room, busy=busy)
        octets = read_octets(claims)
        ready: dict[str, list[Parcel]] = defaultdict(list)
        for lane, members in group(claims, is_relayed=self._is_relayed):
            read = octets.get(members[0].message_id)
            if read is None:
                lost = failed("4.3.0", "The message cannot be read now; it will be tried again")
                self._ended += [(claim, lost) for claim in members]
            else:
                ready[lane].append(self._parcel(members, read, _Lease(lease_until)))
        for lane, parcels in ready.items():
            self._loop.carry(lane, parcels)
        return len(claims)

    def _parcel(
        self, members: Sequence[Claim], octets: Callable[[], bytes], lease: _Lease
    ) -> Parcel:
        recipients = []
        for claim in members:
            self._last_key += 1
            self._flights[self._last_key] = _Flight(claim, lease)
            recipients.append((self._last_key, claim.address))
        first = members[0]
        return Parcel(
            queue_id=first.queue_id,
            return_path=first.return_path,
            recipients=tuple(recipients),
            size=first.size,
            is_smtputf8=first.is_smtputf8,
            octets=octets,
            give_up_at=lease.get,
        )

    def _renew(self) -> int:
        """Keep the claims while the work lasts; one that was lost simply runs out."""
        self._renew_at = time.monotonic() + queue.CLAIM_SPAN.total_seconds() / 3
        if not self._flights:
            return 0
        lease_until = self._lease_end()
        flights = list(self._flights.values())
        ours = queue.renew([flight.claim.key for flight in flights], self._clock())
        lost = {id(each.lease) for each in flights if each.claim.recipient_id not in ours}
        for flight in flights:
            if id(flight.lease) not in lost:
                flight.lease.until = lease_until
        return len(ours)

    def _lease_end(self) -> float:
        return time.monotonic() + queue.CLAIM_SPAN.total_seconds() - CLAIM_MARGIN

    # Settling

    def _collect(self, wait: float) -> None:
        """Take what came back: wait for the first news, then gather for a moment."""
        until = time.monotonic() + (wait if self._flights else 0.0)
        is_first = True
        while True:
            left = until - time.monotonic()
            try:
                news = self._news.get(timeout=left) if left > 0 else self._news.get_nowait()
            except Empty:
                return
            if news is None:
                return
            for key, outcome in news:
                self._ended.append((self._flights.pop(key).claim, outcome))
            if is_first:
                until, is_first = min(until, time.monotonic() + SETTLE_EVERY), False
            if not self._flights:
                until = 0.0

    def _settle(self) -> int:
        """Write down what came back; what cannot be written now waits for the next turn."""
        if not self._ended:
            return 0
        ended = self._ended
        # Only once this has returned are they forgotten.
        self._ended = self._judge.write(ended, self._clock())
        if self._ended:
            time.sleep(PAUSE_AFTER_FAILURE)
        return len(ended) - len(self._ended)
