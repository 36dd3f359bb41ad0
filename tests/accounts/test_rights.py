"""Rights in folders of others: who has which, and that every verb of the store asks."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from accounts.mailstore import acl, copy, expunge, flags, folders, overview, rights, subscriptions
from accounts.mailstore.append import append_message
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.refusals import (
    BadFolderName,
    NoSuchFolder,
    NoSuchIdentifier,
    NotPermitted,
    TooManyEntries,
)
from accounts.mailstore.rights import ALL, NONE, Right
from accounts.models import Domain, Entry, Folder, FolderRight, Mailbox, Message, Tenant
from tests.accounts.mail import HELLO, append_many, counters_agree, flags_of, inbox

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class House:
    """Alice owns `Reports` with three messages; Bob is of her tenant, Mallory of another."""

    alice: int
    bob: int
    mallory: int
    folder: int

    def share(self, name: str, letters: str, folder: str = "Reports", by: int = 0) -> None:
        owner = self.alice
        found = folders.find_folder(owner, folder, NONE)
        given = rights.parse(letters)
        acl.set_rights(by or owner, found, acl.identified(owner, name), "", given)

    def held(self, who: int) -> str:
        return rights.spell(rights.held(who, self.alice, self.folder))


@pytest.fixture
def house() -> House:
    keys = []
    for slug, names in (("a", ("alice", "bob")), ("b", ("mallory",))):
        tenant = Tenant.objects.create(name=slug, slug=slug)
        domain = Domain.objects.create(tenant=tenant, name=f"{slug}.test")
        for name in names:
            mailbox = Mailbox.objects.create(domain=domain, local_part=name)
            folders.provision(mailbox.pk)
            keys.append(mailbox.pk)
    folder = folders.create_folder(keys[0], "Reports").id
    append_many(keys[0], folder, 3)
    return House(*keys, folder)


def test_letters_and_what_older_clients_call_them() -> None:
    assert rights.parse("lrswipkxtea") == ALL
    assert rights.parse("lrcd") == rights.parse("lrkxte")
    assert rights.spell_for_clients(rights.parse("rlk")) == "lrkc"
    assert rights.spell_for_clients(rights.parse("e")) == "ed"
    assert rights.spell_for_clients(NONE) == ""


def test_entries_add_up_and_negative_ones_take_away(house: House) -> None:
    assert house.held(house.bob) == ""
    house.share("bob@a.test", "lrs")
    house.share("anyone", "lw")
    assert house.held(house.bob) == "lrsw"
    house.share("-bob@a.test", "w")
    house.share("-anyone", "s")
    assert house.held(house.bob) == "lr"
    assert house.held(house.alice) == "lrswipkxtea"
    house.share("bob@a.test", "")
    assert house.held(house.bob) == "l"


def test_an_owner_costs_no_query(house: House, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        assert rights.held(house.alice, house.alice, house.folder) == ALL
    with django_assert_num_queries(1):
        rights.held(house.bob, house.alice, house.folder)


def test_nothing_leads_to_another_tenant(house: House) -> None:
    house.share("anyone", "lrswipkxtea")
    assert house.held(house.mallory) == ""
    # Nor does an answer tell what another tenant has.
    for address in "mallory@b.test", "nobody@b.test", "nobody@a.test":
        with pytest.raises(NoSuchIdentifier, match="no such mailbox in your organisation"):
            acl.identified(house.alice, address)
    # Nor does a row that somebody wrote past the verbs, or that a move left behind.
    tenant = Tenant.objects.get(slug="a")
    FolderRight.objects.create(
        mailbox_id=house.alice,
        folder_id=house.folder,
        tenant=tenant,
        grantee_id=house.mallory,
        letters="lr",
    )
    assert house.held(house.mallory) == ""
    FolderRight.objects.update(tenant=Tenant.objects.get(slug="b"))
    assert house.held(house.mallory) == ""
    assert house.held(house.bob) == ""
    with pytest.raises(NoSuchIdentifier):
        acl.set_rights(
            house.alice,
            folders.get_folder(house.folder),
            acl.Identifier(house.mallory),
            "",
            Right.READ,
        )


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("column", ["is_suspended", "removed_at"])
def test_a_suspension_or_removal_of_either_ends_rights(house: House, who: str, column: str) -> None:
    house.share("bob@a.test", "lr")
    house.share("anyone", "lr")
    value = True if column == "is_suspended" else "2026-11-26T00:00:00Z"
    Mailbox.objects.filter(pk=getattr(house, who)).update(**{column: value})
    assert house.held(house.bob) == ""
    assert [f.name for f in folders.list_all_seen(house.bob) if "Shared" in f.name] == []
    with pytest.raises(NoSuchFolder):
        folders.find_folder(house.bob, "Shared/alice@a.test/Reports")


@pytest.mark.parametrize("above", [False, True])
def test_a_suspended_tenant_or_reseller_ends_rights(house: House, above: bool) -> None:
    house.share("bob@a.test", "lr")
    tenant = Tenant.objects.get(slug="a")
    if above:
        tenant.parent = tenant = Tenant.objects.create(name="R", slug="r")
        Tenant.objects.filter(slug="a").update(parent=tenant)
    assert house.held(house.bob) == "lr"
    Tenant.objects.filter(pk=tenant.pk).update(is_suspended=True)
    assert house.held(house.bob) == ""
    assert len(folders.list_all_seen(house.bob)) == 6


def test_a_renamed_mailbox_keeps_its_rights_and_nobody_inherits_the_name(house: House) -> None:
    house.share("bob@a.test", "lr")
    Mailbox.objects.filter(pk=house.bob).update(local_part="robert")
    heir = Mailbox.objects.create(domain=Domain.objects.get(name="a.test"), local_part="bob")
    assert house.held(house.bob) == "lr"
    assert house.held(heir.pk) == ""
    names = [entry.name for entry in acl.entries(folders.get_folder(house.folder))]
    assert names == ["alice@a.test", "robert@a.test"]


def test_a_deleted_mailbox_or_folder_leaves_no_entry(house: House) -> None:
    house.share("bob@a.test", "lr")
    folders.delete_folder(house.alice, "Reports")
    assert not FolderRight.objects.exists()
    folders.create_folder(house.alice, "Reports")
    assert house.held(house.bob) == ""


def test_a_name_that_only_holds_others_has_no_rights_left(house: House) -> None:
    folders.create_folder(house.alice, "Reports/2026")
    house.share("bob@a.test", "lr")
    folders.delete_folder(house.alice, "Reports")
    folders.create_folder(house.alice, "Reports")
    assert house.held(house.bob) == ""


def test_a_new_folder_inherits(house: House) -> None:
    house.share("bob@a.test", "lrk")
    house.share("-anyone", "s")
    made = folders.create_folder(house.alice, "Reports/2026/May")
    for name in ("Reports/2026", "Reports/2026/May"):
        listed = acl.entries(folders.find_folder(house.alice, name))
        assert [(entry.name, rights.spell(entry.rights)) for entry in listed[1:]] == [
            ("-anyone", "s"),
            ("bob@a.test", "lrk"),
        ]
    # A rename changes no list.
    folders.rename_folder(house.alice, "Reports/2026/May", "May")
    assert rights.spell(rights.held(house.bob, house.alice, made.id)) == "lrk"
    bob = acl.identified(house.alice, "bob@a.test")
    acl.set_rights_everywhere(house.alice, bob, Right.LOOKUP)
    assert [entry.name for entry in acl.root_entries(house.alice)] == ["bob@a.test"]
    top = folders.create_folder(house.alice, "Top")
    for folder in (house.folder, made.id, top.id):
        assert rights.held(house.bob, house.alice, folder) == Right.LOOKUP


def test_others_see_folders_below_the_owners_address(house: House) -> None:
    house.share("bob@a.test", "lr")
    house.share("bob@a.test", "r", folder="Drafts")
    house.share("bob@a.test", "l", folder="INBOX")
    seen = {f.name: f for f in folders.list_all_seen(house.bob) if f.name.startswith("Shared/")}
    assert set(seen) == {"Shared/alice@a.test/INBOX", "Shared/alice@a.test/Reports"}
    found = folders.find_folder(house.bob, "Shared/Alice@A.test/Reports")
    assert (found.id, found.mailbox_id) == (house.folder, house.alice)
    assert found.name == "Shared/alice@a.test/Reports"
    assert rights.spell(found.rights) == "lr"
    assert found.exists == 3
    with pytest.raises(NotPermitted):
        folders.find_folder(house.bob, "Shared/alice@a.test/inbox")
    with pytest.raises(NoSuchFolder):
        folders.find_folder(house.bob, "Shared/alice@a.test/Sent")
    # One's own are not found again below the shared ones.
    assert all(not f.name.startswith("Shared/") for f in folders.list_all_seen(house.alice))
    with pytest.raises(NoSuchFolder):
        folders.find_folder(house.alice, "Shared/alice@a.test/Reports")


Verb = Callable[[int, int], object]

# Each with the rights that it needs, and what it does to a folder.
VERBS: dict[str, tuple[str, Verb]] = {
    "seen": (
        "rs",
        lambda f, who: flags.store_flags(f, [1], StoreMode.ADD, Flag.SEEN, actor=who),
    ),
    "deleted": (
        "rt",
        lambda f, who: flags.store_flags(f, [1], StoreMode.ADD, Flag.DELETED, actor=who),
    ),
    "keyword": (
        "rw",
        lambda f, who: flags.store_flags(f, [1], StoreMode.ADD, 0, ["Work"], actor=who),
    ),
    "replace flags": (
        "rw",
        lambda f, who: flags.store_flags(f, [1], StoreMode.SET, Flag.FLAGGED, actor=who),
    ),
    "expunge": ("e", lambda f, who: expunge.expunge_uids(f, [1], actor=who)),
    "remove": ("te", lambda f, who: expunge.expunge_uids(f, [1], actor=who, only_deleted=False)),
    "copy from": ("r", lambda f, who: copy.copy_uids(f, [1], inbox(who), actor=who)),
    "copy within": ("ri", lambda f, who: copy.copy_uids(f, [1], f, actor=who)),
    "move from": ("rte", lambda f, who: copy.move_uids(f, [1], inbox(who), actor=who)),
    "append": (
        "i",
        lambda f, who: append_message(
            Folder.objects.get(pk=f).mailbox_id, f, HELLO, actor=who
        ).result(10),
    ),
    "replace": (
        "ite",
        lambda f, who: append_message(
            Folder.objects.get(pk=f).mailbox_id, f, HELLO, replaced=(f, 1), actor=who
        ).result(10),
    ),
    "share": (
        "a",
        lambda f, who: acl.set_rights(
            who, folders.get_folder(f), acl.Identifier(None), "", Right.READ
        ),
    ),
    "create": ("k", lambda f, who: folders.create_folder(who, "Shared/alice@a.test/Reports/x")),
    "delete": ("x", lambda f, who: folders.delete_folder(who, "Shared/alice@a.test/Reports")),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_asks_inside_the_store(house: House, verb: str) -> None:
    needed, act = VERBS[verb]
    refusal = (NoSuchFolder, NotPermitted)
    before = list(Entry.objects.order_by("pk").values_list())
    # A stranger of another tenant, a colleague without rights, one who lacks a single right.
    house.share("anyone", "lrswipkxtea")
    with pytest.raises(refusal):
        act(house.folder, house.mallory)
    house.share("anyone", "")
    with pytest.raises(refusal):
        act(house.folder, house.bob)
    for missing in needed:
        house.share("bob@a.test", "".join(set("lrswipkxtea") - set(missing)))
        if verb == "replace flags":
            # What may not be changed stays; only with none of them it is refused.
            house.share("bob@a.test", "r")
        with pytest.raises(refusal):
            act(house.folder, house.bob)
    assert list(Entry.objects.order_by("pk").values_list()) == before
    house.share("bob@a.test", needed)
    act(house.folder, house.bob)
    assert counters_agree(house.alice)
    assert counters_agree(house.bob)


def test_flags_that_one_may_not_change_stay(house: House) -> None:
    owner = house.alice
    flags.store_flags(house.folder, [1], StoreMode.SET, Flag.DELETED | Flag.SEEN, actor=owner)
    house.share("bob@a.test", "lrw")
    flags.store_flags(house.folder, [1], StoreMode.SET, Flag.FLAGGED, ["Work"], actor=house.bob)
    assert flags_of(house.folder)[1] == Flag.DELETED | Flag.SEEN | Flag.FLAGGED
    house.share("bob@a.test", "lrs")
    flags.store_flags(house.folder, [1], StoreMode.SET, 0, actor=house.bob)
    assert flags_of(house.folder)[1] == Flag.DELETED | Flag.FLAGGED
    assert Entry.objects.get(folder=house.folder, uid=1).keywords == 1
    everything = Flag.SEEN | Flag.DELETED
    flags.store_flags(house.folder, [1], StoreMode.REMOVE, everything, ["Work"], actor=house.bob)
    assert Entry.objects.get(folder=house.folder, uid=1).keywords == 1
    assert counters_agree(owner)


def test_a_copy_to_another_mailbox_is_a_message_of_its_own(house: House) -> None:
    everything = Flag.SEEN | Flag.DELETED | Flag.FLAGGED
    mine = append_many(house.bob, inbox(house.bob), 3, flags=everything)
    house.share("bob@a.test", "lis")
    done = copy.copy_uids(inbox(house.bob), mine, house.folder, actor=house.bob)
    assert done.targets == (4, 5, 6)
    assert set(flags_of(house.folder).values()) == {0, Flag.SEEN}
    owners = Entry.objects.filter(folder=house.folder).values_list("message__mailbox", flat=True)
    assert set(owners) == {house.alice}
    # The octets are the same ones, and stay when the first owner goes.
    assert Message.objects.filter(mailbox=house.alice).count() == 6
    assert Message.objects.values("blob").distinct().count() == 6
    shown = overview.read(house.folder, done.targets, b"\0")
    assert shown is not None
    assert shown == overview.read(inbox(house.bob), mine, b"\0")
    assert counters_agree(house.alice)
    assert counters_agree(house.bob)
    moved = copy.move_uids(inbox(house.bob), mine[:2], house.folder, actor=house.bob)
    assert moved.targets == (7, 8)
    assert counters_agree(house.alice)
    assert counters_agree(house.bob)


def test_the_owner_pays_for_what_others_store(house: House) -> None:
    from accounts.mailstore.refusals import OverQuota

    mine = append_many(house.bob, inbox(house.bob), 1)
    house.share("bob@a.test", "lri")
    used = Mailbox.objects.get(pk=house.alice).used_bytes
    Mailbox.objects.filter(pk=house.alice).update(quota_bytes=used + 10)
    for verb in (copy.copy_uids, copy.move_uids):
        with pytest.raises(OverQuota):
            verb(inbox(house.bob), mine, house.folder, actor=house.bob)
    with pytest.raises(OverQuota):
        append_message(house.alice, house.folder, HELLO, actor=house.bob).result(10)
    assert counters_agree(house.bob)


def test_an_append_names_the_folders_true_owner(house: House) -> None:
    with pytest.raises(NoSuchFolder):
        append_message(house.bob, house.folder, HELLO).result(10)
    house.share("bob@a.test", "lri")
    with pytest.raises((NoSuchFolder, LookupError)):
        append_message(house.bob, house.folder, HELLO, actor=house.bob).result(10)


def test_folders_are_made_and_renamed_where_that_was_given(house: House) -> None:
    there = "Shared/alice@a.test"
    with pytest.raises(NotPermitted):
        folders.create_folder(house.bob, f"{there}/Top")
    for address in ("nobody@a.test", "mallory@b.test"):
        with pytest.raises(NotPermitted):
            folders.create_folder(house.bob, f"Shared/{address}/Top")
    house.share("bob@a.test", "lrkx")
    made = folders.create_folder(house.bob, f"{there}/Reports/2026")
    assert made.name == f"{there}/Reports/2026"
    assert made.mailbox_id == house.alice
    folders.rename_folder(house.bob, f"{there}/Reports/2026", f"{there}/Reports/2027")
    with pytest.raises(NotPermitted):
        folders.rename_folder(house.bob, f"{there}/Reports/2027", f"{there}/Mine")
    with pytest.raises(BadFolderName):
        folders.rename_folder(house.bob, f"{there}/Reports/2027", "Mine")
    house.share("bob@a.test", "lrkx", folder="INBOX")
    with pytest.raises(NotPermitted):
        folders.rename_folder(house.bob, f"{there}/INBOX", f"{there}/Reports/In")
    subscriptions.subscribe(house.bob, "Shared/ALICE@a.test/inbox/x")
    assert "Shared/alice@a.test/INBOX/x" in subscriptions.list_subscriptions(house.bob)
    subscriptions.unsubscribe(house.bob, "Shared/alice@a.test/Inbox/x")
    assert "Shared/alice@a.test/INBOX/x" not in subscriptions.list_subscriptions(house.bob)


def test_no_write_overtakes_the_end_of_its_right(house: House) -> None:
    for _ in range(5):
        house.share("bob@a.test", "lri")
        early = [
            append_message(house.alice, house.folder, HELLO, actor=house.bob) for _ in range(20)
        ]
        house.share("bob@a.test", "lr")
        late = [
            append_message(house.alice, house.folder, HELLO, actor=house.bob) for _ in range(20)
        ]
        assert all(isinstance(future.exception(30), NotPermitted) for future in late)
        # Those before it got in or were refused, each as it was told.
        told = [future.exception(30) for future in early]
        assert all(error is None or isinstance(error, NotPermitted) for error in told)
    stored = Entry.objects.filter(folder=house.folder).count()
    assert stored == folders.get_folder(house.folder).exists
    assert counters_agree(house.alice)


def test_a_list_is_bounded_and_the_owner_stays_in_it(house: House) -> None:
    domain = Domain.objects.get(name="a.test")
    made = Mailbox.objects.bulk_create(
        Mailbox(domain=domain, local_part=f"m{number}") for number in range(acl.MAX_ENTRIES)
    )
    FolderRight.objects.bulk_create(
        FolderRight(
            mailbox_id=house.alice,
            folder_id=house.folder,
            tenant=domain.tenant,
            grantee=each,
            letters="l",
        )
        for each in made
    )
    with pytest.raises(TooManyEntries):
        house.share("bob@a.test", "lr")
    house.share("m7@a.test", "lr")
    house.share("m8@a.test", "")
    house.share("bob@a.test", "lra")
    with pytest.raises(NotPermitted):
        house.share("alice@a.test", "l", by=house.bob)
    with pytest.raises(NotPermitted):
        house.share("alice@a.test", "")
    # Who may administer may take that from themselves.
    house.share("bob@a.test", "l", by=house.bob)
    with pytest.raises(NotPermitted):
        house.share("bob@a.test", "lra", by=house.bob)
