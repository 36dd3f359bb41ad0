"""kill -9 in the middle of each verb of the mail store, at random moments, many times."""

import os
import random

import pytest

from accounts.models import Mailbox
from tests.accounts.kills import VERBS, Stage

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = int(os.environ.get("MAILHOST_PROOF_VERB_KILLS", "20"))


def told_so_far() -> int:
    """One commit, one mod-sequence, of whatever it changed."""
    return sum(Mailbox.objects.values_list("highest_modseq", flat=True))


@pytest.mark.parametrize("verb", VERBS)
def test_kills_in_the_middle(verb: str, figures: list[str]) -> None:
    chance = random.Random()
    stage = Stage()
    before = told_so_far()
    for _ in range(KILLS):
        stage.run_and_kill(verb, chance)
        stage.check(verb)
    commits = told_so_far() - before
    assert commits > 0
    figures.append(f"{verb}: {KILLS} kills within {commits} commits, every folder consistent")
