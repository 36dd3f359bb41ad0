"""The tenant barrier: Alice (owner), Bob (support), Charlie (a stranger), and an admin."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts import access, directory
from accounts.access import Need
from accounts.models import Membership, User
from tests.accounts.people import People, settle

pytestmark = pytest.mark.django_db

Look = Callable[..., Any]


@pytest.fixture
def people() -> People:
    return settle()


def looks(people: People) -> list[tuple[Look, int]]:
    """Every way to turn an id into a row, each with an id of Alice's tenant."""
    alias = directory.create_alias("info@a.test", ["alice@a.test"])
    return [
        (access.tenant, people.tenant.pk),
        (access.domain, people.domain.pk),
        (access.mailbox, people.bob.pk),
        (access.alias, alias.pk),
    ]


def test_the_owner_sees_and_changes(people: People) -> None:
    alice, _bob, _charlie = people.users
    for look, pk in looks(people):
        assert look(alice, pk).pk == pk
        assert look(alice, pk, Need.CHANGE).pk == pk


def test_support_sees_and_changes_nothing(people: People) -> None:
    _alice, bob, _charlie = people.users
    for look, pk in looks(people):
        assert look(bob, pk).pk == pk
        assert look(bob, pk, Need.CHANGE) is None


def test_a_stranger_learns_nothing_not_even_that_it_exists(people: People) -> None:
    _alice, _bob, charlie = people.users
    for look, pk in looks(people):
        assert look(charlie, pk) is None
        assert look(charlie, 987_654_321) is None
        assert look(AnonymousUser(), pk) is None


def test_an_owner_who_is_switched_off_sees_nothing(people: People) -> None:
    alice, _bob, _charlie = people.users
    alice.is_active = False
    alice.save()
    for look, pk in looks(people):
        assert look(alice, pk) is None


def test_an_admin_sees_everything_until_switched_off(people: People) -> None:
    admin = User.objects.create_superuser("admin", "secret")
    for look, pk in looks(people):
        assert look(admin, pk, Need.CHANGE).pk == pk
    User.objects.filter(pk=admin.pk).update(is_active=False)
    assert access.domain(admin, people.domain.pk) is None


def test_a_reseller_sees_the_tenants_below_and_they_do_not_see_it(people: People) -> None:
    alice, _bob, charlie = people.users
    people.tenant.parent = people.stranger_tenant
    people.tenant.save()
    for look, pk in looks(people):
        assert look(charlie, pk, Need.CHANGE).pk == pk
    assert access.domain(alice, people.stranger_domain.pk) is None


def test_support_of_a_reseller_does_not_reach_below(people: People) -> None:
    _alice, _bob, charlie = people.users
    people.tenant.parent = people.stranger_tenant
    people.tenant.save()
    directory.join(charlie, people.stranger_tenant, Membership.Role.SUPPORT)
    assert access.domain(charlie, people.domain.pk) is None
    assert access.domain(charlie, people.stranger_domain.pk) is not None


def test_everybody_sees_the_own_mailbox_and_cannot_change_it(people: People) -> None:
    _alice, bob, charlie = people.users
    for user, tenant in ((bob, people.tenant), (charlie, people.stranger_tenant)):
        Membership.objects.filter(user=user, tenant=tenant).delete()
    assert access.mailbox(bob, people.bob.pk) == people.bob
    assert access.mailbox(bob, people.bob.pk, Need.CHANGE) is None
    assert access.mailbox(bob, people.alice.pk) is None
    assert list(access.mailboxes(charlie)) == [people.charlie]


def test_lists_hold_what_is_within_reach(people: People) -> None:
    alice, _bob, charlie = people.users
    assert list(access.domains(alice)) == [people.domain]
    assert set(access.mailboxes(alice)) == {people.alice, people.bob}
    assert list(access.tenants(charlie)) == [people.stranger_tenant]
    assert list(access.aliases(AnonymousUser())) == []


def test_a_loop_of_resellers_ends(people: People) -> None:
    alice, _bob, _charlie = people.users
    people.tenant.parent = people.stranger_tenant
    people.tenant.save()
    people.stranger_tenant.parent = people.tenant
    people.stranger_tenant.save()
    assert len(access.tenants(alice)) == 2
