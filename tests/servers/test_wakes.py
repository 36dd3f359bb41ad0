"""What a session wants to say unasked, and the database that is away just then."""

from collections.abc import Iterator

import pytest

from protocols.servers import errands
from tests.servers.shell_kit import Stage, until


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_it_is_said_once_the_database_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "WAKE_PAUSE", 0.05)
    client = stage.connect()
    assert client.hear() == b"hello"
    session = stage.sessions[0]
    session.is_away = True
    assert client.ask(b"wake") == b"asleep"
    until(lambda: len(session.threads) > 3)
    assert client.ask(b"quick") == b"ok quick"
    session.is_away = False
    assert client.hear() == b"woken"
    assert client.ask(b"quick") == b"ok quick"
