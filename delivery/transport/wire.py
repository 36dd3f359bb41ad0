"""A socket of the loop as octets received, room to write, and one thing to wait for: a change.

What a peer said before it closed stays readable, and is read while we write: a server may refuse a
message in the middle of it.
"""

import asyncio
from collections.abc import Callable
from typing import cast

# Written ahead of a peer that reads slowly, in octets.
WRITE_AHEAD = 256 * 1024


class Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = bytearray()
        self.is_closed = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._change: asyncio.Future[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("the connection is not made yet")
        return self._transport

    @property
    def can_write(self) -> bool:
        """False while enough waits to be sent, and once a write has found the connection lost.

        The loop tells the latter only later: all that is written until then goes nowhere.
        """
        return not self._is_paused and not self.transport.is_closing()

    def take(self) -> bytes:
        data = bytes(self.received)
        self.received.clear()
        return data

    async def change(self, until: Callable[[], float]) -> None:
        """Wait for octets, room to write or the end; TimeoutError at `until()`, which may move."""
        loop = asyncio.get_running_loop()
        while not (self.received or self.is_closed):
            self._change = loop.create_future()
            ends = until()
            timer = loop.call_at(ends, _expire, self._change)
            try:
                await self._change
                return
            except TimeoutError:
                if until() <= loop.time():
                    raise
            finally:
                timer.cancel()
                self._change = None

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self, patience: float) -> None:
        """Flush and close, for at most `patience` seconds."""
        self.transport.close()
        asyncio.get_running_loop().call_later(patience, self.transport.abort)

    def replace_transport(self, transport: asyncio.Transport) -> None:
        """After the TLS handshake: what came in clear text is forgotten (RFC 3207 §4.2)."""
        self.received.clear()
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_AHEAD)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed()

    def eof_received(self) -> bool:
        self.is_closed = True
        self._changed()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self.error = exc
        self._changed()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._changed()

    def _changed(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


def _expire(change: asyncio.Future[None]) -> None:
    if not change.done():
        change.set_exception(TimeoutError())
