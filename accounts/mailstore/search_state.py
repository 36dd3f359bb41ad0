"""How far the search index of each mailbox reaches, for operators."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, Sum
from django.db.models.functions import Length

from accounts.mailstore import search_tailer
from accounts.mailstore.search_index import VERSION
from accounts.mailstore.search_kept import VERSION as TEXT_VERSION
from accounts.models import Mailbox, Message, SearchBits, SearchBlock, SearchText


@dataclass(frozen=True, slots=True)
class State:
    """One mailbox: its messages, those whose texts are kept, those in blocks; octets of blocks.

    What is in no block is searched by its text; `is_behind`: something changed since the tailer
    looked.
    """

    address: str
    messages: int
    texts: int
    indexed: int
    blocks: int
    octets: int
    is_behind: bool


def states(mailbox_ids: Sequence[int] = ()) -> Iterator[State]:
    """The state of these mailboxes, or of all, by address."""
    mailboxes = Mailbox.objects.select_related("domain").order_by("domain__name", "local_part")
    behind = search_tailer.behind()
    if mailbox_ids:
        mailboxes, behind = (rows.filter(pk__in=mailbox_ids) for rows in (mailboxes, behind))
    late = set(behind.values_list("pk", flat=True))
    for mailbox in mailboxes.iterator(500):
        yield _state(mailbox, is_behind=mailbox.pk in late)


def _state(mailbox: Mailbox, *, is_behind: bool) -> State:
    blocks = SearchBlock.objects.filter(mailbox=mailbox, version=VERSION)
    sums = blocks.aggregate(count=Count("pk"), indexed=Sum("had", default=0))
    bits = SearchBits.objects.filter(block__in=blocks)
    return State(
        address=mailbox.address,
        messages=Message.objects.filter(mailbox=mailbox).count(),
        texts=SearchText.objects.filter(message__mailbox=mailbox, version=TEXT_VERSION).count(),
        indexed=sums["indexed"],
        blocks=sums["count"],
        octets=bits.aggregate(octets=Sum(Length("rows"), default=0))["octets"],
        is_behind=is_behind,
    )
