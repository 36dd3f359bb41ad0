"""QRESYNC truth: after 10,000 random changes a client that was away holds the server's state.

The change log is pruned on the way, now all of it and now what is older than some of the changes
since, so that clients come back from before it, from within it and from behind it.
"""

import random
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.mailstore import history
from accounts.models import Folder
from tests.accounts.mail import inbox, make_mailbox
from tests.servers.imap.away import Changes, Returning

pytestmark = pytest.mark.django_db(transaction=True)

CHANGES = 10_000
# Of so many changes one is followed by a pruning, and one by a return.
PRUNED_AFTER, BACK_AFTER = 200, 100


def test_a_client_that_was_away(figures: list[str]) -> None:
    chance = random.Random(7162)
    mailbox_id = make_mailbox()
    changes = Changes(mailbox_id, chance)
    often, once = Returning(mailbox_id), Returning(mailbox_id)
    often.come_back(names_uids=False)
    once.come_back(names_uids=False)
    returns = from_before = prunings = pruned = 0
    moments = [timezone.now()]
    for _ in range(CHANGES):
        changes.make()
        moments.append(timezone.now())
        if chance.random() < 1 / PRUNED_AFTER:
            is_partial = chance.random() < 0.5
            some_ago = moments[-chance.randint(1, min(len(moments), PRUNED_AFTER))]
            number = history.prune(some_ago if is_partial else moments[-1] + timedelta(minutes=1))
            prunings += number > 0
            pruned += number
        if chance.random() < 1 / BACK_AFTER:
            from_before += often.modseq < _known_from(mailbox_id)
            often.come_back(names_uids=chance.random() < 0.5)
            assert often.folder == changes.truth()
            returns += 1
    assert once.modseq < _known_from(mailbox_id)
    started = time.perf_counter()
    once.come_back(names_uids=False)
    took = time.perf_counter() - started
    assert once.folder == changes.truth()
    assert prunings > 0
    assert 0 < from_before < returns
    figures.append(
        f"QRESYNC: {CHANGES} changes, {returns} returns on the way, none differed, {from_before} of"
        f" them from before what is known; {pruned} rows went in {prunings} prunings of the log;"
        f" the return after all of them took {took * 1000:.0f} ms"
    )


def _known_from(mailbox_id: int) -> int:
    """The MODSEQ up to which the log of INBOX was pruned."""
    return Folder.objects.get(pk=inbox(mailbox_id)).pruned_modseq
