"""What a protocol session and the connection it runs in may ask of each other.

Sessions are plain synchronous code: they see events and give replies. Only
`protocols.servers.connection` knows that sockets and threads exist.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Protocol, TypeAlias, TypeVar

from accounts.login import Identity
from protocols.wire.conversation import Conversation

T = TypeVar("T")
EventT = TypeVar("EventT", contravariant=True)
ReplyT = TypeVar("ReplyT", covariant=True)
PushT = TypeVar("PushT", covariant=True)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection."""

    address: str
    port: int
    is_loopback: bool

    @classmethod
    def at(cls, address: str, port: int) -> "Peer":
        """The peer at a numeric address; an IPv4-mapped IPv6 address is read as IPv4."""
        plain, is_loopback = _plain_address(address)
        return cls(plain, port, is_loopback)


@lru_cache(maxsize=1024)
def _plain_address(address: str) -> tuple[str, bool]:
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    if mapped is not None:
        parsed = mapped
    return str(parsed), parsed.is_loopback


@dataclass(frozen=True, slots=True)
class After:
    """An answer that takes a Future and then more work: `then(result)` runs in the session pool."""

    future: Future[Any]
    then: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Soon:
    """An answer that a Future only needs dressing for: `then(future)` runs in the thread that
    resolves it, and must be quick. What it gives may be one of these again.
    """

    future: Future[Any]
    then: Callable[[Future[Any]], Any]


@dataclass(frozen=True, slots=True)
class Home:
    """The same, but that `then(future)` runs on the reactor thread, like a quick event."""

    future: Future[Any]
    then: Callable[[Future[Any]], Any]


@dataclass(frozen=True, slots=True)
class Later:
    """A reply held back, so that guessing takes time; no thread waits."""

    reply: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Again:
    """An answer that needs more work after some `seconds`, in the session pool; no thread waits."""

    work: Callable[[], Any]
    seconds: float


def in_pool(work: Callable[[], Any]) -> After:
    """An answer that is made in the session pool after all."""
    return After(_DONE, lambda _: work())


_DONE: Future[None] = Future()
_DONE.set_result(None)


class Shell(Protocol):
    """What a session may ask of its connection.

    Every method may be called from any thread, but for `channel_bindings`.
    """

    @property
    def peer(self) -> Peer: ...

    @property
    def is_tls(self) -> bool:
        """True once a TLS handshake is complete."""
        ...

    @property
    def tls_description(self) -> str:
        """ "" or, for trace headers, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
        ...

    def channel_bindings(self) -> Mapping[str, bytes]:
        """What TLS binds a login to, by registered name (RFC 9266, RFC 5929); {} without TLS.

        Of all methods the one to call on the reactor thread alone: TLS is not to be disturbed.
        """
        ...

    def wake(self, work: Callable[[], Iterable[Any] | None]) -> None:
        """Run `work` in the session pool, never while an event is handled; push what it returns.

        A callable that already waits is not queued twice.
        """
        ...

    def close(self) -> None:
        """Finish the event in hand, flush, then close."""
        ...


Answer: TypeAlias = T | Future[Any] | Iterator[Any] | After | Soon | Home | Later | Again | None


class Session(Protocol[EventT, ReplyT, PushT]):
    """Events to replies. No two methods that may touch the database ever run at the same time."""

    @property
    def idle_timeout(self) -> float:
        """Seconds a silent peer is kept; read again whenever it matters."""
        ...

    @property
    def must_log_in(self) -> bool:
        """True while nobody has logged in who has to: strangers are kept for a few minutes."""
        ...

    @property
    def identity(self) -> Identity | None:
        """Who has logged in, None for nobody; asked at any time, from the reactor thread."""
        ...

    def is_quick(self, event: EventT) -> bool:
        """True when `handle` needs no database, disk or hashing: it runs on the reactor thread."""
        ...

    def handle(self, event: EventT) -> Answer[ReplyT]:
        """Answer an event.

        None: it needs no answer. A Future is answered when it is done, and no thread waits for it;
        what it brings may be one of these again.
        After, Soon, Home, Later and Again say so themselves. An iterator is read a slice at a time
        and paused while the peer does not read: its last item is the reply, those before it are
        pushed.
        """
        ...

    def greeting(self) -> PushT | None:
        """What is said first."""
        ...

    def timed_out(self) -> PushT | None:
        """What is said before an idle connection is closed, or one open when the server stops."""
        ...

    def failed(self, event: EventT) -> ReplyT:
        """The reply to an event whose handling raised; the traceback is logged elsewhere."""
        ...

    @property
    def holds_nothing(self) -> bool:
        """True when there is nothing for `closed` to free: then it is not called."""
        ...

    def closed(self) -> None:
        """The connection is gone: free locks and subscriptions. Runs in the session pool."""
        ...


Make = Callable[[Shell], tuple[Conversation[Any, Any, Any], Session[Any, Any, Any]]]
