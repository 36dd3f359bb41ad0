"""The one Twisted shell: octets to a conversation, its events to a session, answers back.

Rules of the file. A conversation is touched on the reactor thread only. A session's quick events
run there too; every other event, every wake and `closed` run in the session pool, one at a time
for each connection. An event costs at most one hop to the pool and one (shared) wake-up back.
What is written never outruns the peer: events and slices of an answer wait while it does not read.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import structlog
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from accounts.login import Identity
from protocols.servers import channel_binding, errands, sending
from protocols.servers.errands import Wake
from protocols.servers.pace import Pace
from protocols.servers.runtime import Runtime
from protocols.servers.session import Make, Peer, Session
from protocols.servers.slices import Slice, Slices
from protocols.wire.conversation import Conversation

log = structlog.get_logger(__name__)

# Events answered without a break, so that a flood leaves turns to other peers.
EVENTS_PER_TURN = 100
# Seconds.
HANDSHAKE_TIMEOUT = 30.0
LINGER = 2.0


@implementer(IPushProducer, IHalfCloseableProtocol, IHandshakeListener)
class Connection(TwistedProtocol):
    """One peer, its conversation and its session; to the session it is the `Shell`."""

    __slots__ = (
        "_close_by",
        "_conversation",
        "_is_busy",
        "_is_ending",
        "_is_gone",
        "_is_in_handshake",
        "_is_input_over",
        "_is_output_over",
        "_is_reading",
        "_is_stopping",
        "_make",
        "_pace",
        "_session",
        "_slices",
        "_turn_is_due",
        "_wakes",
        "is_tls",
        "peer",
        "runtime",
        "tls_description",
    )

    transport: Any

    def __init__(self, runtime: Runtime, make: Make, peer: Peer, *, implicit_tls: bool) -> None:
        self.peer = peer
        self.is_tls = False
        self.tls_description = ""
        self.runtime = runtime
        self._make = make
        self._conversation: Conversation[Any, Any, Any] | None = None
        self._session: Session[Any, Any, Any] | None = None
        self._slices: Slices | None = None  # a long answer under way
        self._wakes: dict[Wake, None] = {}
        self._pace = Pace(runtime.reactor.seconds())
        self._close_by: float | None = None  # we have hung up; what is left ends at this time
        self._is_busy = False  # an event or a wake is in the pool, or its Future is pending
        self._is_in_handshake = implicit_tls
        self._is_reading = True
        self._is_input_over = False
        self._is_output_over = False
        self._is_ending = False  # hang up once everything is flushed
        self._is_stopping = False
        self._is_gone = False
        self._turn_is_due = False

    def channel_bindings(self) -> Mapping[str, bytes]:
        return channel_binding.of(self.transport.getHandle()) if self.is_tls else {}

    # What the session calls, from any thread.

    def wake(self, work: Wake) -> None:
        if work not in self._wakes:
            self._wakes[work] = None
            self.runtime.way_back.post(self._pump)

    def close(self) -> None:
        self.runtime.way_back.post(self._end)

    # What Twisted calls.

    def connectionMade(self) -> None:
        self.runtime.enter(self)
        sending.prepare(self.transport)
        self.transport.registerProducer(self, True)
        if self._is_in_handshake:
            self.transport.startTLS(self.runtime.tls)
        else:
            self._begin()

    def handshakeCompleted(self) -> None:
        handle = self.transport.getHandle()
        self.is_tls = True
        self.tls_description = f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"
        self._is_in_handshake = False
        self._pace.heard_at = self.runtime.reactor.seconds()
        if self._conversation is None:
            self._begin()

    def dataReceived(self, data: bytes) -> None:
        if self._conversation is None or self._close_by is not None:
            return
        self._pace.hear(len(data), self.runtime.reactor.seconds())
        try:
            self._conversation.receive_data(data)
        except Exception:
            log.exception("receive_failed", peer=self.peer.address)
            self.abort()
            return
        self._pump()

    def readConnectionLost(self) -> None:
        """The peer said all it will say, and may still read (RFC 1122 §4.2.2.13)."""
        self._is_input_over = True
        if self._close_by is not None:
            self.transport.loseConnection()
        elif self._conversation is not None:
            self._conversation.receive_data(b"")
            self._pump()

    def writeConnectionLost(self) -> None:
        """Our end of output is flushed: linger, lest a reset overtakes our last words."""
        self._is_output_over = True
        self._close_by = self.runtime.reactor.seconds() + LINGER

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_gone = True
        self.runtime.leave(self)
        if not self._is_busy or (self._slices is not None and self._slices.stop()):
            self._part()

    def pauseProducing(self) -> None:
        self._pace.pause(sending.unsent_octets(self.transport), self.runtime.reactor.seconds())

    def resumeProducing(self) -> None:
        self._pace.resume(self.runtime.reactor.seconds())
        self._flush()
        if self._slices is None:
            self._pump()
        else:
            self._take_parts(self._slices)

    def stopProducing(self) -> None:
        """The transport is lost; `connectionLost` follows."""

    # What the runtime calls, on the reactor thread.

    def look(self, now: float) -> None:
        """Hang up on a peer that is silent, does not read, or does not go."""
        session = self._session
        if self._close_by is not None:
            if now >= self._close_by:
                (self.transport.loseConnection if self._is_output_over else self.abort)()
        elif self._is_in_handshake:
            if now - self._pace.heard_at > HANDSHAKE_TIMEOUT:
                self.abort()
        elif self._pace.paused_at is not None:
            unsent = sending.unsent_octets(self.transport)
            if self._pace.has_stalled(unsent, self.runtime.caps.stall_timeout, now):
                log.info("peer_does_not_read", peer=self.peer.address)
                self.abort()
        elif session is not None and not self._is_busy:
            timeout, must_log_in = session.idle_timeout, session.must_log_in
            if now > self._pace.is_kept_until(timeout, must_log_in=must_log_in):
                self._say_goodbye()

    @property
    def identity(self) -> Identity | None:
        """Who has logged in here."""
        return None if self._session is None else self._session.identity

    def stop(self) -> None:
        """Say goodbye, after the event in hand."""
        self._is_stopping = True
        if self._is_in_handshake:
            self.abort()
        else:
            self._pump()

    def abort(self) -> None:
        """Drop the connection and what waits to be sent."""
        self.transport.abortConnection()

    # The work, on the reactor thread unless a method says otherwise.

    def _begin(self) -> None:
        try:
            self._conversation, self._session = self._make(self)
            greeting = self._session.greeting()
            if greeting is not None:
                self._conversation.push(greeting)
        except Exception:
            log.exception("greeting_failed", peer=self.peer.address)
            self.abort()
            return
        self._pump()

    def _pump(self) -> None:
        """Serve what the peer has said, as far as may be done now, and write the answers."""
        try:
            self._serve_events()
            self._settle()
        except Exception:
            log.exception("conversation_failed", peer=self.peer.address)
            self.abort()

    def _serve_events(self) -> None:
        left = EVENTS_PER_TURN
        until = self.runtime.reactor.seconds() + self.runtime.turn_seconds()
        while self._conversation is not None and not (
            self._is_busy or self._is_ending or self._pace.paused_at is not None
        ):
            if self._is_stopping:
                self._say_goodbye()
            elif self._wakes:
                self._run_wakes()
            elif not left:
                self._take_another_turn()
                return
            elif (event := self._conversation.next_event()) is not None:
                self._serve(event)
                left = 0 if self.runtime.reactor.seconds() > until else left - 1
                if self._conversation is not None and self._conversation.wants_flush:
                    self._flush()
            else:
                return

    def _take_another_turn(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self.runtime.turns_due += 1
            self.runtime.reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        self.runtime.turns_due -= 1
        self._pump()

    def _serve(self, event: Any) -> None:
        assert self._session is not None
        answer = errands.begin(self, self._session, event)
        if answer is errands.AWAY:
            self._is_busy = True
        elif answer is not None:
            self._say((), answer)

    def answered(self, answer: Any) -> None:
        self._is_busy = False
        self._pace.heard_at = self.runtime.reactor.seconds()
        if self._may_speak():
            self._say((), answer)
            self._pump()

    def answer_later(self, answer: Any, seconds: float) -> None:
        self.runtime.reactor.callLater(seconds, self.answered, answer)

    def sliced(self, slices: Slices, part: Slice) -> None:
        self._slices = slices
        if not self._is_gone:
            slices.waiting.append(part)
            self._take_parts(slices)
        elif slices.stop():
            self._part()

    def _take_parts(self, slices: Slices) -> None:
        while slices.waiting and self._pace.paused_at is None:
            part = slices.waiting.pop(0)
            self._say(part.pushes)
            if part.is_last:
                self._slices = None
                self.answered(part.reply)
                return
            if slices.taken():
                errands.send_to_pull(self, slices)
            self._flush()

    def woken(self, responses: list[Any]) -> None:
        self._is_busy = False
        if self._may_speak():
            self._say(responses)
            self._pump()

    def _may_speak(self) -> bool:
        """False, and the session is let go, where the peer went while it was away."""
        if self._is_gone:
            self._part()
        return not self._is_gone

    def _say(self, responses: Iterable[Any], reply: Any = None) -> None:
        if self._conversation is None:
            return
        try:
            for response in responses:
                self._conversation.push(response)
            if reply is not None:
                self._conversation.send(reply)
        except Exception:
            log.exception("conversation_failed", peer=self.peer.address)
            self.abort()

    def _run_wakes(self) -> None:
        works = []
        while self._wakes:
            works.append(self._wakes.popitem()[0])
        self._is_busy = True
        errands.submit(self, partial(errands.wake, self, works))

    def _flush(self) -> None:
        """Write until the peer's reading is behind or nothing is left."""
        if self._conversation is None or self._close_by is not None:
            return
        while self._pace.paused_at is None and (
            pieces := self._conversation.pieces_to_send(sending.SIZE)
        ):
            self._pace.answer(self.runtime.reactor.seconds())
            is_secured = self.is_tls or self._is_in_handshake
            sending.write(self.transport, pieces, is_secured=is_secured)

    def _settle(self) -> None:
        """Flush, then do what waits for everything to be flushed."""
        conversation = self._conversation
        if conversation is None or self._is_gone or self._close_by is not None:
            return
        self._flush()
        if not self._is_busy and self._pace.paused_at is None and not self._turn_is_due:
            if self._is_ending or conversation.is_over or self._is_input_over:
                self._hang_up()
                return
            if conversation.wants_tls:
                self._start_tls(conversation)
        if conversation.wants_data is not self._is_reading:
            self._is_reading = not self._is_reading
            if self._is_reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _start_tls(self, conversation: Conversation[Any, Any, Any]) -> None:
        self._is_in_handshake = True
        self._pace.heard_at = self.runtime.reactor.seconds()
        conversation.tls_started()
        self.transport.startTLS(self.runtime.tls)

    def _say_goodbye(self) -> None:
        assert self._session is not None
        assert self._conversation is not None
        farewell = self._session.timed_out()
        if farewell is not None:
            self._conversation.push(farewell)
        self._end()

    def _end(self) -> None:
        self._is_ending = True
        self._settle()

    def _hang_up(self) -> None:
        """Close once the peer has our last octets, at most a while later; the session ends now."""
        self._part()
        self._close_by = self.runtime.reactor.seconds() + self.runtime.caps.stall_timeout
        self.transport.unregisterProducer()
        if not self._is_reading:
            self.transport.resumeProducing()
        if self.is_tls or self._is_in_handshake or self._is_input_over:
            self.transport.loseConnection()
        else:
            # Closing with unread input makes TCP reset, which can destroy the last reply on its
            # way (RFC 1122 §4.2.2.13): end our output only, and drop what still comes.
            sending.end_output(self.transport)

    def _part(self) -> None:
        """Nothing more is said and nothing is in the pool: let the session free what it holds."""
        session, self._session = self._session, None
        slices, self._slices = self._slices, None
        self._conversation = None
        self._wakes.clear()
        if session is not None and (slices is not None or not session.holds_nothing):
            errands.submit(self, partial(errands.close, session, slices))
