"""Logins that are good without a query: what was proved lately, while nothing has changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import app_passwords, directory, effects, keyring, login, recent_logins
from accounts.directory import quota_setters
from accounts.login import Identity, Refused
from accounts.models import Credential, Tenant
from accounts.throttle import FREE
from tests.accounts.people import PASSWORD, People, settle

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no stamps"),
]
PEER = "192.0.2.1"
ALICE = "alice@a.test"


@pytest.fixture
def people() -> People:
    """Alice's tenant belongs to a reseller."""
    people = settle()
    reseller = Tenant.objects.create(slug="r", name="r")
    Tenant.objects.filter(pk=people.tenant.pk).update(parent=reseller)
    return people


def check(
    password: str = PASSWORD, *, address: str = ALICE, service: str = "imap", peer: str = PEER
) -> Any:
    return login.check(address, password, service=service, peer=peer).result(20)


def known(
    password: str = PASSWORD, *, address: str = ALICE, service: str = "imap", peer: str = PEER
) -> Identity | None:
    return login.at_hand(address, password, service=service, peer=peer)


@pytest.fixture
def identity(people: People) -> Identity:
    """What Alice got by her password a moment ago."""
    found = check()
    assert isinstance(found, Identity)
    effects.wait_idle()
    return found


def test_what_was_good_is_good_without_a_query(
    identity: Identity, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert known() == identity
        assert known(address="Alice@A.test") == identity


@pytest.mark.parametrize(
    "other",
    [
        {"password": "guess"},
        {"service": "pop3"},
        {"peer": "192.0.2.2"},
        {"address": "bob@a.test"},
        {"address": ""},
    ],
)
def test_nothing_else_is(identity: Identity, other: dict[str, str]) -> None:
    assert known(**other) is None


def shut(people: People) -> None:
    directory.shut_sessions(people.alice)


def change_password(people: People) -> None:
    directory.set_password(people.alice, "another one")


def set_the_same_password(people: People) -> None:
    directory.set_password(people.alice, PASSWORD)


def suspend(people: People) -> None:
    directory.suspend_mailbox(people.alice)


def suspend_domain(people: People) -> None:
    directory.suspend_domain(people.domain)


def suspend_tenant(people: People) -> None:
    directory.suspend_tenant(people.tenant)


def suspend_reseller(_people: People) -> None:
    directory.suspend_tenant(Tenant.objects.get(slug="r"))


def remove(people: People) -> None:
    directory.remove_mailbox(people.alice)


def purge(people: People) -> None:
    directory.purge_mailbox(people.alice)


def take_app_passwords_only(people: People) -> None:
    app_passwords.allow_app_passwords_only(people.alice)


def let_set_quotas(people: People) -> None:
    quota_setters.set_quota_setter(people.alice)


@pytest.mark.parametrize(
    "change",
    [
        shut,
        change_password,
        set_the_same_password,
        suspend,
        suspend_domain,
        suspend_tenant,
        suspend_reseller,
        remove,
        purge,
        take_app_passwords_only,
        let_set_quotas,
    ],
)
def test_a_change_counts_at_once(
    people: People, identity: Identity, change: Callable[[People], None]
) -> None:
    change(people)
    assert known() is None
    # And what the usual way finds now is what is known from here on.
    now = check()
    assert now != identity
    assert known() == (now if isinstance(now, Identity) else None)


def test_before_the_commit_nothing_is_known(people: People, identity: Identity) -> None:
    with transaction.atomic():
        directory.suspend_mailbox(people.alice)
        assert known() is None


def test_a_stamp_taken_too_late_is_none(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes after the row was read ends what was found in it."""
    read = keyring.read

    def reading(address: str) -> Any:
        ring = read(address)
        directory.suspend_mailbox(people.alice)
        return ring

    with monkeypatch.context() as patch:
        patch.setattr(keyring, "read", reading)
        assert isinstance(check(), Identity)
    assert known() is None
    assert check() == Refused("suspended")


def test_an_app_password_opens_what_it_is_for_until_it_is_revoked(people: People) -> None:
    row, password = app_passwords.create_app_password(people.alice, "phone", ["imap"])
    assert check(password) == known(password)
    assert known(password) is not None
    assert known(password, service="pop3") is None
    assert check(password, service="pop3") == Refused("credentials")
    check(password)
    app_passwords.revoke_app_password(people.alice, row.pk)
    assert known(password) is None
    assert check(password) == Refused("credentials")


def test_two_passwords_of_one_peer_are_both_known(people: People, identity: Identity) -> None:
    _, password = app_passwords.create_app_password(people.alice, "phone", ["imap"])
    assert known(password) is None
    check(password)
    assert known(password) == known() == identity


def test_one_guess_puts_all_in_doubt_until_a_good_login(identity: Identity) -> None:
    assert known("guess") is None
    assert known() is None
    assert check() == identity
    assert known() == identity


def test_a_failure_anywhere_forgets(people: People, identity: Identity) -> None:
    """As of the web, where `at_hand` is not asked, or of a proof that shows no password."""
    check("guess", service="web")
    assert known() is None
    assert check() == identity
    login.turn_away(ALICE, "imap", PEER)
    assert known() is None


def test_who_has_to_wait_learns_nothing(identity: Identity) -> None:
    for number in range(FREE):
        assert known(f"guess {number}") is None
        assert check(f"guess {number}") == Refused("credentials")
    assert known() is None
    assert check() == Refused("throttled")
    assert known() is None


def test_failures_of_others_forget_nothing(identity: Identity) -> None:
    check("guess", peer="192.0.2.2")
    check("guess", address="bob@a.test")
    assert known() == identity


def test_use_is_noted_at_its_pace(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    row, password = app_passwords.create_app_password(people.alice, "phone", ["imap"])
    check(password)
    effects.wait_idle()
    noted = Credential.objects.get(pk=row.pk).last_used_at
    assert noted is not None
    assert known(password)
    effects.wait_idle()
    assert Credential.objects.get(pk=row.pk).last_used_at == noted
    monkeypatch.setattr(keyring, "APP_USE_NOTED_EVERY", timedelta(0))
    assert known(password)
    effects.wait_idle()
    later = Credential.objects.get(pk=row.pk).last_used_at
    assert later is not None
    assert later > noted
    # And a note ends no stamp.
    assert known(password)


def test_a_login_is_known_for_a_while(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_logins, "SECONDS", 0.0)
    check()
    assert known() is None


def test_only_so_many_are_known(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_logins, "CAPACITY", 2)
    for number in range(3):
        check(peer=f"192.0.2.{number}")
    assert [known(peer=f"192.0.2.{number}") is None for number in range(3)] == [True, False, False]
    monkeypatch.setattr(recent_logins, "PASSWORDS", 2)
    for service in ("imap", "pop3", "submission"):
        check(service=service)
    assert known(service="submission") is not None
    assert known(service="imap") is None


def test_nothing_is_remembered_without_stamps(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login.stamps, "take_of_directory", lambda: None)
    check()
    assert known() is None
    assert not recent_logins._proved
