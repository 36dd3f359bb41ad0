"""Create, suspend, remove: what each verb does and what it refuses."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import directory
from accounts.directory import DirectoryError
from accounts.directory.tenants import require_empty
from accounts.mailstore import folders
from accounts.models import Alias, Domain, Folder, Mailbox, Tenant, User
from tests.accounts.people import PASSWORD, People, settle, to

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return settle()


def test_a_new_mailbox_has_folders_a_user_and_a_hash(people: People) -> None:
    mailbox = directory.create_mailbox("New.Name@A.test", "secret", quota_bytes=10, name="N")
    assert mailbox.address == "new.name@a.test"
    names = {folder.name for folder in folders.list_folders(mailbox.pk)}
    assert names == {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"}
    assert mailbox.user is not None
    assert mailbox.user.username == "new.name@a.test"
    assert not mailbox.user.has_usable_password()
    assert mailbox.credentials.get().hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("alice@a.test", "exists already"),
        ("ALICE@a.test", "exists already"),
        ("x@nowhere.test", "not hosted"),
        ("x", "no address"),
        ("@a.test", "before the @"),
        (".x@a.test", "before the @"),
        ("x..y@a.test", "before the @"),
        ("x y@a.test", "before the @"),
        ("x\r\ny@a.test", "before the @"),
        (f"{'x' * 65}@a.test", "64 octets"),
        ("info@a.test", "is an alias"),
        ("x@alias.test", "stands for"),
    ],
)
def test_addresses_that_cannot_be_made(people: People, address: str, reason: str) -> None:
    directory.create_alias("info@a.test", ["alice@a.test"])
    directory.create_domain(people.tenant, "alias.test", alias_of=people.domain)
    with pytest.raises(DirectoryError, match=reason):
        directory.create_mailbox(address, "secret")


def test_a_local_part_may_be_as_long_as_rfc_5321_says(people: People) -> None:
    assert directory.create_mailbox(f"{'x' * 64}@a.test", "secret").address.startswith("x" * 64)


@pytest.mark.parametrize("name", ["n" * 201, "a\nb", "a\0b", "a\x1b[31m", "\udcff"])
def test_names_that_nobody_has(people: People, name: str) -> None:
    with pytest.raises(DirectoryError, match="at most 200 characters"):
        directory.create_mailbox("x@a.test", "secret", name=name)
    assert directory.create_mailbox("x@a.test", "secret", name="山田\u3000太郎").pk


def test_a_hash_that_no_column_holds_is_not_imported(people: People) -> None:
    with pytest.raises(DirectoryError, match="at most 300 characters"):
        directory.create_mailbox("x@a.test", password_hash="{SSHA}" + "A" * 400)


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 1025])
def test_passwords_that_cannot_be_set(people: People, password: str) -> None:
    with pytest.raises(DirectoryError):
        directory.set_password(people.alice, password)


def test_a_failed_creation_leaves_nothing(people: People) -> None:
    before = (Mailbox.objects.count(), User.objects.count())
    with pytest.raises(DirectoryError, match="quota"):
        directory.create_mailbox("y@a.test", "secret", quota_bytes=-1)
    with pytest.raises(DirectoryError, match="cannot be imported"):
        directory.create_mailbox("y@a.test", password_hash="{MD5}abc")
    assert (Mailbox.objects.count(), User.objects.count()) == before


def test_a_new_mailbox_takes_over_nobodys_rights(people: People) -> None:
    User.objects.create_superuser("boss@a.test", "an admin's password")
    with pytest.raises(DirectoryError, match=r"boss@a\.test” exists already"):
        directory.create_mailbox("boss@a.test", PASSWORD)
    assert not Mailbox.objects.filter(local_part="boss").exists()


def test_a_password_or_a_suspension_ends_sessions(people: People) -> None:
    before = people.alice.credential_version
    directory.set_password(people.alice, "another")
    directory.suspend_mailbox(people.alice)
    assert Mailbox.objects.get(pk=people.alice.pk).credential_version == before + 2


def test_a_removed_address_stays_taken_until_it_is_purged(people: People) -> None:
    directory.remove_mailbox(people.alice)
    with pytest.raises(DirectoryError, match="can be restored"):
        directory.create_mailbox("alice@a.test", PASSWORD)
    with pytest.raises(DirectoryError, match="was removed"):
        directory.find_mailbox("alice@a.test")
    directory.purge_mailbox(directory.find_mailbox("alice@a.test", or_removed=True))
    anew = directory.create_mailbox("alice@a.test", PASSWORD)
    assert anew.pk != people.alice.pk
    # Alice ruled her tenant; who has her address now is somebody else.
    assert anew.user is not None
    assert anew.user.is_active
    assert not anew.user.memberships.exists()


def _uidvalidities(mailbox: Mailbox) -> set[int]:
    return set(Folder.objects.filter(mailbox=mailbox).values_list("uidvalidity", flat=True))


@pytest.mark.django_db(transaction=True)
def test_a_new_mailbox_of_an_old_address_has_no_old_uidvalidity(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9051 §2.3.1.1; POP3 would hide its mail from programs that leave mail on the server."""
    monkeypatch.setattr("accounts.directory.uidvalidity.time.time", lambda: 1_800_000_000.0)
    first = directory.create_mailbox("max@a.test", PASSWORD)
    # More folders than seconds went by.
    for name in ("one", "two", "three"):
        folders.create_folder(first.pk, name)
    old = _uidvalidities(first)
    # 1_800_000_000 seconds, told from the first one of 2025.
    assert min(old) >= 64_310_400
    directory.purge_mailbox(first)
    assert min(_uidvalidities(directory.create_mailbox("max@a.test", PASSWORD))) > max(old)


def test_the_inboxes_of_any_two_mailboxes_can_be_told_apart(people: People) -> None:
    """So one may take over the address of another."""
    inboxes = Folder.objects.filter(name="INBOX").values_list("uidvalidity", flat=True)
    assert len(set(inboxes)) == len(inboxes) > 1


def test_purging_takes_the_mail_and_the_user(people: People) -> None:
    mailbox = directory.create_mailbox("gone@a.test", PASSWORD)
    directory.purge_mailbox(mailbox)
    assert not Folder.objects.filter(mailbox_id=mailbox.pk).exists()
    assert not User.objects.filter(username="gone@a.test").exists()


def test_only_what_was_removed_long_ago_is_purged(people: People) -> None:
    now = timezone.now()
    directory.remove_mailbox(people.alice)
    directory.purge_due(now - timedelta(days=30))
    assert Mailbox.objects.filter(pk=people.alice.pk).exists()
    Mailbox.objects.filter(pk=people.alice.pk).update(removed_at=now - timedelta(days=31))
    directory.purge_due(now - timedelta(days=30))
    assert not Mailbox.objects.filter(pk=people.alice.pk).exists()
    assert Mailbox.objects.filter(pk=people.bob.pk).exists()


def test_a_lowered_quota_is_noticed_and_a_raised_one_too(people: People) -> None:
    Mailbox.objects.filter(pk=people.alice.pk).update(used_bytes=100)
    people.alice.refresh_from_db()
    directory.set_quota(people.alice, 100)
    assert people.alice.full_since is not None
    assert directory.resolve(to("alice@a.test")).reply_code == 452
    directory.set_quota(people.alice, 101)
    assert people.alice.full_since is None
    assert directory.resolve(to("alice@a.test")).kind == "local"


def test_messages_and_folders_are_limited_beside_octets(people: People) -> None:
    Mailbox.objects.filter(pk=people.alice.pk).update(used_messages=5)
    people.alice.refresh_from_db()
    directory.set_quota(people.alice, messages=5, folders=9)
    people.alice.refresh_from_db()
    assert (people.alice.quota_messages, people.alice.quota_folders) == (5, 9)
    assert people.alice.full_since is not None
    directory.set_quota(people.alice, 100)
    assert (people.alice.quota_messages, people.alice.quota_bytes) == (5, 100)
    directory.set_quota(people.alice, messages=6)
    assert people.alice.full_since is None
    for wrong in (-1, 1 << 31):
        with pytest.raises(DirectoryError):
            directory.set_quota(people.alice, messages=wrong)
        with pytest.raises(DirectoryError):
            directory.set_quota(people.alice, folders=wrong)


def test_who_has_the_job_sets_quotas_of_the_domain(people: People) -> None:
    bob, alice = people.bob.pk, people.alice.pk
    assert directory.settable_mailbox(bob, "alice@a.test") is None
    directory.set_quota_setter(people.bob)
    assert directory.settable_mailbox(bob, "Alice@A.test") == alice
    assert directory.settable_mailbox(bob, "bob@a.test") == bob
    for stranger in ("charlie@b.test", "nobody@a.test", "alice", "@a.test", ""):
        assert directory.settable_mailbox(bob, stranger) is None
    other = directory.create_domain(people.tenant, "other.test")
    directory.create_mailbox("dora@other.test", PASSWORD)
    assert directory.settable_mailbox(bob, f"dora@{other}") is None

    Mailbox.objects.filter(pk=alice).update(used_bytes=100)
    directory.set_quotas_of(alice, 100, 7, 0)
    people.alice.refresh_from_db()
    assert (people.alice.quota_bytes, people.alice.quota_messages) == (100, 7)
    assert people.alice.full_since is not None


@pytest.mark.parametrize("off", ["mailbox", "domain", "tenant", "reseller", "removed", "told"])
def test_the_job_ends_at_once(people: People, off: str) -> None:
    directory.set_quota_setter(people.bob)
    assert directory.settable_mailbox(people.bob.pk, "alice@a.test")
    match off:
        case "mailbox":
            directory.suspend_mailbox(people.bob)
        case "domain":
            directory.suspend_domain(people.domain)
        case "tenant":
            directory.suspend_tenant(people.tenant)
        case "reseller":
            reseller = directory.create_tenant("Reseller")
            Tenant.objects.filter(pk=people.tenant.pk).update(parent=reseller)
            directory.suspend_tenant(reseller)
        case "removed":
            directory.remove_mailbox(people.bob)
        case _:
            directory.set_quota_setter(people.bob, is_one=False)
    assert directory.settable_mailbox(people.bob.pk, "alice@a.test") is None


@pytest.mark.parametrize("name", ["-x.test", "x y.test", "127.0.0.1", "a..test", "", "x" * 64])
def test_names_that_are_no_domains(people: People, name: str) -> None:
    with pytest.raises(DirectoryError):
        directory.create_domain(people.tenant, name)


def test_a_domain_is_hosted_once(people: People) -> None:
    with pytest.raises(DirectoryError, match="already"):
        directory.create_domain(people.stranger_tenant, "A.Test.")


def test_a_domain_with_mailboxes_stays(people: People) -> None:
    with pytest.raises(DirectoryError, match="still has 2 mailboxes"):
        directory.remove_domain(people.domain)
    empty = directory.create_domain(people.tenant, "empty.test")
    directory.create_alias("x@empty.test", ["alice@a.test"])
    directory.remove_domain(empty)
    assert not Domain.objects.filter(name="empty.test").exists()
    assert not Alias.objects.filter(domain__name="empty.test").exists()


def test_alias_domains_do_not_form_chains(people: People) -> None:
    alias = directory.create_domain(people.tenant, "alias.test", alias_of=people.domain)
    with pytest.raises(DirectoryError, match="itself stands for"):
        directory.create_domain(people.tenant, "more.test", alias_of=alias)


@pytest.mark.parametrize(
    ("address", "targets", "reason"),
    [
        ("alice@a.test", ["bob@a.test"], "is a mailbox"),
        ("x@a.test", [], "at least one"),
        ("x@a.test", ["x@a.test"], "lead to itself"),
        ("x@a.test", ["nonsense"], "no address"),
        ("x@nowhere.test", ["bob@a.test"], "not hosted"),
    ],
)
def test_aliases_that_cannot_be_made(
    people: People, address: str, targets: list[str], reason: str
) -> None:
    with pytest.raises(DirectoryError, match=reason):
        directory.create_alias(address, targets)
    assert not Alias.objects.exists()


def test_a_target_of_ours_is_kept_by_key(people: People) -> None:
    alias = directory.create_alias("x@a.test", ["Alice@A.test"])
    assert alias.targets.get().mailbox_id == people.alice.pk
    assert directory.resolve(to("x@a.test")).mailboxes[0].address == "alice@a.test"


def test_a_target_elsewhere_is_kept_without_the_spaces_around(people: People) -> None:
    alias = directory.create_alias("x@a.test", [" Far @away.example "])
    assert alias.targets.get().forward_to == "Far@away.example"


def test_only_an_empty_tenant_may_go(people: People) -> None:
    with pytest.raises(DirectoryError, match="still has domains"):
        require_empty(people.tenant)
    require_empty(directory.create_tenant("Empty"))


def test_tenants_that_cannot_be_made(people: People) -> None:
    with pytest.raises(DirectoryError, match="exists already"):
        directory.create_tenant("Charlie Inc")
    with pytest.raises(DirectoryError, match="needs a name"):
        directory.create_tenant("  ")
