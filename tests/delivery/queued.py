"""Queued messages for tests, put in as a submission puts them in."""

from collections.abc import Sequence
from datetime import datetime

from accounts import commit
from accounts.commit import Rows, Unit
from delivery import queue
from delivery.models import Attempt, QueuedRecipient

HELLO = b"From: alice@a.test\r\nSubject: hello\r\n\r\nHello, Bob.\r\n"


def enqueue(
    *recipients: str,
    octets: bytes = HELLO,
    prefix: bytes = b"",
    return_path: str = "alice@a.test",
    originals: Sequence[str] = (),
    now: datetime | None = None,
    is_smtputf8: bool = False,
) -> str:
    """Queue one message; returns its queue id."""
    queue_id = queue.new_queue_id()
    addresses = recipients or ("bob@b.test",)

    def write(rows: Rows, blob_id: int | None) -> None:
        assert blob_id is not None
        queue.add_rows(
            rows,
            blob_id,
            queue_id=queue_id,
            prefix=prefix,
            size=len(prefix) + len(octets),
            return_path=return_path,
            recipients=list(zip(addresses, originals or [""] * len(addresses), strict=True)),
            tenant_id=None,
            sender_id=None,
            is_smtputf8=is_smtputf8,
            now=now,
        )

    commit.run(Unit(frozenset(), write, octets))
    return queue_id


def row(address: str = "bob@b.test") -> QueuedRecipient:
    return QueuedRecipient.objects.get(address=address)


def results(address: str = "bob@b.test") -> list[str]:
    """How its tries ended, in order."""
    found = Attempt.objects.filter(recipient__address=address).order_by("attempt_no")
    return list(found.values_list("result", flat=True))
