"""Consistency under concurrency: no client of many, in two processes, is ever told a wrong thing.

`MAILHOST_PROOF_SECONDS` (600) sets how long, `MAILHOST_PROOF_SEED` repeats a run's choices.
"""

import os
import secrets

from tests.journeys.conftest import MakeServers
from tests.proof.stress import Stress

SECONDS = int(os.environ.get("MAILHOST_PROOF_SECONDS", "600"))
SEED = os.environ.get("MAILHOST_PROOF_SEED") or secrets.token_hex(4)
ROUND = 20


def test_many_clients_of_one_mailbox(make_servers: MakeServers, figures: list[str]) -> None:
    print(f"seed {SEED}", flush=True)
    host = make_servers("imap")
    host.add_mailbox("u@here.test")
    stress = Stress(host, "u@here.test", SEED, clients=20)
    told = stress.run(rounds=max(1, SECONDS // ROUND), seconds=ROUND)
    checked = host.manage("fsck", check=False)
    assert checked.returncode == 0, checked.stdout
    figures.append(f"concurrency: seed {SEED}, 20 clients, 2 processes: {told}, no deviation")
