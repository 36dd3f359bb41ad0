"""Who gets in, who does not, and that both take as long."""

import base64
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.test import Client, RequestFactory

from accounts import directory, effects, hashers, login
from accounts.login import Identity, Refused
from accounts.mailstore import folders
from accounts.mailstore.refusals import NoSuchFolder
from accounts.models import Credential, Tenant, User
from accounts.throttle import FREE
from accounts.web_login import AdminBackend, MailboxBackend
from tests.accounts.people import PASSWORD, People, settle
from tests.accounts.test_hashers import DREPPER

pytestmark = pytest.mark.django_db(transaction=True)
PEER = "192.0.2.1"


@pytest.fixture
def people() -> People:
    return settle()


def check(address: str, password: str, peer: str = PEER) -> Any:
    return login.check(address, password, service="test", peer=peer).result(20)


def test_the_right_password_opens_the_mailbox(people: People) -> None:
    found = check("Alice@A.test", PASSWORD)
    assert found == Identity(people.alice.pk, people.tenant.pk, "alice@a.test", 1)


@pytest.mark.parametrize(
    "address", ["alice@a.test", "nobody@a.test", "alice", "", "@", "x@" * 300, "a\0b"]
)
def test_anything_else_does_not(people: People, address: str) -> None:
    assert check(address, "wrong") == Refused("credentials")


@pytest.mark.parametrize("password", ["", PASSWORD + " ", PASSWORD.upper(), "x" * 5000])
def test_no_other_password_does(people: People, password: str) -> None:
    assert check("alice@a.test", password) == Refused("credentials")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stored hashes that passwords are compared with from now on."""
    compared: list[str] = []
    verify = hashers.verify

    def noting(password: str, stored: str) -> bool:
        compared.append(stored)
        return verify(password, stored)

    monkeypatch.setattr(hashers, "verify", noting)
    return compared


def test_an_unknown_mailbox_costs_one_hash_as_a_wrong_password_does(
    people: People, hashed: list[str]
) -> None:
    check("alice@a.test", "wrong")
    check("nobody@a.test", "wrong")
    costs = [stored.rpartition("$")[0].rpartition("$")[0] for stored in hashed]
    assert len(costs) == 2
    assert costs[0] == costs[1]


def test_a_wrong_password_for_a_quick_hash_of_another_host_costs_one_of_ours_too(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt = b"salt of eight"
    digest = hashlib.sha1(PASSWORD.encode() + salt).digest()
    stored = "{SSHA}" + base64.b64encode(digest + salt).decode()
    directory.create_mailbox("old@a.test", password_hash=stored)
    costs: list[str] = []
    ours = hashers._SCHEMES["ARGON2ID"]

    def noting(password: bytes, secret: str) -> bool:
        costs.append(secret)
        return ours(password, secret)

    monkeypatch.setitem(hashers._SCHEMES, "ARGON2ID", noting)
    check("nobody@a.test", "wrong")
    check("old@a.test", "wrong")
    assert costs == [hashers._decoy()] * 2
    assert isinstance(check("old@a.test", PASSWORD), Identity)


def test_an_address_and_a_password_that_are_known_cost_no_hash(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(check("alice@a.test", PASSWORD), Identity)
    monkeypatch.setattr(hashers, "verify", lambda *_: pytest.fail("hashed"))
    assert isinstance(check("alice@a.test", PASSWORD), Identity)


def test_many_logins_at_once_cost_a_hash_for_each_thread_that_hashes(
    people: People, hashed: list[str]
) -> None:
    waiting = [login.check("alice@a.test", PASSWORD, service="test", peer=PEER) for _ in range(12)]
    assert all(isinstance(each.result(20), Identity) for each in waiting)
    assert len(hashed) <= login.HASHING_THREADS


def test_a_login_reads_one_row(
    people: People, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    check("alice@a.test", PASSWORD)
    effects.wait_idle()
    with django_assert_num_queries(1):
        check("alice@a.test", PASSWORD)


def test_a_new_password_counts_at_once(people: People) -> None:
    identity = check("alice@a.test", PASSWORD)
    directory.set_password(people.alice, "another one")
    assert check("alice@a.test", PASSWORD) == Refused("credentials")
    assert isinstance(check("alice@a.test", "another one"), Identity)
    assert not login.still_valid(identity)


def test_a_folder_is_found_while_the_login_holds(people: People) -> None:
    identity = check("alice@a.test", PASSWORD)
    assert isinstance(identity, Identity)

    def find(name: str = "INBOX") -> folders.FolderInfo | None:
        return folders.find_while_valid(identity.mailbox_id, identity.credential_version, name)

    assert find() == find("inbox") == folders.find_folder(identity.mailbox_id, "INBOX")
    others = "Shared/nobody@a.test/INBOX"
    for name in ("Nowhere", "", others):
        with pytest.raises(NoSuchFolder):
            find(name)
    directory.suspend_domain(people.domain)
    assert find() is find(others) is None
    directory.suspend_domain(people.domain, is_suspended=False)
    reseller = Tenant.objects.create(slug="r", name="r", is_suspended=True)
    Tenant.objects.filter(pk=people.tenant.pk).update(parent=reseller)
    assert find() is None
    Tenant.objects.filter(pk=people.tenant.pk).update(parent=None)
    assert find() is not None
    directory.set_password(people.alice, "another one")
    assert find() is find(others) is find("Nowhere") is None


def test_suspension_counts_at_once_and_is_told_only_to_the_owner(people: People) -> None:
    identity = check("alice@a.test", PASSWORD)
    assert login.still_valid(identity)
    directory.suspend_domain(people.domain)
    assert check("alice@a.test", PASSWORD) == Refused("suspended")
    assert check("alice@a.test", "wrong") == Refused("credentials")
    assert not login.still_valid(identity)
    directory.suspend_domain(people.domain, is_suspended=False)
    directory.suspend_tenant(people.tenant)
    assert check("alice@a.test", PASSWORD) == Refused("suspended")


def test_a_removed_mailbox_is_unknown(people: People) -> None:
    directory.remove_mailbox(people.alice)
    assert check("alice@a.test", PASSWORD) == Refused("credentials")


def test_an_imported_hash_is_renewed_at_the_first_login(full_cost: None, people: People) -> None:
    mailbox = directory.create_mailbox(
        "moved@a.test", password_hash="{SHA512-CRYPT}" + DREPPER[0][2]
    )
    assert check("moved@a.test", "wrong") == Refused("credentials")
    assert check("moved@a.test", "Hello world!") == Identity(
        mailbox.pk, people.tenant.pk, "moved@a.test", 1
    )
    assert effects.wait_idle()
    credential = Credential.objects.get(mailbox=mailbox)
    assert credential.hash.startswith("$argon2id$v=19$m=19456")
    assert credential.last_used_at is not None
    login.forget()
    assert isinstance(check("moved@a.test", "Hello world!"), Identity)


def test_a_mailbox_without_a_password_opens_to_nobody(people: People) -> None:
    directory.create_mailbox("none@a.test")
    assert check("none@a.test", "") == Refused("credentials")


def test_guessing_has_to_wait_before_any_hash(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(FREE):
        assert check("alice@a.test", f"guess {number}") == Refused("credentials")
    monkeypatch.setattr(hashers, "verify", lambda *_: pytest.fail("hashed"))
    # Even the right one: else a throttled guesser would learn which it is.
    assert check("alice@a.test", PASSWORD) == Refused("throttled")
    assert login.at_hand("alice@a.test", PASSWORD, service="test", peer=PEER) is None


def test_the_owner_is_not_locked_out_by_strangers(people: People) -> None:
    assert isinstance(check("alice@a.test", PASSWORD, peer="198.51.100.7"), Identity)
    for number in range(FREE + 1):
        check("alice@a.test", f"guess {number}")
    assert check("alice@a.test", "guess") == Refused("throttled")
    assert isinstance(check("alice@a.test", PASSWORD, peer="198.51.100.7"), Identity)


def test_repeating_one_wrong_password_makes_nobody_wait(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alice@a.test", "nobody@a.test"):
        assert check(name, "of yesterday") == Refused("credentials")
    with monkeypatch.context() as patch:
        patch.setattr(hashers, "verify", lambda *_: pytest.fail("hashed"))
        patch.setattr(hashers, "verify_nothing", lambda *_: pytest.fail("hashed"))
        for _ in range(FREE + 1):
            for name in ("alice@a.test", "nobody@a.test"):
                assert check(name, "of yesterday") == Refused("credentials")
    assert isinstance(check("alice@a.test", PASSWORD), Identity)


def test_a_password_once_wrong_may_be_set_later(people: People) -> None:
    assert check("alice@a.test", "to come") == Refused("credentials")
    directory.set_password(people.alice, "to come")
    assert isinstance(check("alice@a.test", "to come"), Identity)


def test_a_hash_that_breaks_is_our_fault_not_the_passwords(people: People) -> None:
    Credential.objects.filter(mailbox=people.alice).update(hash="{PBKDF2-SHA256}broken")
    assert check("alice@a.test", PASSWORD) == Refused("temporary")


# The web.


def request(peer: str = PEER) -> Any:
    return RequestFactory().post("/admin/login/", REMOTE_ADDR=peer)


def test_the_owner_of_a_mailbox_logs_in_to_the_web_with_its_password(people: People) -> None:
    backend = MailboxBackend()
    assert backend.authenticate(request(), "alice@a.test", PASSWORD) == people.alice.user
    assert backend.authenticate(request(), "alice@a.test", "wrong") is None
    assert backend.authenticate(request(), "admin", PASSWORD) is None


def test_an_admin_logs_in_with_the_own_password_behind_the_same_throttle(people: People) -> None:
    admin = User.objects.create_superuser("admin", "an admin's password")
    backend = AdminBackend()
    assert backend.authenticate(request(), "admin", "an admin's password") == admin
    assert backend.authenticate(request(), "alice@a.test", PASSWORD) is None
    for _ in range(FREE):
        assert backend.authenticate(request("192.0.2.9"), "root", "guess") is None
    assert login.throttle().must_wait("root", "192.0.2.9") > 0


def test_guesses_at_an_admin_that_come_together_are_counted_one_by_one(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []

    def judge(_backend: object, _request: object, _name: str, password: str) -> None:
        judged.append(password)
        time.sleep(0.05)

    monkeypatch.setattr(ModelBackend, "authenticate", judge)
    monkeypatch.setattr("accounts.web_login._is_admin", lambda name: True)
    with ThreadPoolExecutor(8) as threads:
        for number in range(FREE + 7):
            threads.submit(AdminBackend().authenticate, request(), "admin", f"guess {number}")
    assert len(judged) == FREE


def test_a_removed_mailboxes_owner_does_not_get_in(people: People) -> None:
    directory.remove_mailbox(people.alice)
    assert MailboxBackend().authenticate(request(), "alice@a.test", PASSWORD) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda mailbox: directory.set_password(mailbox, "another horse battery"),
        directory.suspend_mailbox,
        lambda mailbox: directory.suspend_domain(mailbox.domain),
        lambda mailbox: directory.suspend_tenant(mailbox.domain.tenant),
        directory.remove_mailbox,
    ],
)
def test_what_ends_a_login_ends_the_owners_session_on_the_web(people: People, end: Any) -> None:
    client = Client()
    assert client.login(username="alice@a.test", password=PASSWORD)
    assert _is_logged_in(client)
    end(people.alice)
    assert not _is_logged_in(client)


def _is_logged_in(client: Client) -> bool:
    asked = HttpRequest()
    asked.session = client.session
    return get_user(asked).is_authenticated
