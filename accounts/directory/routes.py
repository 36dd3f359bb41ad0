"""What the directory answers: where one recipient's mail goes, as a value."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MailboxRef:
    """A mailbox as delivery needs it; `address` is its own, not the one that led there."""

    id: int
    address: str
    tenant_id: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for one recipient goes.

    `local` has mailboxes and perhaps forwards, `forward` only forwards, `refuse` carries the reply
    that refuses it, and `remote` means that the domain is not ours. `tenant_id` owns the domain.
    """

    kind: Literal["local", "forward", "refuse", "remote"]
    mailboxes: tuple[MailboxRef, ...] = ()
    forwards: tuple[str, ...] = ()
    tenant_id: int | None = None
    reply_code: int = 250
    enhanced: str = ""
    text: str = ""


REMOTE = Route("remote")


def refuse(code: int, enhanced: str, text: str, tenant_id: int | None = None) -> Route:
    return Route("refuse", tenant_id=tenant_id, reply_code=code, enhanced=enhanced, text=text)
