"""The first UIDVALIDITY of a new mailbox: no address has the same one again.

An address may get another mailbox: after a purge, or in a house that is set up anew. A program
that knew the one before would take new mail for what it has (RFC 9051 §2.3.1.1), and POP3,
whose unique-ids are made of it, would hide that mail for ever. So each mailbox begins at the clock,
and above whatever a mailbox that left its address has used.
"""

import time
from collections.abc import Callable

from django.db import transaction

from accounts.models import DirectoryVersion, Mailbox

# The first second of 2025: numbers have 32 bits, which last until 2161.
_EPOCH = 1_735_689_600


def first_of_new() -> int:
    """For a mailbox that is made in the same transaction."""
    return _raise_to(lambda last: max(last + 1, int(time.time()) - _EPOCH))


def leave(mailbox: Mailbox) -> None:
    """It gives its address free, in the same transaction: who comes next begins above it."""
    used = Mailbox.objects.values_list("next_uidvalidity", flat=True).get(pk=mailbox.pk) - 1
    _raise_to(lambda last: max(last, used))


@transaction.atomic
def _raise_to(higher: Callable[[int], int]) -> int:
    rows = DirectoryVersion.objects.select_for_update()
    row, _ = rows.get_or_create(pk=1, defaults={"token": 0})
    row.last_uidvalidity = higher(row.last_uidvalidity)
    row.save(update_fields=["last_uidvalidity"])
    return row.last_uidvalidity
