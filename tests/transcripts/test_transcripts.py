"""Every transcript, three ways: in memory, in memory cut to pieces, and over a real socket."""

from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests import clean_slate
from tests.partners.platform import PLATFORM
from tests.transcripts.dialogue import Dialogue, Differs
from tests.transcripts.direct import DirectVenue
from tests.transcripts.given import given as make_true
from tests.transcripts.grammar import Transcript, parse
from tests.transcripts.real import RealVenue

HERE = Path(__file__).parent
PATHS = sorted(HERE.glob("*/**/*.txt"))
# Where octets are cut is nothing to a database: cuts are drawn on one of them.
PHASES = [Phase.explicit] if PLATFORM == "scaled" else list(Phase)

pytestmark = pytest.mark.django_db(transaction=True)
every = pytest.mark.parametrize(
    "transcript",
    [pytest.param(parse(path), id=str(path.relative_to(HERE))[:-4]) for path in PATHS],
)


def _perform(transcript: Transcript, venue: DirectVenue | RealVenue) -> str:
    """What differs; "" when the dialogue is as written."""
    try:
        Dialogue(transcript, venue).play()
    except Differs as difference:
        return str(difference)
    return ""


def _play_direct(transcript: Transcript, cuts: list[int] | None) -> None:
    with make_true(transcript) as scene:
        venue = DirectVenue(scene, cycle(cuts) if cuts else None)
        try:
            difference = _perform(transcript, venue)
        finally:
            unread = venue.end()
    if not difference and any(unread):
        difference = f"{transcript.path.name}: the server also said {unread}"
    if difference:
        how = f"\n(octets arrived in pieces of {cuts})" if cuts else ""
        pytest.fail(f"{difference}{how}", pytrace=False)


@every
def test_direct(transcript: Transcript) -> None:
    _play_direct(transcript, None)


@every
@settings(max_examples=3, phases=PHASES, suppress_health_check=list(HealthCheck), derandomize=True)
@example(cuts=[1])
@given(cuts=st.lists(st.integers(1, 50), min_size=2, max_size=9).filter(lambda cuts: max(cuts) > 1))
def test_shredded(transcript: Transcript, cuts: list[int]) -> None:
    clean_slate.wipe()
    _play_direct(transcript, cuts)


@every
def test_real(transcript: Transcript) -> None:
    if transcript.is_direct_only:
        pytest.skip("its peer is not on loopback")
    with make_true(transcript) as scene:
        venue = RealVenue(scene)
        try:
            difference = _perform(transcript, venue)
        finally:
            venue.end()
    if difference:
        pytest.fail(difference, pytrace=False)
