"""Instances of the platform for the journeys, on the platform the run has chosen."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.partners.instance import Instance
from tests.partners.platform import scaled_settings
from tests.partners.presence import Loopback

_numbers = itertools.count(1)

MakeInstance = Callable[..., Instance]


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
        database = f"{name}-{os.getpid()}-{next(_numbers)}"
        instance = Instance(
            Path(directory) / name,
            address or loopback.address(),
            {**scaled_settings(database), **{f"MAILHOST_{k}": v for k, v in settings.items()}},
        )
        running.append(instance.start())
        return instance

    yield make
    for instance in running:
        instance.stop()
