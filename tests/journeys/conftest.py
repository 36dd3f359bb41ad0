"""Instances of the platform for the journeys, on the platform the run has chosen."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.journeys.house import House, open_house
from tests.partners import migrated
from tests.partners.instance import Instance
from tests.partners.presence import Loopback

_numbers = itertools.count(1)

MakeInstance = Callable[..., Instance]
MakeServers = Callable[..., Instance]


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def address(loopback: Loopback) -> Callable[[], str]:
    return loopback.address


@pytest.fixture(scope="module")
def make_instance(
    tmp_path_factory: pytest.TempPathFactory, loopback: Loopback
) -> Iterator[MakeInstance]:
    """`make_instance(name, **settings)` starts one; all are stopped when the module ends."""
    running: list[Instance] = []
    directory = tmp_path_factory.mktemp("hosts")

    def make(name: str, address: str = "", **settings: str) -> Instance:
        instance = _instance(directory / name, address or loopback.address(), settings)
        running.append(instance.start())
        return instance

    yield make
    for instance in running:
        instance.stop()


@pytest.fixture
def make_servers(tmp_path: Path, loopback: Loopback) -> Iterator[MakeServers]:
    """`make_servers(*services)` starts two processes of `serve` on one home; stopped at the end."""
    running: list[Instance] = []

    def make(*services: str) -> Instance:
        settings = {"ALLOW_PLAINTEXT_LOOPBACK": "1"}
        instance = _instance(tmp_path / "pair", loopback.address(), settings)
        running.append(instance.start_servers(*services))
        return instance

    yield make
    for instance in running:
        instance.stop()


def _instance(home: Path, address: str, settings: Mapping[str, str]) -> Instance:
    database = f"{home.name}-{os.getpid()}-{next(_numbers)}"
    own = {f"MAILHOST_{name}": value for name, value in settings.items()}
    return migrated.instance(home, address, database, own)
