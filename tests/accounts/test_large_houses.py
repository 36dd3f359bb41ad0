"""Lists, pages and verbs stay small where a house is large."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import directory, limits
from accounts.directory import domains
from accounts.models import (
    Alias,
    AliasTarget,
    Blob,
    Change,
    Domain,
    Entry,
    Folder,
    Mailbox,
    Membership,
    Message,
    Tenant,
    User,
    Vanished,
)
from tests.accounts.as_owner import expunge_uids
from tests.accounts.mail import append_many
from tests.accounts.people import People, settle, to

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> People:
    return settle()


@pytest.fixture
def client(people: People) -> Client:
    client = Client()
    user = User.objects.create_superuser("admin", "secret")
    client.force_login(user, backend="accounts.web_login.AdminBackend")
    return client


def url(model: Any, page: str, *arguments: object) -> str:
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=arguments)


def make_mailboxes(domain: Domain, number: int) -> list[str]:
    """As many rows, without folders; their addresses."""
    names = [f"user{index:04}" for index in range(number)]
    Mailbox.objects.bulk_create(Mailbox(domain=domain, local_part=name) for name in names)
    return [f"{name}@{domain.name}" for name in names]


def make_alias(domain: Domain, number: int = limits.ALIAS_TARGETS) -> Alias:
    """An alias that leads to as many mailboxes."""
    make_mailboxes(domain, number)
    alias = Alias.objects.create(domain=domain, local_part="everybody")
    mailboxes = Mailbox.objects.filter(local_part__startswith="user").order_by("pk")
    AliasTarget.objects.bulk_create(
        AliasTarget(alias=alias, mailbox=mailbox) for mailbox in mailboxes
    )
    return alias


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


def test_an_alias_with_as_many_targets_as_it_may_have_is_listed_and_removed(people: People) -> None:
    alias = make_alias(people.domain)
    directory.create_alias("info@a.test", ["alice@a.test"])
    everybody, info = run("alias", "list").splitlines()[1:]
    assert everybody.startswith("everybody@a.test  user0000@a.test, user0001@a.test, ")
    assert len(info) < 150
    run("alias", "remove", alias.address)
    directory.remove_alias(directory.find_alias("info@a.test"))
    assert not AliasTarget.objects.exists()


def test_pages_of_an_alias_with_many_targets(
    client: Client, people: People, django_assert_max_num_queries: Any
) -> None:
    alias = make_alias(people.domain)
    with django_assert_max_num_queries(8):
        listed = client.get(url(Alias, "changelist")).content.decode()
    assert "user0000@a.test, user0001@a.test, user0002@a.test +997" in listed
    # Two for each of the fifty that a page shows.
    with django_assert_max_num_queries(112):
        assert client.get(url(Alias, "change", alias.pk)).status_code == 200
    with django_assert_max_num_queries(8):
        assert client.get(url(Alias, "delete", alias.pk)).status_code == 200
    client.post(url(Alias, "delete", alias.pk), {"post": "yes"})
    assert not AliasTarget.objects.exists()


def test_a_page_shows_some_of_what_hangs_on_it(client: Client, people: People) -> None:
    Folder.objects.bulk_create(
        Folder(mailbox=people.alice, name=f"Z{index:03}") for index in range(100)
    )
    page = client.get(url(Mailbox, "change", people.alice.pk)).content.decode()
    assert 10 < len(set(re.findall(r"Z\d\d\d", page))) <= 50
    # A line each, which leads to the folder.
    folder = Folder.objects.get(name="Z001")
    assert page.count(">Z001<") == 1
    assert f'href="{url(Folder, "change", folder.pk)}">Z001<' in page
    users = User.objects.bulk_create(User(username=f"person{index}") for index in range(100))
    Membership.objects.bulk_create(Membership(user=user, tenant=people.tenant) for user in users)
    page = client.get(url(Tenant, "change", people.tenant.pk)).content.decode()
    assert 10 < len(set(re.findall(r"person\d+", page))) <= 50


def test_a_list_may_lead_into_more_domains_than_sqlite_takes_ors(people: People) -> None:
    Domain.objects.bulk_create(
        Domain(tenant=people.tenant, name=f"d{index}.test") for index in range(1000)
    )
    everywhere = Alias.objects.create(domain=people.domain, local_part="everywhere")
    for domain in Domain.objects.filter(name__startswith="d"):
        alias = Alias.objects.create(domain=domain, local_part="info")
        AliasTarget.objects.create(alias=alias, mailbox=people.alice)
        AliasTarget.objects.create(alias=everywhere, forward_to=f"info@{domain.name}")
    found = directory.resolve(to("everywhere@a.test"))
    assert [ref.address for ref in found.mailboxes] == ["alice@a.test"]


def test_lists_of_lists_are_not_read_as_a_whole(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ALIAS_WIDTH", 50)
    for number in range(10):
        names = [f"nobody{number}-{index}@a.test" for index in range(10)]
        directory.create_alias(f"list{number}@a.test", names)
    directory.create_alias("lists@a.test", [f"list{number}@a.test" for number in range(10)])
    with CaptureQueriesContext(connection) as queries:
        found = directory.resolve(to("lists@a.test"))
    assert (found.kind, found.reply_code) == ("refuse", 451)
    read = [sql for sql in sql_of(queries) if 'FROM "accounts_aliastarget"' in sql]
    assert len(read) == 2
    assert all("LIMIT 51" in sql for sql in read)


def test_a_long_list_is_made_with_few_queries(
    people: People, django_assert_max_num_queries: Any
) -> None:
    """Nobody else writes meanwhile."""
    addresses = [*make_mailboxes(people.domain, 500), "Far@Away.example", "charlie@c.test"]
    with django_assert_max_num_queries(40):
        alias = directory.create_alias("everybody@a.test", addresses)
    assert sorted(map(str, alias.targets.all())) == sorted(
        [*addresses[:500], "Far@away.example", "charlie@c.test"]
    )


def test_the_page_that_asks_before_deleting_lists_nothing_that_is_large(
    client: Client, people: People, django_assert_max_num_queries: Any
) -> None:
    make_mailboxes(people.domain, 100)
    for model, row, said in (
        (Domain, people.domain, "“a.test” still has 102 mailboxes"),
        (Tenant, people.tenant, "“Alice &amp; Co” still has domains"),
    ):
        with django_assert_max_num_queries(12):
            page = client.get(url(model, "delete", row.pk)).content.decode()
        assert said in page
        assert "user0042" not in page
        client.post(url(model, "delete", row.pk), {"post": "yes"})
        form = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        client.post(url(model, "changelist"), form)
        row.refresh_from_db()


def test_the_aliases_of_a_domain_go_some_at_a_time(
    client: Client, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "_AT_ONCE", 10)
    for verb in (
        lambda domain: run("domain", "remove", domain.name),
        lambda domain: client.post(url(Domain, "delete", domain.pk), {"post": "yes"}),
    ):
        domain = directory.create_domain(people.tenant, "many.test")
        directory.create_domain(people.tenant, "also.test", alias_of=domain)
        for number in range(25):
            directory.create_alias(f"info{number}@many.test", ["alice@a.test", "far@away.example"])
        with CaptureQueriesContext(connection) as queries:
            verb(domain)
        gone = [sql for sql in sql_of(queries) if sql.startswith('DELETE FROM "accounts_alias"')]
        assert len(gone) >= 3
        assert sql_of(queries).count("COMMIT") >= 4
        assert not Domain.objects.filter(name__in=("many.test", "also.test")).exists()
        assert not Alias.objects.exists()


def test_the_list_of_folders_does_not_look_for_the_uses_there_are(
    client: Client, people: People
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = client.get(url(Folder, "changelist"), {"special_use": "\\Sent"}).content.decode()
    assert not [sql for sql in sql_of(queries) if "DISTINCT" in sql]
    assert {folder.name for folder in Folder.objects.filter(special_use="\\Sent")} == {"Sent"}
    assert "?special_use=%5CTrash" in page or "\\Trash" in page
    assert page.count("alice@a.test") == 1


def test_a_search_for_a_mailbox_asks_the_same_for_one_and_for_many(
    client: Client, people: People
) -> None:
    make_mailboxes(Domain.objects.get(name="a.test"), 20)
    chosen = {"app_label": "accounts", "model_name": "aliastarget", "field_name": "mailbox"}

    def asked(term: str) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            reply = client.get(reverse("admin:autocomplete"), {**chosen, "term": term})
        return len(reply.json()["results"]), len(queries)

    (one, few), (many, more) = asked("user0001"), asked("user")
    assert (one, many) == (1, 20)
    assert more == few


def test_the_state_of_one_mailbox_is_asked_of_no_other(people: People) -> None:
    make_mailboxes(people.domain, 3)
    with CaptureQueriesContext(connection) as queries:
        shown = run("search", "status", "user0001@a.test")
    assert len(shown.splitlines()) == 2
    read = [sql for sql in sql_of(queries) if 'FROM "accounts_mailbox"' in sql]
    assert read
    assert all(str(Mailbox.objects.get(local_part="user0001").pk) in sql for sql in read[1:])
    assert len(run("search", "status").splitlines()) > 4


def test_a_search_for_entries_looks_for_their_folders_first(client: Client, people: People) -> None:
    folder = Folder.objects.get(mailbox=people.alice, name="INBOX")
    append_many(people.alice.pk, folder.pk, 3)

    def found(term: str) -> tuple[int, str]:
        with CaptureQueriesContext(connection) as queries:
            page = client.get(url(Entry, "changelist"), {"q": term})
        [listed] = [sql for sql in sql_of(queries) if "ORDER BY" in sql and '."uid"' in sql]
        return len(page.context["cl"].result_list), listed.partition(" WHERE ")[2]

    for term, number in (("2", 1), ("alice", 3), ("INBOX alice", 3), ("alice 3", 1), ("bob", 0)):
        assert found(term)[0] == number
    # Nor is every UID made a text, to be compared with a word.
    assert '"uid"' not in found("alice")[1]
    assert found(str(1 << 70))[0] == 0


@pytest.mark.parametrize("model", [Message, Blob, Entry, Vanished, Change])
def test_what_there_are_millions_of_is_sorted_by_its_keys_alone(
    client: Client, people: People, model: Any
) -> None:
    inbox = people.alice.folders.get(name="INBOX")
    append_many(people.alice.pk, inbox.pk, 2)
    expunge_uids(inbox.pk, [1], only_deleted=False)
    page = client.get(url(model, "changelist")).content.decode()
    assert "result_list" in page
    assert "sortable column-" not in page


def test_folders_are_listed_as_an_index_has_them(client: Client, people: People) -> None:
    with CaptureQueriesContext(connection) as queries:
        client.get(url(Folder, "changelist"))
    listed = [query["sql"] for query in queries.captured_queries if "ORDER BY" in query["sql"]]
    assert '"accounts_folder"."mailbox_id" ASC, "accounts_folder"."name" ASC' in listed[-1]
