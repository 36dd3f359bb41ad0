"""The demo: made once, its passwords kept where a start that dies finds them again."""

import json
from pathlib import Path

import pytest

from accounts import demo, directory, login
from accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_start_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "demo-credentials.json"
    assert demo.is_wanted()
    passwords = demo.create(path)
    assert json.loads(path.read_text()) == passwords
    assert list(passwords) == ["admin", "alice@example.test", "bob@example.test"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(set(passwords.values())) == 3
    for address in demo.MAILBOXES:
        found = login.check(address, passwords[address], service="t", peer="").result(20)
        assert isinstance(found, login.Identity)
    admin = User.objects.get(username="admin")
    assert admin.is_superuser
    assert admin.check_password(passwords["admin"])
    assert not demo.is_wanted()


def test_a_start_that_died_before_it_was_made_uses_the_same_passwords(tmp_path: Path) -> None:
    path = tmp_path / "demo-credentials.json"
    written = {"admin": "a", "alice@example.test": "b", "bob@example.test": "c"}
    path.write_text(json.dumps(written))
    assert demo.create(path) == written


def test_a_house_that_somebody_lives_in_gets_none() -> None:
    directory.create_tenant("Somebody")
    assert not demo.is_wanted()
