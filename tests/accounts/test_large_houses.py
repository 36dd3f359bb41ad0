"""Lists, pages and verbs stay small where a house is large."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import directory
from tests.accounts.people import People, settle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> People:
    return settle()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def sql_of(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries.captured_queries]


def test_mailboxes_and_aliases_of_a_domain_are_counted_apart(people: People) -> None:
    for number in range(3):
        directory.create_alias(f"info{number}@a.test", ["alice@a.test"])
    with CaptureQueriesContext(connection) as queries:
        listed = run("domain", "list")
        shown = run("domain", "show", "a.test")
    # With both in one join, a domain with 40,000 mailboxes and aliases has a billion rows to count.
    assert not [sql for sql in sql_of(queries) if 'JOIN "accounts_alias"' in sql]
    assert shown.splitlines()[1].split()[:4] == ["a.test", "alice-co", "2", "3"]
    assert shown.splitlines()[1].split() in [line.split() for line in listed.splitlines()]
