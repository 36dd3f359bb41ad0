"""One connection to one mail server: opening it, sending parcels over it, closing it.

The grammar is `protocols.wire.smtp.client`; here are the clocks and the judgement of what a peer's
behaviour means for each recipient. Nothing waits longer than RFC 5321 §4.5.3.2 says, nor past the
moment the claim on the message ends.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

from delivery.a_labels import with_a_labels
from delivery.transport.mx import Hop
from delivery.transport.outcome import Kind, Outcome, Parcel, failed, from_reply
from delivery.transport.tls_policy import describe, opportunistic_context
from delivery.transport.wire import WRITE_AHEAD, Wire
from protocols.wire.message import to_7bit
from protocols.wire.smtp.client import ClientConversation
from protocols.wire.smtp.client_events import (
    Closed,
    Event,
    Phase,
    Ready,
    Sent,
    TlsGoAhead,
    TlsRefused,
)
from protocols.wire.smtp.reply import Reply

# Seconds. The grammar knows how long each answer may take; these bound the rest: a peer that drips
# its answers octet by octet holds us no longer than this.
CONNECT_PATIENCE = 30.0
TLS_PATIENCE = 60.0
OPENING_PATIENCE = 600.0
MESSAGE_PATIENCE = 3600.0
QUIT_PATIENCE = 2.0

Deadline = Callable[[], float]


class NotOpened(Exception):
    """No session came about; `outcome` says why, and another host may do better."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


class ConnectionDied(Exception):
    """A connection used before ended before this parcel's data: a new one may carry it."""


class _TlsBroke(Exception):
    """STARTTLS was promised and did not work: clear text on a new connection remains."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How we present ourselves."""

    hostname: str
    source_address: str = ""


async def open_connection(hop: Hop, manners: Manners, deadline: Deadline) -> "Connection":
    """Connect, greet, and start TLS where it is offered; NotOpened when that fails."""
    try:
        return await _open(hop, manners, deadline, use_tls=True)
    except _TlsBroke:
        return await _open(hop, manners, deadline, use_tls=False)


async def _open(hop: Hop, manners: Manners, deadline: Deadline, *, use_tls: bool) -> "Connection":
    loop = asyncio.get_running_loop()
    source = (manners.source_address, 0) if manners.source_address else None
    try:
        async with asyncio.timeout_at(min(loop.time() + CONNECT_PATIENCE, deadline())):
            _, wire = await loop.create_connection(Wire, hop.address, hop.port, local_addr=source)
    except TimeoutError:
        raise NotOpened(failed("4.4.1", f"{hop} did not answer", host=str(hop))) from None
    except OSError as error:
        text = f"Could not connect to {hop}: {_in_words(error)}"
        raise NotOpened(failed("4.4.1", text, host=str(hop))) from None
    connection = Connection(hop, manners.hostname, wire)
    try:
        await connection.open(deadline, use_tls=use_tls)
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """A session with one server. Once `works()` is false it can only be closed."""

    def __init__(self, hop: Hop, hostname: str, wire: Wire) -> None:
        self.hop = hop
        self.tls = ""
        self.sent = 0
        self._wire = wire
        self._conversation = ClientConversation(hostname)
        self._loop = asyncio.get_running_loop()

    def works(self) -> bool:
        """Whether another message may be sent: the server has neither closed nor said so."""
        if self._wire.received:
            self._conversation.receive_data(self._wire.take())
        return self._conversation.phase is Phase.READY and not self._wire.is_closed

    @property
    def is_final_dot_unanswered(self) -> bool:
        return self._conversation.is_final_dot_unanswered

    async def open(self, deadline: Deadline, *, use_tls: bool) -> None:
        """Hear the greeting, say EHLO, start TLS where offered; NotOpened or _TlsBroke."""
        until = self._bounded(deadline, OPENING_PATIENCE)
        await self._hear_ready(until)
        if not use_tls or "STARTTLS" not in self._conversation.extensions:
            return
        self._conversation.start_tls()
        match await self._next_event(until):
            case TlsGoAhead():
                await self._start_tls(until)
                await self._hear_ready(until)
            case TlsRefused():
                await self._see_it_stays(until)
            case _:
                raise _TlsBroke

    async def send(self, parcel: Parcel, octets: bytes) -> list[Outcome]:
        """An outcome for each recipient of the parcel, in its order.

        ConnectionDied where a connection that worked before ended between messages.
        """
        extensions = self._conversation.extensions
        needs_utf8 = _needs_smtputf8(parcel, octets)
        if needs_utf8 and "SMTPUTF8" not in extensions:
            return await self._send_ascii(parcel, octets)
        is_8bit = not octets.isascii()
        if is_8bit and "8BITMIME" not in extensions:
            octets = await asyncio.to_thread(to_7bit, octets)
        if 0 < extensions.size_limit < len(octets):
            text = f"{self.hop} takes at most {extensions.size_limit} octets, not {len(octets)}"
            return self._refuse(parcel, "5.3.4", text)
        self._conversation.send_message(
            parcel.return_path if needs_utf8 else with_a_labels(parcel.return_path),
            [
                key_address[1] if needs_utf8 else with_a_labels(key_address[1])
                for key_address in parcel.recipients
            ],
            octets,
            is_8bit=is_8bit,
            is_smtputf8=needs_utf8,
        )
        match await self._next_event(self._bounded(parcel.give_up_at, MESSAGE_PATIENCE)):
            case Sent(replies=replies):
                self.sent += 1
                return [from_reply(reply, host=str(self.hop), tls=self.tls) for reply in replies]
            case Closed() as closed:
                return self._judge_loss(closed)
            case event:
                raise RuntimeError(f"{event} is no answer to a message")

    async def _send_ascii(self, parcel: Parcel, octets: bytes) -> list[Outcome]:
        """To a server without SMTPUTF8: those get the message whose copy does not need it."""
        text = f"{self.hop} takes no internationalised mail"
        outcomes = self._refuse(parcel, "5.6.7", text)
        places = [
            place
            for place, (_, address) in enumerate(parcel.recipients)
            if with_a_labels(address).isascii()
        ]
        part = replace(parcel, recipients=tuple(parcel.recipients[place] for place in places))
        # One address beyond ASCII must not cost the others their mail (RFC 6531 §3.2).
        if places and not _needs_smtputf8(part, octets):
            for place, outcome in zip(places, await self.send(part, octets), strict=True):
                outcomes[place] = outcome
        return outcomes

    def close(self) -> None:
        """Say QUIT where that is possible, and close without waiting for the answer."""
        if self._conversation.phase is Phase.READY:
            self._conversation.quit()
        while data := self._conversation.data_to_send():
            self._wire.write(data)
        self._wire.close(QUIT_PATIENCE)

    def _refuse(self, parcel: Parcel, status: str, text: str) -> list[Outcome]:
        outcome = failed(status, text, host=str(self.hop), tls=self.tls)
        return [outcome for _ in parcel.recipients]

    def _judge_loss(self, closed: Closed) -> list[Outcome]:
        host, tls = str(self.hop), self.tls
        if closed.is_ambiguous:
            text = f"{self.hop}: {closed.reason} after the end of the message; it may have arrived"
            rest = Outcome(Kind.AMBIGUOUS, "4.4.2", text, host, tls)
        elif self.sent and closed.phase is Phase.ENVELOPE and not any(closed.replies):
            raise ConnectionDied
        elif closed.reply is not None:
            rest = _as_refusal(closed.reply, host, tls)
        else:
            rest = failed("4.4.2", f"{self.hop}: {closed.reason}", host=host, tls=tls)
        return [
            rest if reply is None else from_reply(reply, host=host, tls=tls)
            for reply in closed.replies
        ]

    async def _hear_ready(self, until: Deadline) -> None:
        self._expect_ready(await self._next_event(until))
        await self._see_it_stays(until)

    async def _see_it_stays(self, until: Deadline) -> None:
        """A server may hang up in the breath of its answer; nobody comes back to it at once."""
        if not self.works():
            self._expect_ready(await self._next_event(until))

    def _expect_ready(self, event: Event) -> None:
        match event:
            case Ready():
                return
            case Closed(reply=Reply() as reply):
                raise NotOpened(_as_refusal(reply, str(self.hop), self.tls))
            case Closed(reason=reason) if not self.tls:
                text = f"{self.hop} broke off before any mail: {reason}"
                raise NotOpened(failed("4.4.2", text, host=str(self.hop)))
            case _:
                raise _TlsBroke

    async def _start_tls(self, until: Deadline) -> None:
        wire = self._wire
        try:
            async with asyncio.timeout_at(min(until(), self._loop.time() + TLS_PATIENCE)):
                transport = await self._loop.start_tls(
                    wire.transport, wire, opportunistic_context(), server_hostname=_sni(self.hop)
                )
        # The handshake can fail in as many ways as peers are broken; all of them mean clear text.
        except (OSError, ValueError) as error:
            raise _TlsBroke from error
        if transport is None:
            raise _TlsBroke
        wire.replace_transport(transport)
        self.tls = describe(transport.get_extra_info("ssl_object"))
        self._conversation.tls_started()

    async def _next_event(self, until: Deadline) -> Event:
        """What the conversation says next; a silent or vanished peer becomes Closed."""
        conversation, wire = self._conversation, self._wire
        reason = ""
        while True:
            event = conversation.next_event()
            if isinstance(event, Closed) and reason:
                return replace(event, reason=reason)
            if event is not None:
                return event
            while wire.can_write and (data := conversation.data_to_send(WRITE_AHEAD)):
                wire.write(data)
            if wire.received:
                conversation.receive_data(wire.take())
            elif wire.is_closed:
                reason = _in_words(wire.error) if wire.error else "the server closed the connection"
                conversation.receive_data(b"")
            else:
                try:
                    await wire.change(self._bounded(until, conversation.patience))
                except TimeoutError:
                    reason = "the server fell silent"
                    conversation.receive_data(b"")

    def _bounded(self, deadline: Deadline, seconds: float) -> Deadline:
        ends = self._loop.time() + seconds
        return lambda: min(ends, deadline())


def _as_refusal(reply: Reply, host: str, tls: str) -> Outcome:
    """A reply that ended the session; one that claims success there counts as temporary."""
    outcome = from_reply(reply, host=host, tls=tls)
    if outcome.kind is Kind.DELIVERED:
        return replace(outcome, kind=Kind.DEFERRED, status="4.5.0")
    return outcome


def _sni(hop: Hop) -> str | None:
    # Nothing is verified: the name only helps the server to choose. RFC 6066 §3 bars literals.
    return None if hop.name.startswith("[") or hop.name == hop.address else hop.name


def _needs_smtputf8(parcel: Parcel, octets: bytes) -> bool:
    """Whether an address or a header field cannot be written without RFC 6531.

    The sender need not have said so: an alias may lead to an address beyond ASCII. Of 8-bit fields
    the sender must, or they are but old mail in some charset.
    """
    addresses = [parcel.return_path, *(address for _, address in parcel.recipients)]
    if not all(with_a_labels(address).isascii() for address in addresses):
        return True
    header_end = octets.find(b"\r\n\r\n")
    # All of it is header where no empty line says that a body follows (RFC 5322 §3.5).
    header = octets[:header_end] if header_end >= 0 else octets
    return parcel.is_smtputf8 and not header.isascii()


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}".lower()
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return "the connection was lost"
