"""What a session does away from the reactor thread, and how its answer comes back.

`begin` and `send_to_pull` are called on the reactor thread, `failure` in any; the others run in the
session pool or in whatever thread resolves a Future. They touch a connection only by posting to
the way back.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

import structlog

from accounts.commit import DATABASE_AWAY
from accounts.login import Identity
from accounts.throttle import network_of
from protocols.servers.runtime import Runtime
from protocols.servers.session import After, Again, Home, Later, Peer, Session, Soon
from protocols.servers.slices import Slice, Slices

log = structlog.get_logger(__name__)

AnySession = Session[Any, Any, Any]
Wake = Callable[[], Iterable[Any] | None]

# Seconds after which a session looks again that could not, as the database was away.
WAKE_PAUSE = 2.0
# Answers that are not there yet.
_DEFERRED = (Future, After, Soon, Home, Later, Again)
AWAY = object()
"""Instead of an answer: it will be brought home."""


class Host(Protocol):
    """The connection that sends a session on errands; its methods run on the reactor thread."""

    @property
    def peer(self) -> Peer: ...

    @property
    def identity(self) -> Identity | None: ...

    @property
    def runtime(self) -> Runtime: ...

    def answered(self, answer: Any) -> None: ...

    def answer_later(self, answer: Any, seconds: float) -> None: ...

    def sliced(self, slices: Slices, part: Slice) -> None: ...

    def wake(self, work: Wake) -> None: ...

    def woken(self, responses: list[Any]) -> None: ...

    def abort(self) -> None: ...


def submit(host: Host, job: Callable[[], object]) -> None:
    """Have a job done in the session pool, for the mailbox that is logged in or the network."""
    identity = host.identity
    owner = network_of(host.peer.address) if identity is None else identity.mailbox_id
    host.runtime.pool.submit(job, owner)


def begin(host: Host, session: AnySession, event: Any) -> Any:
    """Handle an event, here if that is quick; the answer, or AWAY."""
    try:
        if not session.is_quick(event):
            work = partial(session.handle, event)
            submit(host, partial(handle, host, session, event, work))
            return AWAY
        answer = session.handle(event)
    except Exception:  # noqa: BLE001 (`failure` logs it)
        answer = failure(host, session, event)
    if isinstance(answer, Iterator):
        send_to_pull(host, Slices(answer, partial(failure, host, session, event)))
        return AWAY
    if isinstance(answer, _DEFERRED):
        _deliver(host, session, event, answer)
        return AWAY
    return answer


def handle(host: Host, session: AnySession, event: Any, work: Callable[[], Any]) -> None:
    """Handle an event, or go on with one, and send the answer home."""
    try:
        answer = work()
        # What is there already needs no other turn in the pool.
        while isinstance(answer, After) and answer.future.done():
            answer = answer.then(answer.future.result())
    except Exception:  # noqa: BLE001 (`failure` logs it)
        answer = failure(host, session, event)
    if isinstance(answer, Iterator):
        pull(host, Slices(answer, partial(failure, host, session, event)))
    elif isinstance(answer, _DEFERRED):
        _deliver(host, session, event, answer)
    else:
        host.runtime.way_back.post(host.answered, answer)


def _deliver(
    host: Host,
    session: AnySession,
    event: Any,
    answer: "Future[Any] | After | Soon | Home | Later | Again",
) -> None:
    """Have an answer brought when it is there; in any thread."""
    match answer:
        case After(future, then):
            future.add_done_callback(partial(_go_on, host, session, event, then))
        case Soon(future, then):
            future.add_done_callback(partial(_resolve, host, session, event, then))
        case Home(future, then):
            at_home = partial(_resolve, host, session, event, then, is_home=True)
            future.add_done_callback(partial(host.runtime.way_back.post, at_home))
        case Later(reply, seconds):
            host.runtime.way_back.post(host.answer_later, reply, seconds)
        case Again(work, seconds):
            runtime = host.runtime
            job = partial(handle, host, session, event, work)
            runtime.way_back.post(runtime.reactor.callLater, seconds, submit, host, job)
        case Future():
            answer.add_done_callback(partial(_resolve, host, session, event, Future.result))


def _go_on(
    host: Host,
    session: AnySession,
    event: Any,
    then: Callable[[Any], Any],
    done: "Future[Any]",
) -> None:
    submit(host, partial(handle, host, session, event, lambda: then(done.result())))


def _resolve(
    host: Host,
    session: AnySession,
    event: Any,
    then: "Callable[[Future[Any]], Any]",
    done: "Future[Any]",
    *,
    is_home: bool = False,
) -> None:
    """Make the answer of what a Future brought; `is_home`: on the reactor thread."""
    try:
        answer = then(done)
    except Exception:  # noqa: BLE001 (`failure` logs it)
        answer = failure(host, session, event)
    if isinstance(answer, _DEFERRED):
        _deliver(host, session, event, answer)
    elif is_home:
        host.answered(answer)
    else:
        host.runtime.way_back.post(host.answered, answer)


def send_to_pull(host: Host, slices: Slices) -> None:
    """Have the next slices of an answer read."""
    submit(host, partial(pull, host, slices))


def pull(host: Host, slices: Slices) -> None:
    """Read the next slices of an answer, as long as they are taken."""
    goes_on = True
    while goes_on:
        part = slices.pull()
        goes_on = slices.pulled(part)
        host.runtime.way_back.post(host.sliced, slices, part)


def wake(host: Host, works: list[Wake]) -> None:
    """Run the session's own work."""
    responses: list[Any] = []
    for work in works:
        try:
            responses.extend(work() or ())
        except DATABASE_AWAY as error:
            # What it would have told is told by nobody else: the notice of it has come and gone.
            log.warning("wake_put_off", peer=host.peer.address, error=_reason(error))
            later = host.runtime.reactor.callLater
            host.runtime.way_back.post(later, WAKE_PAUSE, host.wake, work)
        except Exception:
            log.exception("wake_failed", peer=host.peer.address)
    host.runtime.way_back.post(host.woken, responses)


def failure(host: Host, session: AnySession, event: Any) -> Any:
    """Log the exception being handled and give the reply that tells of it; in any thread."""
    command, error = type(event).__name__, sys.exc_info()[1]
    if isinstance(error, DATABASE_AWAY):
        # Every command fails of it: a line each tells as much as a traceback each.
        reason = _reason(error)
        log.error("database_away", command=command, peer=host.peer.address, error=reason)
    else:
        log.exception("event_failed", command=command, peer=host.peer.address)
    try:
        return session.failed(event)
    except Exception:
        log.exception("failed_failed", command=command)
        host.runtime.way_back.post(host.abort)
        return None


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def close(session: AnySession, slices: Slices | None) -> None:
    """Let the session, and an answer that nobody reads any more, free what they hold."""
    try:
        if slices is not None:
            slices.close()
    finally:
        session.closed()
