"""Who comes back by QRESYNC holds exactly what the server has (RFC 7162 §3.2)."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.mailstore import history, vanished
from tests.accounts.mail import make_mailbox
from tests.servers.imap.away import Changes, Returning

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_client_that_was_away(seed: int) -> None:
    chance = random.Random(seed)
    mailbox_id = make_mailbox()
    changes = Changes(mailbox_id, chance)
    clients = [Returning(mailbox_id) for _ in range(2)]
    for client in clients:
        client.come_back(names_uids=False)
    for count in (1, 3, 20, 120):
        for _ in range(count):
            changes.make()
        clients[0].come_back(names_uids=chance.random() < 0.5)
        assert clients[0].folder == changes.truth()
    clients[1].come_back(names_uids=False)
    assert clients[1].folder == changes.truth()


def test_a_history_too_long_to_read_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vanished, "MAX_STEPS", 3)
    chance = random.Random(3)
    mailbox_id = make_mailbox()
    changes = Changes(mailbox_id, chance)
    client = Returning(mailbox_id)
    for _ in range(30):
        changes.make()
    client.come_back(names_uids=False)
    for _ in range(60):
        changes.make()
    client.come_back(names_uids=True)
    assert client.folder == changes.truth()


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_a_client_that_was_away_for_longer_than_is_known(seed: int) -> None:
    chance = random.Random(seed)
    mailbox_id = make_mailbox()
    changes = Changes(mailbox_id, chance)
    clients = [Returning(mailbox_id) for _ in range(3)]
    for _ in range(10):
        changes.make()
    for client in clients:
        client.come_back(names_uids=False)
    for _ in range(50):
        changes.make()
        if chance.random() < 0.15:
            history.prune(timezone.now() + timedelta(minutes=1))
        if chance.random() < 0.15:
            clients[0].come_back(names_uids=chance.random() < 0.5)
            assert clients[0].folder == changes.truth()
    for client, names_uids in zip(clients, (True, True, False), strict=True):
        client.come_back(names_uids=names_uids)
        assert client.folder == changes.truth()
