"""A mail server that can be told to misbehave, on a loopback port of its own.

It speaks through our own server conversation, so that only the misbehaviour is written here.
"""

import asyncio
import functools
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import trustme

from protocols.wire.smtp.events import Hello, MailFrom, MessageChunk, MessageEnd, RcptTo
from protocols.wire.smtp.reply import Reply
from protocols.wire.smtp.server import ServerConversation
from protocols.wire.smtp.terms import Terms

OK = Reply(250, "2.0.0", "Ok")
WELCOME = Reply(220, "", "peer.test ESMTP")


@dataclass
class Received:
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    octets: bytes = b""
    is_8bit: bool = False
    is_smtputf8: bool = False
    is_tls: bool = False
    connection: int = 0


@dataclass
class Script:
    """How the peer behaves; the default is a good server without TLS."""

    greeting: Reply = WELCOME
    without: frozenset[str] = frozenset()
    size: int = 100 << 20
    sender: Reply = OK
    recipient: Callable[[str], Reply] = lambda address: OK
    end: Reply = OK
    has_starttls: bool = False
    breaks_tls: bool = False
    drops_after_dot: bool = False
    drops_in_data: bool = False
    drops_after_messages: int = 0
    stays_silent: bool = False
    leaves_after_hello: bool = False
    refuses_beyond: int = 1000
    gate: threading.Event | None = None


@functools.cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("peer.test").configure_cert(context)
    return context


class Peer:
    """Runs in a thread from `with` on; `port` is its own, `mail` what it accepted."""

    def __init__(self, script: Script | None = None, address: str = "127.0.0.1", port: int = 0):
        self.script = script or Script()
        self.address, self.port = address, port
        self.mail: list[Received] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.hellos: list[str] = []
        self.at_gate = 0

    def __enter__(self) -> "Peer":
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def start() -> None:
            self._server = await asyncio.start_server(self._serve, self.address, self.port)
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(start())
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._converse(reader, writer, self.connections)
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _converse(self, reader, writer, number: int) -> None:
        script = self.script
        terms = Terms(max_size=script.size, has_starttls=script.has_starttls)
        conversation = ServerConversation(terms)
        if script.stays_silent:
            await reader.read()
            return
        if self.open > script.refuses_beyond:
            conversation.push(Reply(421, "4.7.0", "Too many connections"))
        else:
            conversation.push(script.greeting)
        mail, done, is_tls = Received(), 0, False
        while True:
            while data := conversation.data_to_send():
                writer.write(data)
            await writer.drain()
            if conversation.is_over:
                return
            if conversation.wants_tls:
                if script.breaks_tls:
                    writer.write(b"this is no handshake\r\n")
                    return
                await writer.start_tls(server_context())
                conversation.tls_started()
                is_tls = True
            event = conversation.next_event()
            match event:
                case None:
                    while data := conversation.data_to_send():
                        writer.write(data)
                        if script.drops_in_data and b"354 " in data:
                            writer.transport.abort()
                            return
                    if not conversation.is_over and not conversation.wants_tls:
                        conversation.receive_data(await reader.read(65536))
                case Hello(keywords=keywords):
                    self.hellos.append(event.name)
                    kept = [k for k in keywords if k.split()[0] not in script.without]
                    if not event.is_extended:
                        conversation.send(Reply(250, "", "peer.test"))
                    elif "EHLO" in script.without:
                        conversation.send(Reply(502, "5.5.1", "What?"))
                    else:
                        conversation.send(Reply(250, "", ("peer.test", *kept)))
                    if script.leaves_after_hello:
                        conversation.push(Reply(421, "4.3.2", "Too busy"))
                case MailFrom():
                    if script.drops_after_messages and done >= script.drops_after_messages:
                        return
                    mail = Received(
                        sender=str(event.sender or ""),
                        is_8bit=event.is_8bit,
                        is_smtputf8=event.is_smtputf8,
                        is_tls=is_tls,
                        connection=number,
                    )
                    conversation.send(script.sender)
                case RcptTo(recipient=recipient):
                    reply = script.recipient(str(recipient))
                    if reply.code == 250:
                        mail.recipients.append(str(recipient))
                    conversation.send(reply)
                case MessageChunk(octets=octets):
                    mail.octets += octets
                case MessageEnd(octets=octets):
                    mail.octets += octets
                    if script.gate is not None:
                        self.at_gate += 1
                        while not script.gate.is_set():
                            await asyncio.sleep(0.01)
                    if script.drops_after_dot:
                        writer.transport.abort()
                        self.mail.append(mail)
                        return
                    conversation.send(script.end)
                    if script.end.code == 250:
                        done += 1
                        self.mail.append(mail)
