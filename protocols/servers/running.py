"""One server process from its sockets to its end.

Ready means that every listener accepts: then `HOME/run/server-PID.ready` names the ports. At
SIGTERM the process lets nobody in, says goodbye to who is idle, finishes what is being committed
and is gone within ten seconds.
"""

import contextlib
import gc
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import connections
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)

import accounts.mailstore.changes  # noqa: F401 (it tells other processes of our commits)
from accounts import commit
from protocols.servers import loop, processors
from protocols.servers.allocation import give_back_large_blocks
from protocols.servers.hang_up import answer_to_hang_up
from protocols.servers.listeners import LISTENERS, Door, Listener, listen, open_socket
from protocols.servers.runtime import Caps, Runtime
from protocols.servers.standing import Standing
from protocols.servers.tls import TlsServer, certificate_files

log = structlog.get_logger(__name__)

# Seconds: how long peers and commits may take at the end, and how often we look.
GOODBYE = 7.0
LOOK = 0.05
# Seconds a thread may wait for its turn while another computes. Python's own 5 ms are long beside
# a group commit of about as much, which comes back for its turn after each statement.
SWITCH_INTERVAL = 0.0005
FILES_WANTED = 65_536
# Descriptors that are never a mail connection's: database, segments, spools, web.
FILES_KEPT = 2_000

Sockets = Mapping[str, socket.socket]


def chosen(services: Sequence[str]) -> list[Listener]:
    """The listeners of these services."""
    return [listener for listener in LISTENERS if listener.service in services]


def open_sockets(listeners: Sequence[Listener], *, shared: bool = False) -> Sockets:
    """A listening socket for each; raises CannotListen at the first that cannot be had."""
    sockets: dict[str, socket.socket] = {}
    try:
        for listener in listeners:
            port = getattr(settings.MAILHOST, listener.port_setting)
            sockets[listener.name] = open_socket(settings.MAILHOST.bind, port, shared=shared)
    except Exception:
        for sock in sockets.values():
            sock.close()
        raise
    return sockets


def tls_server() -> TlsServer:
    """TLS with the configured certificate, or our own; raises TlsError."""
    config = settings.MAILHOST
    if config.tls_cert is not None:
        return TlsServer(config.tls_cert, config.tls_key or config.tls_cert)
    return TlsServer(*certificate_files(settings.HOME, config.hostname))


class Server:
    """The listeners of this process and all that stands behind them."""

    def __init__(self, listeners: Sequence[Listener], sockets: Sockets, tls: TlsServer) -> None:
        # Not at import: the reactor is made in the process that runs it.
        loop.install()
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._listeners = listeners
        self._sockets = sockets
        self._ports: list[Any] = []
        self._runtime = Runtime(reactor, tls, caps=_caps(_raise_file_limit()))
        self._standing = Standing(self._runtime)
        self._web: Any = None
        self._is_stopping = False
        self._tls = tls

    def run(self, when_ready: Callable[[], None], *, processor: int | None = None) -> None:
        """Serve until SIGTERM, SIGINT or the terminal's end, on a processor of its own if given."""
        _log_through_logging()
        give_back_large_blocks()
        if processor is not None:
            processors.keep_to(processor)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGHUP, answer_to_hang_up(self._asked_to_stop))
        self._reactor.callWhenRunning(self._start, when_ready)
        self._reactor.run(installSignalHandlers=False)
        self._runtime.pool.stop()
        # What was promised is committed, and the open segment sealed.
        commit.shutdown()
        connections.close_all()

    def _start(self, when_ready: Callable[[], None]) -> None:
        try:
            for listener in self._listeners:
                sock = self._sockets[listener.name]
                self._ports.append(listen(self._reactor, sock, self._factory(listener)))
        except Exception:
            log.exception("start_failed")
            self._reactor.stop()
            raise
        self._runtime.start()
        self._standing.start()
        # What is there now stays: the collector need not look at it ever again.
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(SWITCH_INTERVAL)
        when_ready()
        log.info("serving", listeners=[listener.name for listener in self._listeners])

    def _factory(self, listener: Listener) -> Any:
        if listener.service != "web":
            return Door(self._runtime, listener)
        if self._web is None:
            from protocols.servers.web import Web

            self._web = Web(self._reactor, self._tls)
            self._web.start()
        return self._web.factory(is_tls=listener.implicit_tls)

    def _asked_to_stop(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._stop)

    def _stop(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        log.info("stopping", connections=len(self._runtime.connections))
        for port in self._ports:
            port.stopListening()
        self._standing.stop()
        self._runtime.say_goodbye()
        self._wait_for_goodbyes(self._reactor.seconds() + GOODBYE)

    def _wait_for_goodbyes(self, until: float) -> None:
        if self._runtime.connections and self._reactor.seconds() < until:
            self._reactor.callLater(LOOK, self._wait_for_goodbyes, until)
            return
        self._runtime.stop()
        if self._web is not None:
            self._web.stop()
        # Dropped connections hand their sessions to the pool in the next turn.
        self._reactor.callLater(LOOK, self._reactor.stop)


class ReadyFile:
    """Tells a supervisor that this process serves, and on which ports."""

    def __init__(self, home: Path) -> None:
        self._path = home / "run" / f"server-{os.getpid()}.ready"

    def write(self, ports: Mapping[str, int]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"pid": os.getpid(), "ports": dict(ports)}))
        draft.replace(self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _raise_file_limit() -> int:
    """Have as many descriptors as may be had, up to FILES_WANTED; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _caps(files: int) -> Caps:
    config = settings.MAILHOST
    total = min(config.max_connections, max(files // 2, files - FILES_KEPT))
    if total < config.max_connections:
        log.warning("few_file_descriptors", limit=files, max_connections=total)
    return Caps(
        total=total,
        per_network=config.max_connections_per_network,
        per_loopback=total,
        stall_timeout=config.stall_timeout.total_seconds(),
    )


def _log_through_logging() -> None:
    """What Twisted has to say goes where everything else goes, from warnings on."""
    # Their interfaces are declared in a way that the type checker cannot see.
    to_logging: Any = STDLibLogObserver(name="twisted")
    from_warnings_on: Any = LogLevelFilterPredicate(LogLevel.warn)
    observer: Any = FilteringLogObserver(to_logging, [from_warnings_on])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
