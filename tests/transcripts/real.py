"""A transcript over loopback sockets, against a listener in a reactor of its own thread."""

import contextlib
import socket
import ssl
import threading
from functools import cache
from typing import Any

from django.conf import settings
from twisted.internet import reactor as _reactor
from twisted.internet.threads import blockingCallFromThread

from protocols.servers.listeners import LISTENERS, Door, listen, open_socket
from protocols.servers.runtime import Runtime
from protocols.servers.threads import SessionPool
from protocols.servers.tls import TlsServer, certificate_files
from tests.transcripts.clock import Clock
from tests.transcripts.dialogue import Silence
from tests.transcripts.given import Scene

PATIENCE = 5.0

reactor: Any = _reactor


@cache
def run_reactor() -> None:
    """Start the process's reactor in a daemon thread; it ends with the process."""
    threading.Thread(
        target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True, name="reactor"
    ).start()


def on_reactor(call: Any, *arguments: Any) -> Any:
    """Call on the reactor thread and wait for what comes of it."""
    run_reactor()
    return blockingCallFromThread(reactor, call, *arguments)


@cache
def tls_server() -> TlsServer:
    return TlsServer(*certificate_files(settings.HOME, settings.MAILHOST.hostname))


class RealVenue:
    """One listener on a free port, for one performance."""

    def __init__(self, scene: Scene) -> None:
        listener = next(each for each in LISTENERS if each.name == scene.service)
        if scene.is_tls:
            listener = next(
                each for each in LISTENERS if each.service == listener.service and each.implicit_tls
            )
        self.runtime = Runtime(reactor, tls_server(), pool=SessionPool(4))
        sock = open_socket("127.0.0.1", 0)
        self.address = sock.getsockname()
        self._port = on_reactor(listen, reactor, sock, Door(self.runtime, listener))
        self._is_tls = scene.is_tls
        self._wires: list[RealWire] = []
        self.clock = Clock()

    def connect(self) -> "RealWire":
        wire = RealWire(self.address)
        self._wires.append(wire)
        if self._is_tls:
            wire.start_tls()
        return wire

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

        def look() -> None:
            for connection in list(self.runtime.connections):
                connection.look(reactor.seconds() + seconds)

        on_reactor(look)

    def end(self) -> None:
        for wire in self._wires:
            wire.close()
        on_reactor(self._port.stopListening)
        on_reactor(self.runtime.stop)
        self.clock.stop()


class RealWire:
    """A client's socket."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, PATIENCE)
        self._read = b""

    def send(self, octets: bytes) -> None:
        # A server that has hung up is found out by what is read next.
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(octets)

    def read_line(self) -> bytes | None:
        while b"\r\n" not in self._read:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise Silence from None
            except ConnectionError:
                data = b""
            if not data:
                rest, self._read = self._read, b""
                return rest or None
            self._read += data
        line, end, self._read = self._read.partition(b"\r\n")
        return line + end

    def start_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._read = b""
        self._socket = context.wrap_socket(self._socket)

    def close(self) -> None:
        self._socket.close()
