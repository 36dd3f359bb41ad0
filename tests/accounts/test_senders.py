"""Who may send as whom is remembered, and only for as long as it is so."""

import pytest

from accounts import directory
from accounts.directory import senders, version
from accounts.models import Alias, DirectoryVersion
from tests.accounts.people import People, settle, to

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> People:
    return settle()


def may(people: People, address: str) -> bool:
    return directory.may_send_as(people.alice.pk, to(address))


def test_what_is_known_costs_no_query(
    people: People, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    directory.create_alias("sales@a.test", ["alice@a.test", "bob@a.test"])
    assert may(people, "sales@a.test")
    with django_assert_num_queries(0):
        assert may(people, "Sales@A.test")
    assert not directory.may_send_as(people.charlie.pk, to("sales@a.test"))


def test_a_refusal_is_not_kept(people: People) -> None:
    assert not may(people, "sales@a.test")
    # As another process would, which has not yet told us.
    Alias.objects.create(domain=people.domain, local_part="sales").targets.create(
        mailbox=people.alice
    )
    assert may(people, "sales@a.test")


def test_what_leads_elsewhere_is_forgotten(people: People) -> None:
    alias = directory.create_alias("sales@a.test", ["alice@a.test"])
    assert may(people, "sales@a.test")
    alias.targets.update(mailbox=people.bob)
    directory.touch()
    assert not may(people, "sales@a.test")


def test_a_right_that_is_taken_away_is_forgotten(people: People) -> None:
    assert not may(people, "bob@a.test")
    directory.share_mailbox(people.bob, "alice@a.test", send=True)
    assert may(people, "bob@a.test")
    directory.share_mailbox(people.bob, "alice@a.test", send=False)
    assert not may(people, "bob@a.test")


def test_a_right_taken_away_elsewhere_is_forgotten_when_the_token_is_asked_for(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    alias = directory.create_alias("sales@a.test", ["alice@a.test"])
    assert may(people, "sales@a.test")
    Alias.objects.filter(pk=alias.pk).delete()
    DirectoryVersion.objects.update(token=7)
    monkeypatch.setattr(version, "TRUST_SECONDS", 0.0)
    assert not may(people, "sales@a.test")


def test_the_memory_has_a_bound(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "CAPACITY", 3)
    for detail in "abcdefg":
        assert may(people, f"alice+{detail}@a.test")
    assert len(senders._allowed) <= 3
    assert may(people, f"alice+{'x' * 1000}@a.test")
    assert all(len(local) < 64 for _, local, _ in senders._allowed)
