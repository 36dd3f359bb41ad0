"""The one asyncio loop of a worker process: it holds hundreds of conversations in one thread.

A lane is the work for one destination. Its carriers, at most `CONNECTIONS_PER_LANE`, each hold a
connection and take parcels from the lane until it is empty. Rules: a lane never waits for another
one; every parcel handed in comes back as outcomes, whatever happens, exactly once.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from random import Random

from delivery.dns import Resolver
from delivery.transport.mx import Hop, Routing, find_hops
from delivery.transport.outcome import Kind, Outcome, Parcel, failed
from delivery.transport.smtp import (
    Connection,
    ConnectionDied,
    Manners,
    NotOpened,
    open_connection,
)

log = logging.getLogger(__name__)

CONNECTIONS = 200
CONNECTIONS_PER_LANE = 5
MESSAGES_PER_CONNECTION = 100
# Seconds an idle connection waits for the next batch.
LINGER = 1.0
# Messages above this are read when their turn comes, so many at a time.
LARGE = 64 * 1024
LARGE_AT_ONCE = 8

Report = Callable[[Sequence[tuple[int, Outcome]]], None]

UNTRIED = Outcome(Kind.UNTRIED, "4.3.2", "The worker stopped before this try")


@dataclass(frozen=True, slots=True)
class Setting:
    """What the configuration says about carrying mail, as plain values."""

    routing: Routing
    dns_servers: tuple[str, ...] = ()
    trust_ad: bool = False


@dataclass(slots=True)
class _Lane:
    destination: str
    waiting: deque[Parcel] = field(default_factory=deque)
    carriers: set["asyncio.Task[None]"] = field(default_factory=set)
    idle: deque["asyncio.Future[None]"] = field(default_factory=deque)
    # A server may allow fewer connections than we would make.
    width: int = CONNECTIONS_PER_LANE

    def take(self) -> Parcel | None:
        return self.waiting.popleft() if self.waiting else None


# A connection, and the hosts behind its own in the order of preference.
_Opened = tuple[Connection, list[Hop]]
# Parcels with the words of the host that put all their recipients off.
_PutOff = list[tuple[Parcel, list[Outcome]]]


class Loop:
    """Starts its thread at once. `carry` and `stop` may be called from any thread.

    After a stop, `carry` reports its parcels as untried, in the caller's thread.
    """

    def __init__(self, setting: Setting, report: Report, random: Random) -> None:
        self._setting = setting
        self._report = report
        self._random = random
        self._lanes: dict[str, _Lane] = {}
        self._is_stopping = False
        # Between `carry` and the end of the loop: nothing is handed to a loop that is gone.
        self._gate = threading.Lock()
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="transport", daemon=True)
        self._thread.start()

    def carry(self, destination: str, parcels: Sequence[Parcel]) -> None:
        """Take parcels for one destination; their outcomes go to `report`, in the loop's thread."""
        with self._gate:
            if not self._is_closed:
                self._loop.call_soon_threadsafe(self._accept, destination, list(parcels))
                return
        self._settle_all(parcels, UNTRIED)

    def stop(self, patience: float) -> None:
        """Report what waits as untried, let what is under way end for `patience` seconds."""
        with self._gate:
            if not self._is_closed:
                self._loop.call_soon_threadsafe(self._begin_stop, patience)
        self._thread.join(patience + 10)

    # In the loop's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._resolver = Resolver(self._setting.dns_servers, trust_ad=self._setting.trust_ad)
        routing = self._setting.routing
        self._manners = Manners(routing.hostname, routing.source_address)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _accept(self, destination: str, parcels: list[Parcel]) -> None:
        if self._is_stopping:
            self._settle_all(parcels, UNTRIED)
            return
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = _Lane(destination)
        lane.waiting.extend(parcels)
        self._staff(lane)

    def _staff(self, lane: _Lane) -> None:
        """Wake idle carriers and start more, as many as there are parcels."""
        wanted = len(lane.waiting)
        while lane.idle and wanted:
            waiter = lane.idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                wanted -= 1
        for _ in range(min(wanted, lane.width - len(lane.carriers))):
            task = self._loop.create_task(self._carrier(lane))
            lane.carriers.add(task)
            task.add_done_callback(lambda done: self._carrier_ended(lane, done))

    def _carrier_ended(self, lane: _Lane, task: "asyncio.Task[None]") -> None:
        lane.carriers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a carrier for %s failed", lane.destination, exc_info=error)
        if lane.waiting and not self._is_stopping:
            self._staff(lane)
        elif not lane.carriers and not lane.waiting:
            self._lanes.pop(lane.destination, None)

    async def _carrier(self, lane: _Lane) -> None:
        while lane.waiting:
            async with self._slots:
                if not lane.waiting:
                    return
                opened = await self._open(lane)
                if isinstance(opened, Outcome):
                    self._give_up(lane, opened)
                    return
                connection, others = opened
                put_off = _PutOff() if others else None
                try:
                    try:
                        await self._use(lane, connection, put_off)
                    finally:
                        connection.close()
                    await self._ask_others(others, put_off or [])
                finally:
                    for parcel, outcomes in put_off or ():
                        self._settle(parcel, outcomes)

    def _give_up(self, lane: _Lane, outcome: Outcome) -> None:
        """No connection: the other carriers may still work, else nothing here can be sent now."""
        if len(lane.carriers) > 1:
            lane.width = len(lane.carriers) - 1
            return
        parcels = list(lane.waiting)
        lane.waiting.clear()
        self._settle_all(parcels, outcome)

    async def _open(self, lane: _Lane) -> _Opened | Outcome:
        """A connection to the first host that takes one, or why there is none."""
        first = lane.waiting[0]
        routing = self._setting.routing
        try:
            hops = await find_hops(lane.destination, self._resolver, routing, self._random)
            if isinstance(hops, Outcome):
                return hops
            return await self._open_one(hops, first)
        except Exception:
            log.exception("no connection for %s", lane.destination)
            return failed("4.3.0", "An internal error occurred; the message will be tried again")

    async def _open_one(self, hops: Sequence[Hop], first: Parcel) -> _Opened | Outcome:
        """RFC 5321 §5.1: one after the other. Permanent only where no host may change its mind."""
        verdict: Outcome | None = None
        for place, hop in enumerate(hops):
            try:
                connection = await open_connection(hop, self._manners, first.give_up_at)
            except NotOpened as refused:
                if verdict is None or verdict.kind is Kind.FAILED:
                    verdict = refused.outcome
            else:
                # Other addresses of the same host would say the same.
                return connection, [each for each in hops[place + 1 :] if each.name != hop.name]
        return verdict or failed("4.4.1", "There was no host to connect to")

    async def _use(self, lane: _Lane, connection: Connection, put_off: _PutOff | None) -> None:
        while connection.works() and connection.sent < MESSAGES_PER_CONNECTION:
            parcel = lane.take()
            if parcel is None:
                if self._is_stopping or not await self._linger(lane):
                    return
                continue
            if not await self._send(lane, connection, parcel, put_off):
                return

    async def _linger(self, lane: _Lane) -> bool:
        """Wait a moment for more parcels; whether some came."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        lane.idle.append(waiter)
        try:
            async with asyncio.timeout(LINGER):
                await waiter
        except TimeoutError:
            with contextlib.suppress(ValueError):
                lane.idle.remove(waiter)
        return bool(lane.waiting)

    async def _send(
        self, lane: _Lane, connection: Connection, parcel: Parcel, put_off: _PutOff | None
    ) -> bool:
        """Send one parcel and report it; False where the connection is of no more use.

        Whom the host puts off goes to `put_off` instead, where there are hosts left to ask.
        """
        if parcel.give_up_at() <= self._loop.time():
            self._settle_all([parcel], UNTRIED)
            return True
        try:
            outcomes = await self._hand_over(connection, parcel)
        except ConnectionDied:
            lane.waiting.appendleft(parcel)
            return False
        except asyncio.CancelledError:
            self._settle(parcel, [_stopped(connection)] * len(parcel.recipients))
            raise
        except Exception:
            log.exception("%s to %s failed", parcel.queue_id, lane.destination)
            text = "An internal error occurred; the message will be tried again"
            self._settle(parcel, [failed("4.3.0", text)] * len(parcel.recipients))
            return False
        if put_off is None:
            self._settle(parcel, outcomes)
        else:
            is_put_off = [outcome.kind is Kind.DEFERRED for outcome in outcomes]
            left = self._settle_but(is_put_off, parcel, outcomes, outcomes)
            if left[1]:
                put_off.append(left)
        return True

    async def _hand_over(self, connection: Connection, parcel: Parcel) -> list[Outcome]:
        if parcel.size <= LARGE:
            return await connection.send(parcel, parcel.octets())
        async with self._large:
            octets = await asyncio.to_thread(parcel.octets)
            return await connection.send(parcel, octets)

    async def _ask_others(self, hops: Sequence[Hop], put_off: _PutOff) -> None:
        """Whom one host put off, the next may take (RFC 5321 §5.1).

        What is left in `put_off` keeps the words of the first host.
        """
        for hop in hops:
            put_off[:] = [each for each in put_off if each[1]]
            if not put_off or self._is_stopping:
                return
            try:
                connection = await open_connection(hop, self._manners, put_off[0][0].give_up_at)
            except NotOpened:
                continue
            try:
                for place, (parcel, outcomes) in enumerate(put_off):
                    if not connection.works():
                        break
                    put_off[place] = await self._send_again(connection, parcel, outcomes)
            finally:
                connection.close()

    async def _send_again(
        self, connection: Connection, parcel: Parcel, outcomes: list[Outcome]
    ) -> tuple[Parcel, list[Outcome]]:
        """Report whom this host took, or may have taken; the rest of the parcel comes back."""
        if parcel.give_up_at() <= self._loop.time():
            return parcel, outcomes
        try:
            answers = await self._hand_over(connection, parcel)
        except asyncio.CancelledError:
            if connection.is_final_dot_unanswered:
                outcomes[:] = [_stopped(connection)] * len(outcomes)
            raise
        except ConnectionDied:
            return parcel, outcomes
        except Exception:
            log.exception("%s to %s failed", parcel.queue_id, connection.hop)
            return parcel, outcomes
        taken = (Kind.DELIVERED, Kind.AMBIGUOUS)
        return self._settle_but(
            [answer.kind not in taken for answer in answers], parcel, answers, outcomes
        )

    def _settle_but(
        self,
        is_left: Sequence[bool],
        parcel: Parcel,
        answers: Sequence[Outcome],
        outcomes: Sequence[Outcome],
    ) -> tuple[Parcel, list[Outcome]]:
        """Report the answers to those who are not left; the others and their outcomes."""
        is_done = [not left for left in is_left]
        self._settle(_only(is_done, parcel), list(compress(answers, is_done)))
        return _only(is_left, parcel), list(compress(outcomes, is_left))

    def _settle(self, parcel: Parcel, outcomes: Sequence[Outcome]) -> None:
        keys = [key for key, _ in parcel.recipients]
        if keys:
            self._report(list(zip(keys, outcomes, strict=True)))

    def _settle_all(self, parcels: Iterable[Parcel], outcome: Outcome) -> None:
        for parcel in parcels:
            self._settle(parcel, [outcome] * len(parcel.recipients))

    def _begin_stop(self, patience: float) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        carriers: list[asyncio.Task[None]] = []
        for lane in list(self._lanes.values()):
            waiting = list(lane.waiting)
            lane.waiting.clear()
            self._settle_all(waiting, UNTRIED)
            while lane.idle:
                waiter = lane.idle.popleft()
                if not waiter.done():
                    waiter.set_result(None)
            carriers += lane.carriers
        self._loop.create_task(self._end(carriers, patience))

    async def _end(self, carriers: Sequence["asyncio.Task[None]"], patience: float) -> None:
        if carriers:
            _, late = await asyncio.wait(carriers, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for lane in self._lanes.values():
            self._settle_all(lane.waiting, UNTRIED)
        with self._gate:
            self._is_closed = True
        # What was handed over before that is heard once more, and connections flush.
        await asyncio.sleep(0)
        self._loop.stop()


def _only(is_wanted: Sequence[bool], parcel: Parcel) -> Parcel:
    return replace(parcel, recipients=tuple(compress(parcel.recipients, is_wanted)))


def _stopped(connection: Connection) -> Outcome:
    """What becomes of the parcel that a stop interrupts."""
    text = "The worker stopped during this try"
    if connection.is_final_dot_unanswered:
        kind, text = Kind.AMBIGUOUS, f"{text}, after the end of the message"
    else:
        kind = Kind.DEFERRED
    return Outcome(kind, "4.3.2", text, str(connection.hop), connection.tls)
