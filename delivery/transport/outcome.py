"""What a peer did to one recipient, and what we were given to carry to it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from protocols.wire.smtp.reply import Reply


class Kind(Enum):
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    # The final dot went out and no answer came: it may have arrived. To be tried again.
    AMBIGUOUS = "ambiguous"
    # The worker stopped before anything was said: as if it had never been claimed.
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one try at one recipient.

    `status` is an RFC 3463 code. `reply` is one line for people: the peer's words where
    `is_from_peer`, else ours. `host` is `name[address]:port`, "" where no connection was made.
    """

    kind: Kind
    status: str
    reply: str
    host: str = ""
    tls: str = ""
    is_from_peer: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for recipients that share a destination.

    `recipients` pairs a key of the caller's with an address. `octets` gives the whole message; of
    one that `size` calls large it may block, so that is called outside the loop's thread.
    `give_up_at` tells, on the monotonic clock, when the claim ends: nothing is under way after it.
    """

    queue_id: str
    return_path: str
    recipients: tuple[tuple[int, str], ...]
    size: int
    is_smtputf8: bool
    octets: Callable[[], bytes]
    give_up_at: Callable[[], float]


def from_reply(reply: Reply, *, host: str = "", tls: str = "") -> Outcome:
    """What a final reply to a recipient means."""
    if reply.is_completion:
        kind, fallback = Kind.DELIVERED, "2.0.0"
    elif reply.is_temporary:
        kind, fallback = Kind.DEFERRED, "4.0.0"
    else:
        kind, fallback = Kind.FAILED, "5.0.0"
    return Outcome(kind, reply.enhanced or fallback, str(reply), host, tls, is_from_peer=True)


def failed(status: str, text: str, *, host: str = "", tls: str = "") -> Outcome:
    """Our own verdict; whether it is temporary follows from the first digit of `status`."""
    kind = Kind.FAILED if status.startswith("5") else Kind.DEFERRED
    return Outcome(kind, status, text, host, tls)
