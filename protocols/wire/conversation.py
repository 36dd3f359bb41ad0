"""The one shape of every protocol conversation, for both roles, with the network taken away.

Rules of the file: no I/O, no clock, no threads. A shell feeds octets in, takes events out, hands
each event's answer back and writes what `data_to_send` or `pieces_to_send` gives.
"""

from typing import Protocol, TypeAlias, TypeVar

EventT = TypeVar("EventT", covariant=True)
ReplyT = TypeVar("ReplyT", contravariant=True)
PushT = TypeVar("PushT", contravariant=True)

Pieces: TypeAlias = list[bytes | memoryview]

# Above this many unread octets a conversation asks its shell to stop reading.
READ_AHEAD = 64 * 1024
# Above this many octets to send it asks its shell to write before it goes on.
SAY_AHEAD = 256 * 1024


class ConversationError(Exception):
    """The shell broke the order of calls (a bug of ours, never something a peer can cause)."""


class Conversation(Protocol[EventT, ReplyT, PushT]):
    """Octets to events and replies to octets.

    `next_event` gives nothing until the event it gave last has been answered with `send`, so
    pipelined commands keep their order.
    """

    @property
    def wants_data(self) -> bool:
        """False while enough is buffered: the shell pauses reading."""
        ...

    @property
    def is_over(self) -> bool:
        """True once nothing more will be said: flush `data_to_send`, then close."""
        ...

    @property
    def wants_tls(self) -> bool:
        """True once the OK to STARTTLS is flushed: the shell starts TLS and calls `tls_started`."""
        ...

    @property
    def wants_flush(self) -> bool:
        """True while much waits to be sent: the shell writes before it takes another event."""
        ...

    def receive_data(self, data: bytes) -> None:
        """Take octets as they come; b"" means the peer hung up."""
        ...

    def next_event(self) -> EventT | None:
        """What the peer said next, or None when more octets (or an answer) are needed."""
        ...

    def send(self, reply: ReplyT) -> None:
        """Answer the event last returned."""
        ...

    def push(self, response: PushT) -> None:
        """Say something unasked: EXISTS in IDLE, BYE, 421."""
        ...

    def data_to_send(self, limit: int = 1 << 20) -> bytes:
        """At most about `limit` octets to write next; b"" when there are none."""
        ...

    def pieces_to_send(self, limit: int = 1 << 20) -> Pieces:
        """As `data_to_send`, in pieces as they are there; [] when there are none."""
        ...

    def tls_started(self) -> None:
        """Forget everything learnt or buffered in clear text (RFC 3207 §4.2)."""
        ...
