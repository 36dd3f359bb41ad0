"""Put messages into the queue, as part of the group commit that stores their octets."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from accounts.clock import now as now_of_all
from accounts.commit import Rows
from delivery.a_labels import to_a_labels
from delivery.models import QueuedMessage, QueuedRecipient
from delivery.queue.waking import wake_worker

# Crockford's base 32: ASCII order is numeric order, and no letter looks like a digit.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 15
_lock = threading.Lock()
_last = 0


def new_queue_id(
    clock: Callable[[], int] = time.time_ns, chance: Callable[[int], int] = random.getrandbits
) -> str:
    """14 characters that sort by time: microseconds, never the same twice here, then chance.

    Chance keeps processes apart and need not surprise anybody; the kernel's costs a system call.
    """
    global _last
    with _lock:
        _last = max(_last + 1, clock() // 1000)
        number = _last << _RANDOM_BITS | chance(_RANDOM_BITS)
    digits = []
    for _ in range(14):
        digits.append(_DIGITS[number & 31])
        number >>= 5
    return "".join(reversed(digits))


def add_rows(
    rows: Rows,
    blob_id: int,
    *,
    queue_id: str,
    prefix: bytes,
    size: int,
    return_path: str,
    recipients: Sequence[tuple[str, str]],
    tenant_id: int | None,
    sender_id: int | None,
    is_8bit: bool = False,
    is_smtputf8: bool = False,
    now: datetime | None = None,
) -> None:
    """Queue one message, due at once. Called by a Unit's `write`; a worker is woken afterwards.

    `prefix` followed by the blob is what is sent; `size` is both, in octets. `recipients` are pairs
    of address and original address ("" where no alias led there).
    """
    queued_at = now or now_of_all()
    message = QueuedMessage(
        queue_id=queue_id,
        blob_id=blob_id,
        prefix=prefix,
        size=size,
        return_path=return_path,
        tenant_id=tenant_id,
        sender_id=sender_id,
        is_8bit=is_8bit,
        is_smtputf8=is_smtputf8,
        queued_at=queued_at,
    )
    rows.insert(message)
    for address, original in recipients:
        rows.insert(
            QueuedRecipient(
                message=message,
                address=address,
                original_address=original,
                destination=destination_of(address),
                next_attempt_at=queued_at,
            )
        )
    rows.after_commit(wake_worker)


def destination_of(address: str) -> str:
    """What the queue groups by: the domain as A-labels, or the address literal."""
    return to_a_labels(address.rpartition("@")[2])
