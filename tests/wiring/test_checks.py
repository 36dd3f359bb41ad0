"""System checks: each wrong setting has its id; the right ones have none."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
import trustme
from django.conf import settings
from django.core.checks import run_checks
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.recorder import MigrationRecorder

from accounts import checks as database_checks
from accounts import directory
from accounts.models import Tenant


def ids(monkeypatch: pytest.MonkeyPatch, *, deploy: bool = False, **changes: Any) -> set[str]:
    """The ids of Mailhost's own checks that speak up with these settings."""
    monkeypatch.setattr(settings, "MAILHOST", settings.MAILHOST.model_copy(update=changes))
    found = run_checks(include_deployment_checks=deploy)
    return {str(each.id) for each in found if str(each.id).startswith(("mailhost.", "accounts."))}


def test_the_default_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(monkeypatch) == set()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"blobs_url": "s3://bucket/mail"}, "mailhost.E003"),
        ({"blobs_url": __file__}, "mailhost.E017"),
        ({"blobs_url": f"file://{__file__}/blobs"}, "mailhost.E017"),
        ({"imap_port": 2525}, "mailhost.E004"),
        ({"hostname": "not a name"}, "mailhost.E005"),
        ({"hostname": "bücher.example"}, "mailhost.E005"),
        ({"hostname": " mail.example.org"}, "mailhost.E005"),
        ({"postmaster": "nobody"}, "mailhost.E006"),
        ({"tls_cert": Path("/nonexistent")}, "mailhost.E007"),
        (
            {"tls_cert": Path("/nonexistent"), "tls_key": Path("/nonexistent")},
            "mailhost.E008",
        ),
        ({"retry_schedule": [timedelta(0)]}, "mailhost.E010"),
        ({"retry_schedule": [timedelta(hours=1)]}, "mailhost.W011"),
        ({"dns_servers": ["resolver.example"]}, "mailhost.E012"),
        ({"dns_servers": ["127.0.0.1:99999"]}, "mailhost.E012"),
        ({"relayhost": "smtp://x"}, "mailhost.E013"),
        ({"relayhost": "relay.example:smtp"}, "mailhost.E013"),
        ({"relayhost": "[relay.example"}, "mailhost.E013"),
        ({"relayhost": "relay.example]:25"}, "mailhost.E013"),
        ({"outbound_bind": "eth0"}, "mailhost.E014"),
        ({"server_processes": 3, "database_url": ""}, "mailhost.E016"),
    ],
)
def test_what_cannot_work_has_an_id(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], wanted: str
) -> None:
    assert ids(monkeypatch, **changes) == {wanted}


@pytest.mark.parametrize(
    "changes",
    [
        {"blobs_url": f"file://{gettempdir()}/mailhost/mail"},
        {"blobs_url": f"{gettempdir()}/mailhost/mail"},
        {"hostname": "Mail.Example.org"},
        {"server_processes": 3, "database_url": "postgres://u@h/db"},
        {"dns_servers": ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353"]},
        {"relayhost": "relay.example"},
        {"relayhost": "relay.example:587"},
        {"relayhost": "[192.0.2.1]:25"},
        {"relayhost": "[relay.example]"},
        {"retry_schedule": [timedelta(days=2), timedelta(days=2)]},
        {"postmaster": "ops@example.test"},
    ],
)
def test_what_can_work_has_none(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    assert ids(monkeypatch, **changes) == set()


def test_a_weak_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("short", "a" * 50):
        monkeypatch.setattr(settings, "SECRET_KEY", key)
        assert ids(monkeypatch) == {"mailhost.E001"}


def test_a_home_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    # /proc is read-only even for root.
    monkeypatch.setattr(settings, "HOME", Path("/proc/mailhost"))
    monkeypatch.setattr("mailhost.checks.os.access", lambda path, mode: False)
    assert ids(monkeypatch) == {"mailhost.E002"}


def test_more_than_two_writers_of_the_embedded_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "HOME", tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    waits = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", waits, "manage.py"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        # The last has the number of a process that died, and is none of ours.
        alive, dead, other = server.pid, 2**22 + 1, os.getpid()
        for name in (f"server-{alive}.ready", f"worker-{alive}.alive", f"worker-{dead}.alive"):
            (run / name).touch()
        (run / f"server-{other}.ready").touch()
        embedded = {"database_url": ""}
        assert ids(monkeypatch, **embedded) == set()
        (run / f"server-second-{alive}.ready").touch()
        assert ids(monkeypatch, **embedded) == {"mailhost.E015"}
        assert ids(monkeypatch, database_url="postgres://u@h/db") == set()
        server.kill()


def test_a_key_that_belongs_to_another_certificate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    pairs = [authority.issue_cert("mx.example.test") for _ in range(2)]
    for number, pair in enumerate(pairs):
        pair.cert_chain_pems[0].write_to_path(str(tmp_path / f"cert{number}"))
        pair.private_key_pem.write_to_path(str(tmp_path / f"key{number}"))
    cert, key, other = tmp_path / "cert0", tmp_path / "key0", tmp_path / "key1"
    assert ids(monkeypatch, tls_cert=cert, tls_key=key) == set()
    assert ids(monkeypatch, tls_cert=cert, tls_key=other) == {"mailhost.E009"}
    key.write_text("nonsense")
    assert ids(monkeypatch, tls_cert=cert, tls_key=key) == {"mailhost.E009"}


def test_what_strangers_should_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ids(monkeypatch, deploy=True, debug=True)
    assert found == {"mailhost.W020", "mailhost.W021", "mailhost.E022"}


@pytest.mark.django_db
def test_a_database_that_forgets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [each.id for each in database_checks._postgresql("off")] == ["accounts.E001"]
    assert list(database_checks._postgresql("on")) == []
    assert [each.id for each in database_checks._sqlite(1)] == ["accounts.E002"]
    assert list(database_checks._sqlite(2)) == []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL synchronous_commit = off")
            found = [each.id for each in database_checks.durability(["default"])]
            assert found == ["accounts.E001"]
        else:
            # The tests themselves run with synchronous off.
            found = [each.id for each in database_checks.durability(["default"])]
            assert found == ["accounts.E002"]
    assert list(database_checks.durability(None)) == []


@pytest.mark.django_db
def test_a_pool_that_shares_connections_by_transaction_is_refused() -> None:
    for shared in ([(1, 1)] * 3, [(1, 2), (2, 1), (1, 2)], [(1, 3), (2, 3), (1, 3)]):
        assert [each.id for each in database_checks._pooling(shared)] == ["accounts.E004"]
    assert list(database_checks._pooling([(1, 2)] * 3)) == []
    assert list(database_checks.pooling(["default"])) == []
    if connection.vendor == "postgresql":
        ((ours, other),) = set(database_checks._backends(connection))
        assert ours != other


@pytest.mark.django_db
def test_a_database_that_a_newer_version_has_written_is_refused() -> None:
    assert list(database_checks.version(["default"])) == []
    MigrationRecorder(connection).record_applied("accounts", "0001_that_has_gone_since")
    assert list(database_checks.version(["default"])) == []
    MigrationRecorder(connection).record_applied("accounts", "9999_of_tomorrow")
    [found] = [each for each in run_checks(databases=["default"]) if each.id == "accounts.E003"]
    assert "9999_of_tomorrow" in found.msg
    assert found.hint


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("connection refused\n\tIs the server running?")

    monkeypatch.setattr(database_checks, "MigrationLoader", refuse)
    [found] = [each for each in run_checks(databases=["default"]) if each.id == "accounts.E005"]
    assert found.msg == "The database cannot be used: connection refused."
    assert found.hint


@pytest.mark.parametrize("command", ["migrate --no-input", "check --database default"])
def test_a_command_whose_database_is_away_ends_without_a_traceback(
    tmp_path: Path, command: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if "MAILHOST" not in name}
    environment["MAILHOST_HOME"] = str(tmp_path)
    environment["MAILHOST_DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/x"
    found = subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 1
    assert "(accounts.E005) The database cannot be used: " in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.django_db
def test_a_role_that_may_not_see_the_migrations_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise ProgrammingError("permission denied for table django_migrations")

    monkeypatch.setattr(database_checks, "MigrationLoader", refuse)
    assert list(database_checks.version(["default"])) == []


@pytest.mark.django_db
def test_a_postmaster_who_has_no_mailbox_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings.MAILHOST.model_copy(update={"postmaster": "Ops@A.test"})
    monkeypatch.setattr(settings, "MAILHOST", config)
    [found] = list(database_checks.postmaster(["default"]))
    assert found.id == "accounts.W006"
    assert "“Ops@A.test”, which is no mailbox" in found.msg
    assert list(database_checks.postmaster(None)) == []
    directory.create_domain(Tenant.objects.create(name="A", slug="a"), "a.test")
    directory.create_mailbox("ops@a.test", "secret")
    assert list(database_checks.postmaster(["default"])) == []


def test_every_check_has_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings.MAILHOST.model_copy(
        update={"blobs_url": "s3://x", "imap_port": 2525, "relayhost": "a b", "dns_servers": ["x"]}
    )
    monkeypatch.setattr(settings, "MAILHOST", config)
    found = [each for each in run_checks() if str(each.id).startswith("mailhost.")]
    assert len(found) == 4
    assert all(each.hint for each in found)
