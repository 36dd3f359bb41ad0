"""The outbound queue: the only writer of queue rows. The table is the truth; the rest wakes people.

A recipient is pending, held, or settled (delivered, failed, cancelled). A pending one is due once
`next_attempt_at` has come. Invariants, each with a test that names it:

1. Queue rows exist once the commit that promised them is durable, together with their octets.
2. A claim is one transaction: it sets `claimed_until`, takes the next `attempt_no` and opens an
   Attempt. No two claims hold one recipient at the same time.
3. While claimed, `next_attempt_at` is `claimed_until`: a claim that ran out falls due by itself.
4. Claiming what was claimed before and never settled closes the open Attempt as ambiguous and marks
   the recipient: it may arrive twice, it is never lost (RFC 5321 §6.1).
5. A settle changes a recipient only under the `attempt_no` it was claimed with; a stale one changes
   nothing, and causes no bounce.
6. At most one Attempt of a recipient is open, and none is once it is settled or held.
7. A held recipient is never claimed; an operator's verb never touches one that is being tried.
8. A settled recipient never changes again; its message is purged 7 days after the last was settled.
9. The notice of a delay is marked in the transaction that settles the try it follows: it goes out
   once.
"""

from accounts.clock import now
from delivery.queue.adding import add_rows, new_queue_id
from delivery.queue.claiming import CLAIM_SPAN, Claim, claim, renew
from delivery.queue.listing import (
    NoSuchMessage,
    RecipientView,
    count_states,
    list_recipients,
    show,
)
from delivery.queue.operating import Changed, Selection, cancel, hold, release, retry
from delivery.queue.purging import purge
from delivery.queue.settling import Settlement, settle, settle_rows

__all__ = [
    "CLAIM_SPAN",
    "Changed",
    "Claim",
    "NoSuchMessage",
    "RecipientView",
    "Selection",
    "Settlement",
    "add_rows",
    "cancel",
    "claim",
    "count_states",
    "hold",
    "list_recipients",
    "new_queue_id",
    "now",
    "purge",
    "release",
    "renew",
    "retry",
    "settle",
    "settle_rows",
    "show",
]
