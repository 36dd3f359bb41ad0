"""deploy/postgres/roles.sql on a real PostgreSQL: each process kind may do its job and no more."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from accounts import directory, limits, tasks
from accounts.models import AccessToken, ClientRule, Mailbox, SenderRight, User
from tests.accounts.people import settle, to
from tests.partners.platform import PLATFORM

ROLES = Path(__file__).resolve().parents[2] / "deploy" / "postgres" / "roles.sql"
KINDS = ("mx", "access", "worker", "web")

pytestmark = pytest.mark.skipif(PLATFORM != "scaled", reason="roles exist on PostgreSQL only")


@pytest.fixture
def roles(db: None) -> Iterator[None]:
    """The roles, inside the test's own transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_script())
        yield
        cursor.execute("RESET ROLE")


def _script() -> str:
    script = re.sub(r"(?m)^(BEGIN|COMMIT);$", "", ROLES.read_text())
    return re.sub(r"(?m)^\s*--.*$", "", script)


def may(kind: str, statement: str) -> bool:
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute(f"SET LOCAL ROLE mailhost_{kind}")
                cursor.execute(statement)
        except ProgrammingError as error:
            if "permission denied" not in str(error):
                raise
            return False
        finally:
            cursor.execute("RESET ROLE")
    return True


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_may_store_and_queue_mail(kind: str) -> None:
    for table in ("accounts_entry", "accounts_message", "accounts_blob", "delivery_queuedmessage"):
        assert may(kind, f"DELETE FROM {table}"), (kind, table)
    assert may(kind, "UPDATE accounts_mailbox SET used_bytes = 0")


@pytest.mark.usefixtures("roles")
def test_running_it_again_gives_what_is_missing_and_takes_what_is_too_much() -> None:
    with connection.cursor() as cursor:
        cursor.execute("GRANT SELECT ON accounts_user TO mailhost_mx")
        cursor.execute("REVOKE SELECT ON accounts_domain FROM mailhost_mx")
        cursor.execute(_script())
    assert not may("mx", "SELECT password FROM accounts_user")
    assert may("mx", "SELECT is_superuser FROM accounts_user")
    assert may("mx", "SELECT name FROM accounts_domain")


# Groups and permissions of the admin's users: the web's alone.
_OF_THE_WEB = {"accounts_user_groups", "accounts_user_user_permissions"}


def test_every_table_was_thought_of() -> None:
    script = ROLES.read_text()
    tables = {
        model._meta.db_table
        for name in ("accounts", "delivery")
        for model in apps.get_app_config(name).get_models(include_auto_created=True)
    }
    words = set(re.findall(r"\w+", script))
    assert sorted(tables - words - _OF_THE_WEB) == []


@pytest.mark.usefixtures("roles")
def test_access_reads_what_a_session_asks() -> None:
    tables = ("accesstoken", "annotation", "clientrule", "folderright", "senderright")
    for table in tables:
        assert may("access", f"SELECT count(*) FROM accounts_{table}"), table


@pytest.mark.usefixtures("roles")
def test_access_tells_the_directory_of_quotas() -> None:
    for kind in ("access", "web"):
        assert may(kind, "UPDATE accounts_directoryversion SET token = 1"), kind
    assert not may("mx", "UPDATE accounts_directoryversion SET token = 1")


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize(
    ("table", "columns", "readers"),
    [
        ("accounts_credential", ("hash", "scram"), {"access", "web"}),
        ("accounts_accesstoken", ("digest",), {"access", "web"}),
        ("accounts_user", ("password",), {"web"}),
        ("accounts_dkimkey", ("private_key_sealed",), {"worker", "web"}),
        ("django_session", ("session_key", "session_data"), {"web"}),
    ],
)
def test_secrets_are_for_those_who_need_them(
    table: str, columns: tuple[str, ...], readers: set[str]
) -> None:
    for column in columns:
        assert {kind for kind in KINDS if may(kind, f"SELECT {column} FROM {table}")} == readers


@pytest.mark.usefixtures("roles")
def test_only_the_web_may_make_mailboxes() -> None:
    statement = "INSERT INTO accounts_mailbox SELECT * FROM accounts_mailbox WHERE false"
    assert {kind for kind in KINDS if may(kind, statement)} == {"web"}


@pytest.mark.usefixtures("roles")
def test_every_kind_finds_the_postmaster_of_the_platform() -> None:
    bob = settle().bob
    User.objects.filter(mailbox=bob).update(is_superuser=True)
    for kind in KINDS:
        directory.forget()
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE mailhost_{kind}")
            route = directory.resolve(to("postmaster"))
            cursor.execute("RESET ROLE")
        assert [box.id for box in route.mailboxes] == [bob.pk], kind


@pytest.mark.usefixtures("roles")
def test_the_worker_removes_mailboxes_for_good() -> None:
    people = settle()
    for one, other in ((people.alice, people.bob), (people.bob, people.alice)):
        SenderRight.objects.create(mailbox=one, grantee=other)
    directory.create_alias("al@a.test", ["alice@a.test", "bob@a.test"])
    AccessToken.objects.create(mailbox=people.alice, digest="0" * 64, scopes="imap")
    ClientRule.objects.create(name="old phone", capabilities="IDLE", mailbox=people.alice)
    directory.remove_mailbox(people.alice)
    long_ago = timezone.now() - 2 * limits.RESTORABLE_FOR
    Mailbox.objects.filter(pk=people.alice.pk).update(removed_at=long_ago)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE mailhost_worker")
        tasks.purge_mailboxes()
        cursor.execute("RESET ROLE")
    assert set(Mailbox.objects.all()) == {people.bob, people.charlie}
    assert not User.objects.filter(username="alice@a.test").exists()


@pytest.mark.usefixtures("roles")
def test_the_worker_ends_sessions_of_the_web_without_reading_their_keys() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE mailhost_worker")
        tasks.forget_expired_sessions()
        cursor.execute("RESET ROLE")
    assert not may("worker", "SELECT session_key FROM django_session")
