"""Statements of the hot path: Django's transactions, errors and watchers hold for them, too."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from accounts.models import Tenant
from accounts.statements import execute, fetch

pytestmark = pytest.mark.django_db(transaction=True)

TENANT = Tenant._meta.db_table


def test_rows_and_counts_come_back() -> None:
    Tenant.objects.create(name="100% mail", slug="a")
    Tenant.objects.create(name="other", slug="b")
    assert fetch(f"SELECT name FROM {TENANT} WHERE name LIKE '100%%' AND slug = %s", ["a"]) == [
        ("100% mail",)
    ]
    touched, _ = execute(f"UPDATE {TENANT} SET name = %s WHERE slug <> %s", ["new", "a"])
    assert touched == 1
    assert set(Tenant.objects.values_list("name", flat=True)) == {"100% mail", "new"}


def test_errors_are_djangos() -> None:
    Tenant.objects.create(name="a", slug="a")
    with pytest.raises(IntegrityError), transaction.atomic():
        execute(f"UPDATE {TENANT} SET name = NULL WHERE slug = %s", ["a"])
    with pytest.raises(DatabaseError), transaction.atomic():
        fetch(f"SELECT name FROM {TENANT} WHERE no_such_column = %s", [1])


def test_a_transaction_that_only_a_rollback_can_end_takes_no_more() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            execute(f"UPDATE {TENANT} SET name = %s", ["a"])


def test_what_runs_in_a_transaction_is_undone_with_it() -> None:
    Tenant.objects.create(name="a", slug="a")

    with transaction.atomic():
        execute(f"UPDATE {TENANT} SET name = %s", ["b"])
        assert fetch(f"SELECT name FROM {TENANT} WHERE slug = %s", ["a"]) == [("b",)]
        transaction.set_rollback(True)
    assert Tenant.objects.get().name == "a"


def test_who_watches_statements_sees_them() -> None:
    with CaptureQueriesContext(connection) as seen:
        fetch(f"SELECT name FROM {TENANT} WHERE slug = %s", ["a"])
        execute(f"UPDATE {TENANT} SET name = %s WHERE slug = %s", ["b", "a"])
    assert len(seen) == 2
