"""A group commit's transaction: Django finds in it what it would find in one of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Domain, Tenant
from accounts.statements import execute
from accounts.transactions import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

TENANT = Tenant._meta.db_table


def names() -> set[str]:
    return set(Tenant.objects.values_list("name", flat=True))


def rename(name: str) -> None:
    execute(f"UPDATE {TENANT} SET name = %s", [name])


@pytest.fixture(autouse=True)
def tenant() -> Tenant:
    return Tenant.objects.create(name="old", slug="a")


def within(
    block: AbstractContextManager[None],
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Run a function inside a block."""

    def decorate(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            with block:
                work()

        return run

    return decorate


def is_between_transactions() -> bool:
    return connection.get_autocommit() and not connection.in_atomic_block


def test_what_runs_in_it_is_committed_and_then_told() -> None:
    told: list[bool] = []
    with Transaction():
        rename("new")
        transaction.on_commit(lambda: told.append(is_between_transactions()))
        assert not told
    assert told == [True]
    connection.close()
    assert names() == {"new"}


def test_what_fails_is_undone_and_not_told() -> None:
    told: list[bool] = []

    @within(Transaction())
    def fail() -> None:
        rename("new")
        transaction.on_commit(lambda: told.append(True))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (names(), told, is_between_transactions()) == ({"old"}, [], True)


def test_a_savepoint_in_it_is_undone_alone() -> None:
    told: list[str] = []

    @within(transaction.atomic())
    def fail() -> None:
        rename("undone")
        transaction.on_commit(lambda: told.append("undone"))
        raise ZeroDivisionError

    with Transaction():
        rename("new")
        with pytest.raises(ZeroDivisionError):
            fail()
        transaction.on_commit(lambda: told.append("new"))
    assert (names(), told) == ({"new"}, ["new"])


def test_what_may_only_be_undone_is_not_committed() -> None:
    with Transaction():
        rename("new")
        transaction.set_rollback(True)
    assert (names(), is_between_transactions()) == ({"old"}, True)


def test_a_commit_that_fails_undoes_all_and_leaves_the_connection_as_it_was(tenant: Tenant) -> None:
    told: list[bool] = []

    @within(Transaction())
    def point_nowhere() -> None:
        # Foreign keys are looked at in the COMMIT.
        Domain.objects.create(name="a.test", tenant_id=tenant.pk + 1)
        transaction.on_commit(lambda: told.append(True))

    with pytest.raises(IntegrityError):
        point_nowhere()
    assert (told, is_between_transactions()) == ([], True)
    assert not Domain.objects.exists()
    with Transaction():
        rename("new")
    assert names() == {"new"}


def test_a_connection_that_is_closed_in_it_comes_back() -> None:
    @within(Transaction())
    def close() -> None:
        rename("new")
        connection.close()
        rename("newer")

    with pytest.raises(DatabaseError):
        close()
    assert (names(), is_between_transactions()) == ({"old"}, True)


def test_it_stands_in_no_other_and_no_other_of_its_kind_in_it() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError), Transaction():
        pass
    with Transaction(), pytest.raises(RuntimeError), transaction.atomic(durable=True):
        pass
    assert is_between_transactions()


def test_who_watches_statements_sees_its_ends() -> None:
    with CaptureQueriesContext(connection) as seen, Transaction():
        rename("new")
    assert [each["sql"].split()[0] for each in seen] == ["BEGIN", "UPDATE", "COMMIT"]
    assert names() == {"new"}


def test_a_transaction_is_read_committed_whatever_the_roles_default() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation = 'repeatable read'")
        try:
            with Transaction():
                cursor.execute("SHOW transaction_isolation")
                assert cursor.fetchone() == ("read committed",)
        finally:
            cursor.execute("RESET default_transaction_isolation")
