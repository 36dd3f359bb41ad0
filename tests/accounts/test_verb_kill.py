"""kill -9 in the middle of each verb of the mail store leaves every folder consistent."""

import random

import pytest

from tests.accounts.kills import VERBS, Stage

pytestmark = pytest.mark.django_db(transaction=True)

# `make proof` does it for longer.
ROUNDS = 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_in_the_middle(verb: str) -> None:
    chance = random.Random(verb)
    stage = Stage()
    for _ in range(ROUNDS):
        stage.run_and_kill(verb, chance)
        stage.check(verb)
