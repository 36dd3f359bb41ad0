"""Hosts the WSGI application beside the mail listeners, with limits of its own.

twisted.web has no limit on bodies and reads forms into memory before the application sees them:
both are mended here. In clear text only what is near is served: loopback and named proxies;
strangers are sent to the TLS port, but for what monitors ask.
"""

import io
import re
import tempfile
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.threadpool import ThreadPool
from twisted.web import resource, server
from twisted.web.wsgi import WSGIResource

from protocols.servers.processors import Roaming
from protocols.servers.tls import TlsServer
from protocols.servers.web_peers import WebPeers, is_near

log = structlog.get_logger(__name__)

THREADS = 8
IDLE_TIMEOUT = 60.0
BODY_LIMIT = 32 << 20
BODY_IN_MEMORY = 256 << 10

_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,39}\]")
_MONITORED = (b"/healthz", b"/readyz", b"/metrics")
_TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\n"
    b"Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n"
    b"That is too large.\n"
)


class LimitedRequest(server.Request):
    """A request whose body is counted as it comes."""

    _received = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > BODY_LIMIT:
            self._refuse()
        if length is not None and length <= BODY_IN_MEMORY:
            self.content = io.BytesIO()
        else:
            # Nothing is written outside the home.
            directory: Path = settings.HOME / "run"
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.content = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > BODY_LIMIT:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._is_refused:
            self._drop_doubles()
            super().requestReceived(command, path, version)

    def _drop_doubles(self) -> None:
        """WSGI writes "_" for "-": X_Forwarded_For would stand in for what a proxy says."""
        for name, _values in list(self.requestHeaders.getAllRawHeaders()):
            if b"_" in name:
                self.requestHeaders.removeHeader(name)

    def _refuse(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            channel: Any = self.channel
            channel.transport.write(_TOO_LARGE)
            channel.loseConnection()


class FrontDoor(resource.Resource):
    """Everything goes to the application, but for clear text from afar."""

    isLeaf = True

    def __init__(self, application: WSGIResource, *, is_tls: bool) -> None:
        super().__init__()
        self._application = application
        self._is_tls = is_tls

    def render(self, request: Any) -> Any:
        if (
            self._is_tls
            or is_near(getattr(request.getClientAddress(), "host", ""))
            or request.path in _MONITORED
        ):
            return self._application.render(request)
        host = request.getHeader(b"host") or b""
        name = _HOST.match(host)
        where = name[0] if name else settings.MAILHOST.hostname.encode()
        request.setHeader(
            b"location", b"https://%b:%d%b" % (where, settings.MAILHOST.webs_port, request.uri)
        )
        request.setResponseCode(308)
        return b""


class WebSite(server.Site):
    """Answers nobody with a traceback, and leaves the access log to the application."""

    def __init__(self, root: resource.Resource) -> None:
        super().__init__(
            root,
            requestFactory=LimitedRequest,
            parsePOSTFormSubmission=False,
            timeout=IDLE_TIMEOUT,
        )
        self.displayTracebacks = False
        self.noisy = False

    def startFactory(self) -> None:
        """Keep no access log."""

    def stopFactory(self) -> None:
        """Keep no access log."""

    def log(self, request: Any) -> None:
        log.debug("web_request", method=request.method.decode("ascii", "replace"))


class Web:
    """The application, its threads, and a factory for each of its two ports."""

    def __init__(self, reactor: Any, tls: TlsServer) -> None:
        self._threads: Any = ThreadPool(minthreads=1, maxthreads=THREADS, name="web")
        self._threads.threadFactory = Roaming
        self._application = WSGIResource(reactor, self._threads, get_wsgi_application())
        self._tls = tls
        self._reactor = reactor

    def factory(self, *, is_tls: bool) -> Any:
        site: Any = WebSite(FrontDoor(self._application, is_tls=is_tls))
        if is_tls:
            creator: Any = self._tls
            site = TLSMemoryBIOFactory(creator, False, site)
        return WebPeers(self._reactor, site)

    def start(self) -> None:
        self._threads.start()

    def stop(self) -> None:
        self._threads.stop()
