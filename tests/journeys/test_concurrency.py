"""A few seconds of `tests/proof/test_concurrency.py`: many clients, two processes, one truth."""

import secrets

from tests.journeys.conftest import MakeServers
from tests.proof.stress import Stress


def test_a_dozen_clients_of_one_mailbox(make_servers: MakeServers) -> None:
    host = make_servers("imap")
    host.add_mailbox("u@here.test")
    Stress(host, "u@here.test", secrets.token_hex(4), clients=12).run(rounds=2, seconds=2.5)
