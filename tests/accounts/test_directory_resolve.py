"""Where an address leads, in the order that `accounts.directory.resolving` promises."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts import directory, limits
from accounts.directory import Route, cache, version
from accounts.models import Mailbox, Membership, User
from tests.accounts.people import People, settle, to

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return settle()


def route(address: str) -> Route:
    return directory.resolve(to(address))


def reached(address: str) -> list[str]:
    """Mailboxes, then other addresses, that mail to `address` reaches."""
    found = route(address)
    return [ref.address for ref in found.mailboxes] + list(found.forwards)


def refusal(address: str) -> str:
    found = route(address)
    assert found.kind == "refuse", found
    return f"{found.reply_code} {found.enhanced}"


def set_usage(mailbox: Mailbox, **fields: object) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(**fields)
    directory.touch()


def test_a_mailbox_is_found_in_any_case(people: People) -> None:
    found = route("ALICE@A.Test")
    assert found.kind == "local"
    assert found.mailboxes[0] == directory.MailboxRef(
        people.alice.pk, "alice@a.test", people.tenant.pk
    )
    assert found.tenant_id == people.tenant.pk


def test_an_unknown_address_is_refused(people: People) -> None:
    assert refusal("nobody@a.test") == "550 5.1.1"


def test_another_domain_is_remote(people: People) -> None:
    assert route("alice@elsewhere.example").kind == "remote"
    assert not directory.is_local_domain("elsewhere.example")
    assert directory.is_local_domain("A.TEST")


def test_a_domain_is_found_by_its_unicode_name(people: People) -> None:
    directory.create_domain(people.tenant, "bücher.test")
    directory.create_mailbox("x@xn--bcher-kva.test", "secret")
    assert reached("x@bücher.test") == ["x@xn--bcher-kva.test"]


@pytest.mark.parametrize("local_part", ["alice+news", "Alice+a+b", "alice+"])
def test_a_detail_is_stripped(people: People, local_part: str) -> None:
    assert reached(f"{local_part}@a.test") == ["alice@a.test"]


def test_a_mailbox_with_the_detail_in_its_name_comes_first(people: People) -> None:
    directory.create_mailbox("alice+news@a.test", "secret")
    assert reached("alice+news@a.test") == ["alice+news@a.test"]


def test_a_detail_alone_is_no_mailbox(people: People) -> None:
    assert refusal("+news@a.test") == "550 5.1.1"


def test_a_domain_may_have_no_separator_or_another(people: People) -> None:
    people.domain.plus_separator = ""
    people.domain.save()
    directory.touch()
    assert refusal("alice+news@a.test") == "550 5.1.1"
    people.domain.plus_separator = "-"
    people.domain.save()
    directory.touch()
    assert reached("alice-news@a.test") == ["alice@a.test"]


def test_an_alias_leads_to_many(people: People) -> None:
    directory.create_alias("all@a.test", ["bob@a.test", "Far@Away.example", "alice@a.test"])
    found = route("all@a.test")
    assert found.kind == "local"
    assert reached("all@a.test") == ["bob@a.test", "alice@a.test", "Far@away.example"]


def test_an_alias_to_elsewhere_is_a_forward(people: People) -> None:
    directory.create_alias("out@a.test", ["Far@away.example"])
    found = route("out@a.test")
    assert (found.kind, found.forwards, found.tenant_id) == (
        "forward",
        ("Far@away.example",),
        people.tenant.pk,
    )


def test_aliases_follow_aliases_and_a_target_is_reached_once(people: People) -> None:
    directory.create_alias("inner@a.test", ["alice@a.test"])
    directory.create_alias("outer@a.test", ["inner@a.test", "alice@a.test", "alice+x@a.test"])
    assert reached("outer@a.test") == ["alice@a.test"]


def test_a_loop_ends(people: People) -> None:
    directory.create_alias("one@a.test", ["two@a.test"])
    directory.create_alias("two@a.test", ["one@a.test"])
    assert refusal("one@a.test") == "550 5.1.1"
    directory.find_alias("two@a.test").targets.create(mailbox=people.alice)
    assert reached("one@a.test") == ["alice@a.test"]


def test_a_chain_that_is_too_long_is_refused_for_now(people: People) -> None:
    for number in range(limits.ALIAS_DEPTH + 2):
        directory.create_alias(f"hop{number}@a.test", [f"hop{number + 1}@a.test"])
    assert refusal("hop0@a.test") == "451 4.3.5"


def test_a_disabled_alias_does_not_exist(people: People) -> None:
    alias = directory.create_alias("info@a.test", ["alice@a.test"])
    directory.enable_alias(alias, is_enabled=False)
    assert refusal("info@a.test") == "550 5.1.1"


def test_a_large_list_costs_as_few_queries_as_a_small_one(
    people: People, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    targets = [f"member{number}@far.example" for number in range(500)]
    directory.create_alias("list@a.test", [*targets, "alice@a.test"])
    with django_assert_max_num_queries(9):
        assert len(reached("list@a.test")) == 501


def test_an_alias_domain_means_the_same_address_there(people: People) -> None:
    directory.create_domain(people.tenant, "alias.test", alias_of=people.domain)
    assert reached("alice+x@alias.test") == ["alice@a.test"]
    assert refusal("nobody@alias.test") == "550 5.1.1"


def test_the_catch_all_takes_what_nobody_else_does(people: People) -> None:
    directory.create_alias("*@a.test", ["alice@a.test"])
    assert reached("whatever@a.test") == ["alice@a.test"]
    assert reached("bob@a.test") == ["bob@a.test"]


def test_suspended_is_refused_for_good(people: People) -> None:
    directory.suspend_mailbox(people.alice)
    assert refusal("alice@a.test") == "550 5.2.1"
    directory.suspend_mailbox(people.alice, is_suspended=False)
    directory.suspend_domain(people.domain)
    assert refusal("bob@a.test") == "550 5.2.1"
    assert refusal("nobody@a.test") == "550 5.2.1"


def test_a_suspended_target_is_left_out(people: People) -> None:
    directory.create_alias("both@a.test", ["alice@a.test", "bob@a.test"])
    directory.suspend_mailbox(people.alice)
    assert reached("both@a.test") == ["bob@a.test"]
    directory.suspend_mailbox(people.bob)
    assert refusal("both@a.test") == "550 5.2.1"


def test_a_target_in_a_suspended_domain_is_left_out(people: People) -> None:
    other = directory.create_domain(people.tenant, "other.test")
    directory.create_mailbox("x@other.test", "secret")
    directory.create_alias("both@a.test", ["x@other.test", "bob@a.test"])
    directory.suspend_domain(other)
    assert reached("both@a.test") == ["bob@a.test"]


def test_what_stands_for_a_suspended_domain_is_suspended_too(people: People) -> None:
    directory.create_domain(people.tenant, "alias.test", alias_of=people.domain)
    directory.suspend_domain(people.domain)
    assert refusal("alice@alias.test").startswith("550 5.2.1")
    directory.suspend_domain(people.domain, is_suspended=False)
    assert reached("alice@alias.test") == ["alice@a.test"]


def test_suspending_a_reseller_suspends_the_tenants_below(people: People) -> None:
    people.tenant.parent = people.stranger_tenant
    people.tenant.save()
    directory.suspend_tenant(people.stranger_tenant)
    assert refusal("alice@a.test") == "550 5.2.1"


def test_a_loop_of_resellers_ends(people: People) -> None:
    """Where two are below each other, both are as good as without a reseller."""
    people.stranger_tenant.parent = people.tenant
    people.stranger_tenant.save()
    people.tenant.parent = people.stranger_tenant
    people.tenant.save()
    asked = itertools.count()

    def ask(execute: Any, *question: Any) -> Any:
        assert next(asked) < 50, "it goes round and round"
        return execute(*question)

    with connection.execute_wrapper(ask):
        assert reached("alice@a.test") == ["alice@a.test"]
    directory.suspend_tenant(people.stranger_tenant)
    assert refusal("alice@a.test") == "550 5.2.1"


def test_a_removed_mailbox_does_not_exist_until_it_is_restored(people: People) -> None:
    directory.remove_mailbox(people.alice)
    assert refusal("alice@a.test") == "550 5.1.1"
    directory.restore_mailbox(people.alice)
    assert reached("alice@a.test") == ["alice@a.test"]


def test_a_full_mailbox_refuses_for_three_days_and_then_for_good(people: People) -> None:
    now = timezone.now()
    set_usage(people.alice, quota_bytes=1000, used_bytes=1000)
    assert refusal("alice@a.test") == "452 4.2.2"
    set_usage(people.alice, full_since=now - timedelta(days=2, hours=23))
    assert refusal("alice@a.test") == "452 4.2.2"
    set_usage(people.alice, full_since=now - timedelta(days=3, minutes=1))
    assert refusal("alice@a.test") == "552 5.2.2"
    set_usage(people.alice, used_bytes=999)
    assert reached("alice@a.test") == ["alice@a.test"]


def test_a_mailbox_with_as_many_messages_as_it_may_have_is_full(people: People) -> None:
    set_usage(people.alice, quota_messages=10, used_messages=10)
    assert refusal("alice@a.test") == "452 4.2.2"
    set_usage(people.alice, used_messages=9)
    assert reached("alice@a.test") == ["alice@a.test"]
    # So close to its limit the next message is asked about again.
    assert cache.cached("alice", "a.test") is None


def test_what_nobody_would_send_again_reaches_a_full_mailbox(people: People) -> None:
    set_usage(people.alice, quota_bytes=1000, used_bytes=1000)
    assert directory.resolve(to("alice@a.test"), even_full=True).mailboxes
    # Nothing of that is remembered for others.
    assert refusal("alice@a.test") == "452 4.2.2"


def test_one_full_target_does_not_cost_the_others_their_mail(people: People) -> None:
    directory.create_alias("both@a.test", ["alice@a.test", "bob@a.test"])
    set_usage(people.alice, quota_bytes=1000, used_bytes=1000)
    assert reached("both@a.test") == ["alice@a.test", "bob@a.test"]
    directory.create_alias("away@a.test", ["alice@a.test", "x@elsewhere.test"])
    assert reached("away@a.test") == ["alice@a.test", "x@elsewhere.test"]


# RFC 5321 §4.5.1 and RFC 2142: these are never refused.


@pytest.mark.parametrize("name", ["postmaster", "abuse", "Postmaster"])
def test_postmaster_is_the_tenants_owner(people: People, name: str) -> None:
    assert reached(f"{name}@a.test") == ["alice@a.test"]


def test_postmaster_may_be_a_mailbox_or_an_alias_of_its_own(people: People) -> None:
    directory.create_alias("postmaster@a.test", ["bob@a.test"])
    assert reached("postmaster@a.test") == ["bob@a.test"]


def test_postmaster_is_accepted_when_its_mailbox_is_full_or_suspended(people: People) -> None:
    directory.create_mailbox("postmaster@a.test", "secret")
    mailbox = directory.find_mailbox("postmaster@a.test")
    set_usage(mailbox, quota_bytes=10, used_bytes=10)
    assert reached("postmaster@a.test") == ["postmaster@a.test"]
    directory.suspend_mailbox(mailbox)
    assert reached("postmaster@a.test") == ["alice@a.test"]


def test_postmaster_of_a_suspended_domain_is_accepted(people: People) -> None:
    directory.suspend_domain(people.domain)
    assert reached("postmaster@a.test") == ["alice@a.test"]


def test_postmaster_is_not_the_catch_alls(people: People) -> None:
    directory.create_alias("*@a.test", ["far@away.example"])
    assert reached("abuse@a.test") == ["alice@a.test"]


def test_postmaster_without_people_is_the_oldest_mailbox(people: People) -> None:
    Membership.objects.all().delete()
    directory.suspend_mailbox(people.alice)
    assert reached("postmaster@a.test") == ["bob@a.test"]


def test_postmaster_of_an_empty_domain_is_the_platforms(people: People) -> None:
    directory.create_domain(directory.create_tenant("Empty"), "empty.test")
    User.objects.filter(mailbox=people.charlie.pk).update(is_superuser=True)
    directory.touch()
    assert reached("postmaster@empty.test") == ["charlie@c.test"]


def test_postmaster_of_an_alias_domain(people: People) -> None:
    directory.create_domain(people.tenant, "alias.test", alias_of=people.domain)
    assert reached("postmaster@alias.test") == ["alice@a.test"]


def test_bare_postmaster_is_accepted(people: People) -> None:
    assert route("postmaster").kind == "local"
    assert directory.resolve(to("postmaster")).mailboxes
    assert refusal("alice") == "550 5.1.3"


def test_the_platforms_postmaster_can_be_named(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = settings.MAILHOST.model_copy(update={"postmaster": "bob@a.test"})
    monkeypatch.setattr(settings, "MAILHOST", named)
    assert reached("postmaster") == ["bob@a.test"]


@pytest.mark.parametrize("name", ["postmaster", "abuse", "Mailer-Daemon"])
def test_the_host_has_a_postmaster_though_its_name_is_no_domain_here(
    people: People, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    named = settings.MAILHOST.model_copy(update={"postmaster": "bob@a.test"})
    monkeypatch.setattr(settings, "MAILHOST", named)
    assert reached(f"{name}@{named.hostname}") == ["bob@a.test"]
    assert route(f"alice@{named.hostname}").kind == "remote"
    assert refusal("mailer-daemon@a.test") == "550 5.1.1"


def test_a_reply_to_a_report_reaches_somebody_where_the_hosts_name_is_a_domain_too(
    people: People,
) -> None:
    directory.create_domain(people.tenant, settings.MAILHOST.hostname)
    assert reached(f"mailer-daemon@{settings.MAILHOST.hostname}") == ["alice@a.test"]


# The cache.


def test_a_known_route_costs_no_query(
    people: People, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    assert directory.cached("alice", "a.test") is None
    found = route("alice@a.test")
    with django_assert_num_queries(0):
        assert directory.cached("Alice", "A.test") is found
        assert route("alice@a.test") is found


def test_a_change_is_heard_at_once(people: People) -> None:
    assert route("alice@a.test").kind == "local"
    directory.suspend_mailbox(people.alice)
    assert directory.cached("alice", "a.test") is None
    assert refusal("alice@a.test") == "550 5.2.1"


def test_a_change_elsewhere_is_heard_when_the_token_is_asked_for(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert route("alice@a.test").kind == "local"
    # Another process: its write does not reach this one's memory.
    monkeypatch.setattr(version, "forget", lambda: None)
    directory.suspend_mailbox(people.alice)
    assert route("alice@a.test").kind == "local"
    monkeypatch.setattr(version, "TRUST_SECONDS", 0.0)
    assert refusal("alice@a.test") == "550 5.2.1"


def test_an_unknown_address_works_as_soon_as_it_exists(people: People) -> None:
    assert refusal("new@a.test") == "550 5.1.1"
    assert directory.cached("new", "a.test") is None


def test_a_nearly_full_mailbox_is_never_answered_from_memory(people: People) -> None:
    set_usage(people.alice, quota_bytes=cache.NEARLY_FULL, used_bytes=1)
    assert route("alice@a.test").kind == "local"
    assert directory.cached("alice", "a.test") is None
    Mailbox.objects.filter(pk=people.alice.pk).update(used_bytes=cache.NEARLY_FULL)
    assert refusal("alice@a.test") == "452 4.2.2"


def test_a_route_to_a_quota_is_trusted_for_a_moment_only(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "QUOTA_SECONDS", 0.0)
    set_usage(people.alice, quota_bytes=4 * cache.NEARLY_FULL, used_bytes=0)
    assert route("alice@a.test").kind == "local"
    assert directory.cached("alice", "a.test") is None
