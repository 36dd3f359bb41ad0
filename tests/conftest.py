"""What every test stands on: a database that threads share, and a clean slate between tests.

`tests.partners.platform` has chosen the database before Django read its settings.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import argon2
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import settings as hypothesis_settings

from tests import clean_slate, deed_guard, lock_guard, stamp_guard

# Examples are a run's own: nothing is kept between runs, and a slow machine is no failure.
hypothesis_settings.register_profile("mailhost", database=None, deadline=None)
hypothesis_settings.load_profile("mailhost")


def pytest_configure(config: pytest.Config) -> None:
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        # In memory each thread would see a database of its own.
        home = Path(settings.MAILHOST.home)
        home.mkdir(parents=True, exist_ok=True)
        database["TEST"]["NAME"] = str(home / "test.sqlite3")
        lock_guard.install(home / "test.sqlite3")
        # No test pulls the plug; `tests/proof` does, on a database of its own.
        options = database["OPTIONS"]
        options["init_command"] = options["init_command"].replace("FULL", "OFF")
    _cheapen_passwords()
    _let_the_listener_go_on()
    stamp_guard.install()
    deed_guard.install()
    TransactionTestCase._fixture_teardown = lambda self: clean_slate.wipe()


# Files of these go to the workers first, or all would wait for one of them at the end.
_LONG = ("transcripts", "journeys", "wiring")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    room = item.path.relative_to(Path(__file__).parent).parts[0]
    return _LONG.index(room) if room in _LONG else len(_LONG)


_at_full_cost: list[argon2.PasswordHasher] = []


def _cheapen_passwords() -> None:
    """argon2id as ever, for a hundredth of its time: most tests make a mailbox and log in."""
    from accounts import hashers

    _at_full_cost.append(hashers._OURS)
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    hashers._OURS = cheap
    hashers.Argon2idHasher.time_cost = cheap.time_cost
    hashers.Argon2idHasher.memory_cost = cheap.memory_cost


def _let_the_listener_go_on() -> None:
    """The thread that hears of changes outlives its test, and polls where no test may do so.

    What it logged of that came into the logs of other tests, and to put a traceback together is
    to parse code: a test that parses some itself fails of it (Python 3.11 counts for all threads).
    """
    from accounts.mailstore import notices

    poll = notices.Listener._poll_if_due

    def poll_if_allowed(self: notices.Listener) -> None:
        try:
            poll(self)
        except RuntimeError as error:
            if not str(error).startswith("Database access not allowed"):
                raise

    notices.Listener._poll_if_due = poll_if_allowed


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Migrations bring rows of ours: tests begin with none."""
    with django_db_blocker.unblock():
        clean_slate.wipe()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Databases go with their server or their home: PostgreSQL would wait for our threads first."""
    return True


@pytest.fixture
def full_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost what they cost outside of tests."""
    monkeypatch.setattr("accounts.hashers._OURS", _at_full_cost[0])


@pytest.fixture(autouse=True)
def _fresh_memory() -> Iterator[None]:
    """What one test made the process remember is no news to the next."""
    clean_slate.forget()
    # What prepares a home closes it to others; daemons of other users read files of later tests.
    os.umask(0o022)
    # A page asked for in Spanish leaves the thread that served it speaking so.
    translation.deactivate()
    stamp_guard.broken.clear()
    deed_guard.broken.clear()
    yield
    clean_slate.forget()
    assert stamp_guard.broken == []
    assert deed_guard.broken == []
