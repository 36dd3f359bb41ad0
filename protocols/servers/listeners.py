"""Every listener: its name, where its port is set, whether TLS comes first, who talks there.

One table; a new protocol is one entry. Sessions are imported when first needed, so that a process
loads only what it serves.
"""

import errno
import gc
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol

from protocols.servers.connection import Connection
from protocols.servers.runtime import Runtime
from protocols.servers.session import Make, Peer

BACKLOG = 1024
# Seconds of silence before the kernel asks whether the peer is still there.
KEEPALIVE_IDLE = 300


class CannotListen(Exception):
    """A port cannot be had; the text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Listener:
    """`make` is "module:function" and gives a connection its conversation and session.

    The web has none: `protocols.servers.web` makes its factories.
    """

    name: str
    service: str
    port_setting: str
    make: str
    refusal: bytes = b""
    implicit_tls: bool = False


_SMTP_FULL = b"421 4.7.0 Too many connections, try again later\r\n"
_IMAP_FULL = b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"
_POP3_FULL = b"-ERR [SYS/TEMP] Too many connections, try again later\r\n"
_MX = "protocols.servers.smtp:make_mx"
_SUBMISSION = "protocols.servers.smtp:make_submission"
_IMAP = "protocols.servers.imap:make_imap"
_POP3 = "protocols.servers.pop3:make_pop3"
_WEB = ""
_WEB_FACTORIES = "protocols.servers.web"

LISTENERS = (
    Listener("mx", "mx", "smtp_port", _MX, _SMTP_FULL),
    Listener("submission", "submission", "submission_port", _SUBMISSION, _SMTP_FULL),
    Listener("submissions", "submission", "submissions_port", _SUBMISSION, implicit_tls=True),
    Listener("imap", "imap", "imap_port", _IMAP, _IMAP_FULL),
    Listener("imaps", "imap", "imaps_port", _IMAP, implicit_tls=True),
    Listener("pop3", "pop3", "pop3_port", _POP3, _POP3_FULL),
    Listener("pop3s", "pop3", "pop3s_port", _POP3, implicit_tls=True),
    Listener("web", "web", "web_port", _WEB),
    Listener("webs", "web", "webs_port", _WEB, implicit_tls=True),
)
SERVICES = ("mx", "submission", "imap", "pop3", "web")


def make_of(service: str) -> Make:
    """What gives a connection of this service its conversation and session."""
    listener = next(each for each in LISTENERS if each.name == service)
    module, _colon, name = listener.make.partition(":")
    make: Make = getattr(import_module(module), name)
    return make


def preload(listeners: Iterable[Listener]) -> None:
    """Load what these will need: processes forked from here have it in common, in memory too."""
    for module in {listener.make.partition(":")[0] or _WEB_FACTORIES for listener in listeners}:
        import_module(module)
    # Or their collectors would write to all of it, and so copy it.
    gc.collect()
    gc.freeze()


def open_socket(address: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; `shared` lets other processes of ours listen there too.

    Raises CannotListen.
    """
    sock = bind_socket(address, port, shared=shared)
    try:
        # Accepted sockets inherit these, which saves system calls for each of them.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise CannotListen(f"Cannot listen on {address}:{port}: {_reason(error)}.") from error
    return sock


def bind_socket(address: str, port: int, *, shared: bool) -> socket.socket:
    """A socket that has the port and does not listen yet; raises CannotListen."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise CannotListen(f"Cannot listen on {address}:{port}: {_reason(error)}.") from error
    return sock


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is in use"
        case errno.EACCES:
            return "this user may not use the port"
        case errno.EADDRNOTAVAIL:
            return "this machine does not have the address"
    return os.strerror(error.errno or 0).lower()


class Door(Factory):
    """Lets the peers of one listener in while there is room."""

    noisy = False

    def __init__(self, runtime: Runtime, listener: Listener, make: Make | None = None) -> None:
        self._runtime = runtime
        self._listener = listener
        self._make = make or make_of(listener.name)

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol:
        address: Any = addr
        peer = Peer.at(address.host, address.port)
        if not self._runtime.may_enter(peer):
            return Refusal(self._listener.refusal)
        return Connection(self._runtime, self._make, peer, implicit_tls=self._listener.implicit_tls)


class Refusal(TwistedProtocol):
    """Says why and closes; before implicit TLS there is nothing that could be said."""

    transport: Any

    def __init__(self, words: bytes) -> None:
        self._words = words

    def connectionMade(self) -> None:
        self.transport.write(self._words)
        self.transport.loseConnection()


def listen(reactor: Any, sock: socket.socket, factory: Any) -> Any:
    """Accept on an open socket; returns Twisted's port."""
    port = reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
    sock.close()
    return port
