"""QRESYNC truth: after 10,000 random changes a client that was away holds the server's state."""

import random
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.mailstore import history
from tests.accounts.mail import make_mailbox
from tests.servers.imap.away import Changes, Returning

pytestmark = pytest.mark.django_db(transaction=True)

CHANGES = 10_000


def test_a_client_that_was_away(figures: list[str]) -> None:
    chance = random.Random(7162)
    mailbox_id = make_mailbox()
    changes = Changes(mailbox_id, chance)
    often, once = Returning(mailbox_id), Returning(mailbox_id)
    often.come_back(names_uids=False)
    once.come_back(names_uids=False)
    returns = 0
    for _ in range(CHANGES):
        changes.make()
        if chance.random() < 0.001:
            history.prune(timezone.now() + timedelta(minutes=1))
        if chance.random() < 0.01:
            often.come_back(names_uids=chance.random() < 0.5)
            assert often.folder == changes.truth()
            returns += 1
    started = time.perf_counter()
    once.come_back(names_uids=False)
    took = time.perf_counter() - started
    assert once.folder == changes.truth()
    figures.append(
        f"QRESYNC: {CHANGES} changes, {returns} returns on the way, none differed;"
        f" the return after all of them took {took * 1000:.0f} ms"
    )
