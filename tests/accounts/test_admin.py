"""The admin: every page opens, lists stay cheap, verbs go through the directory, no hash shows."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import app_passwords, directory, effects, login, tasks
from accounts.admin import mailboxes as mailbox_pages
from accounts.admin.mailboxes import MailboxAdmin
from accounts.directory.sharing import Delegate
from accounts.mailstore import append
from accounts.models import (
    Alias,
    Change,
    Credential,
    Domain,
    Folder,
    Mailbox,
    Membership,
    Recoverable,
    Tenant,
    User,
)
from tests.accounts.as_owner import expunge_uids
from tests.accounts.people import PASSWORD, People, settle, to

pytestmark = pytest.mark.django_db(transaction=True)

admin.autodiscover()
OURS = [model for model in admin.site._registry if model._meta.app_label == "accounts"]
LOOK_ONLY = {
    *("folder", "message", "entry", "vanished", "recoverable", "change", "segment", "blob"),
}


@pytest.fixture
def people() -> People:
    return settle()


@pytest.fixture
def client(people: People) -> Client:
    client = Client()
    user = User.objects.create_superuser("admin", "secret")
    client.force_login(user, backend="accounts.web_login.AdminBackend")
    return client


def store_mail(mailbox: Mailbox, count: int) -> None:
    for number in range(count):
        octets = b"Subject: private matter %d\r\n\r\nhello\r\n" % number
        append.append_message(mailbox.pk, mailbox.folders.get(name="INBOX").pk, octets).result(20)


def url(model: Any, page: str, *arguments: object) -> str:
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=arguments)


def test_every_noun_is_there() -> None:
    names = {model._meta.model_name for model in OURS}
    assert names == {"tenant", "user", "domain", "mailbox", "alias", "clientrule"} | LOOK_ONLY


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
def test_every_list_and_page_opens(client: Client, people: People, model: Any) -> None:
    store_mail(people.alice, 2)
    directory.create_alias("info@a.test", ["alice@a.test", "far@away.example"])
    answer = client.get(url(model, "changelist"), {"q": "alice@a"})
    assert answer.status_code == 200
    row = model.objects.first()
    if row is not None:
        page = client.get(url(model, "change", row.pk))
        assert page.status_code == 200
        assert b"argon2" not in page.content
        assert b"private matter" not in page.content
    if model._meta.model_name in LOOK_ONLY:
        assert client.get(url(model, "add")).status_code == 403
        assert client.post(url(model, "delete", row.pk if row else 1)).status_code in (302, 403)
        assert model.objects.count() == (0 if row is None else model.objects.count())
    else:
        assert client.get(url(model, "add")).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
def test_a_longer_list_costs_no_more_queries(
    client: Client, people: People, model: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        directory.create_alias(f"info{number}@a.test", ["alice@a.test", "far@away.example"])
        directory.create_mailbox(f"more{number}@a.test", password_hash="")
        directory.create_domain(people.tenant, f"more{number}.test")
        directory.create_tenant(f"More {number}")
    store_mail(people.alice, 12)
    with django_assert_max_num_queries(11):
        assert client.get(url(model, "changelist")).status_code == 200


@pytest.mark.parametrize("model", [Tenant, Domain, Mailbox, Alias, User])
def test_a_fuller_page_costs_no_more_queries(
    client: Client, people: People, model: Any, django_assert_max_num_queries: Any
) -> None:
    targets = ["alice@a.test", "bob@a.test", *(f"far{n}@away.example" for n in range(15))]
    alias = directory.create_alias("info@a.test", targets)
    for number in range(15):
        directory.create_mailbox(f"more{number}@a.test")
        directory.create_alias(f"info{number}@a.test", ["alice@a.test"])
    row = {Tenant: people.tenant, Domain: people.domain, Mailbox: people.alice, Alias: alias}
    page = url(model, "change", (row.get(model) or people.users[0]).pk)
    client.get(page)
    with django_assert_max_num_queries(30):
        assert client.get(page).status_code == 200


@pytest.mark.parametrize(
    ("language", "said"), [("en", "On SQLite, arrivals"), ("es", "Con SQLite")]
)
def test_the_changes_say_where_arrivals_are(client: Client, language: str, said: str) -> None:
    page = client.get(url(Change, "changelist"), headers={"accept-language": language})
    assert said in page.content.decode()


def test_the_first_page_says_the_state(client: Client) -> None:
    page = client.get(reverse("admin:index")).content.decode()
    assert "2 domains with 3 mailboxes hold 0 of mail." in page


def test_the_list_shows_usage_and_what_needs_somebody(client: Client, people: People) -> None:
    Mailbox.objects.filter(pk=people.alice.pk).update(used_bytes=900, quota_bytes=1000)
    page = client.get(url(Mailbox, "changelist")).content.decode()
    assert "900 / 1000" in page
    assert "0 / unlimited" in page


def test_strangers_and_owners_do_not_get_in(people: People) -> None:
    client = Client()
    assert client.get(reverse("admin:index")).status_code == 302
    alice = people.users[0]
    client.force_login(alice, backend="accounts.web_login.MailboxBackend")
    assert client.get(url(Mailbox, "changelist")).status_code == 302


def test_the_login_page_takes_an_admins_password(client: Client) -> None:
    stranger = Client()
    where = reverse("admin:login")
    wrong = stranger.post(where, {"username": "admin", "password": "wrong"})
    assert wrong.status_code == 200
    assert stranger.post(where, {"username": "admin", "password": "secret"}).status_code == 302
    assert "Mailhost" in Client().get(where).content.decode()


@pytest.mark.parametrize(("language", "said"), [("en", "Nothing is here"), ("es", "no hay nada")])
def test_an_empty_list_asks_for_nothing_that_cannot_be_done(
    client: Client, language: str, said: str
) -> None:
    where = url(Recoverable, "changelist")
    page = client.get(where, headers={"Accept-Language": language}).content.decode()
    assert said in page
    assert re.search("Add something|Añada algo", page) is None


# What is changed here.


def post_mailbox(client: Client, where: str, **fields: Any) -> Any:
    form = {"name": "", "quota_bytes": "0", "password": "", "pop_deletion": "remove", **fields}
    prefixes = ("folders", "recoverable", "alias_targets", "credentials", "access_tokens")
    for prefix in (*prefixes, "given_rights", "senders"):
        form = {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0", **form}
    return client.post(where, form)


def post_app_password(client: Client, mailbox: Mailbox, label: str, *protocols: str) -> Any:
    return post_mailbox(
        client,
        url(Mailbox, "change", mailbox.pk),
        **{
            "credentials-TOTAL_FORMS": "1",
            "credentials-0-label": label,
            "credentials-0-protocols": protocols,
            "credentials-0-mailbox": str(mailbox.pk),
        },
    )


def opens(secret: str, service: str) -> bool:
    found = login.check("alice@a.test", secret, service=service, peer="").result(20)
    return isinstance(found, login.Identity)


def test_an_app_password_is_shown_once_and_revoked(client: Client, people: People) -> None:
    where = url(Mailbox, "change", people.alice.pk)
    assert post_app_password(client, people.alice, "Phone", "imap", "smtp").status_code == 302
    shown = client.get(where).content.decode()
    found = re.search(r"shown this once: ((?:[a-z2-9]{4}-){4}[a-z2-9]{4})", shown)
    assert found is not None
    assert opens(found[1], "imap")
    assert not opens(found[1], "pop3")
    row = Credential.objects.get(kind=Credential.Kind.APP_PASSWORD)
    again = client.get(where).content.decode()
    assert "Phone" in again
    for secret in (found[1], row.hash, row.scram):
        assert secret not in again
    gone = post_mailbox(
        client,
        where,
        **{
            "credentials-TOTAL_FORMS": "1",
            "credentials-INITIAL_FORMS": "1",
            "credentials-0-id": str(row.pk),
            "credentials-0-mailbox": str(people.alice.pk),
            "credentials-0-DELETE": "on",
        },
    )
    assert gone.status_code == 302
    assert not opens(found[1], "imap")
    assert opens(PASSWORD, "imap")


def test_what_stands_below_a_mailbox_is_said_in_the_readers_words(
    client: Client, people: People
) -> None:
    app_passwords.create_app_password(people.alice, "Phone", ["imap", "smtp"])
    directory.share_mailbox(people.alice, "bob@a.test", "read", send=True)
    where = url(Mailbox, "change", people.alice.pk)
    page = client.get(where, headers={"Accept-Language": "es"}).content.decode()
    assert "imap, smtp" in page
    # Neither a column without a translation nor a row's name that only a programmer reads.
    for word in ("Protocols", "in folder", f"{people.bob.pk} as {people.alice.pk}"):
        assert word not in page


def test_rows_below_a_page_lead_on_without_a_mouse(client: Client, people: People) -> None:
    inbox = people.alice.folders.get(name="INBOX")
    page = client.get(url(Mailbox, "change", people.alice.pk)).content.decode()
    link = page.partition(f'href="{url(Folder, "change", inbox.pk)}"')[0].rpartition("<a ")
    assert link[1]
    assert "hidden" not in link[2]
    # Nor does it stand in what is shown to who hovers alone.
    assert "group-hover/title:block" not in page


def test_no_field_is_too_narrow_for_an_address(client: Client, people: People) -> None:
    request = RequestFactory().get("/")
    for page, row in ((MailboxAdmin, people.alice), (MailboxAdmin, None)):
        lines = page(Mailbox, admin.site).get_fields(request, row)
        assert all(isinstance(line, str) or len(line) <= 2 for line in lines)
        assert row is None or "delegate" in lines


@pytest.mark.parametrize(
    ("label", "protocols", "said"),
    [("Old", ["imap"], "one with this label"), ("New", [], "required"), ("New", ["http"], "valid")],
)
def test_an_app_password_that_cannot_be_made(
    client: Client, people: People, label: str, protocols: list[str], said: str
) -> None:
    app_passwords.create_app_password(people.alice, "Old", ["imap"])
    answer = post_app_password(client, people.alice, label, *protocols)
    assert said in answer.content.decode()
    assert Credential.objects.filter(kind=Credential.Kind.APP_PASSWORD).count() == 1


def test_a_mailbox_is_told_to_take_app_passwords_only(client: Client, people: People) -> None:
    where = url(Mailbox, "change", people.alice.pk)
    assert post_mailbox(client, where, app_passwords_only="on").status_code == 302
    assert not opens(PASSWORD, "imap")
    assert post_mailbox(client, where).status_code == 302
    assert opens(PASSWORD, "imap")


def test_a_mailbox_is_given_the_quotas_of_its_domain(client: Client, people: People) -> None:
    where = url(Mailbox, "change", people.alice.pk)
    assert post_mailbox(client, where, sets_quotas="on").status_code == 302
    assert directory.settable_mailbox(people.alice.pk, "bob@a.test") == people.bob.pk
    assert post_mailbox(client, where).status_code == 302
    assert directory.settable_mailbox(people.alice.pk, "bob@a.test") is None


def test_a_shared_mailbox_and_its_delegates(client: Client, people: People) -> None:
    add = url(Mailbox, "add")
    form = {"domain": people.domain.pk, "local_part": "info", "is_shared": "on"}
    assert b"no password" in post_mailbox(client, add, **form, password="x").content
    assert post_mailbox(client, add, **form).status_code == 302
    info = directory.find_mailbox("info@a.test")
    assert info.is_shared
    where = url(Mailbox, "change", info.pk)
    delegate = {"is_shared": "on", "delegate": "alice@a.test"}
    answer = post_mailbox(client, where, **delegate, delegate_rights="read", delegate_sends="yes")
    assert answer.status_code == 302
    assert directory.delegates(info) == [Delegate("alice@a.test", "lrs", True)]
    assert b"alice@a.test" in client.get(where).content
    post_mailbox(client, where, **delegate, delegate_sends="no")
    assert directory.delegates(info) == [Delegate("alice@a.test", "lrs", False)]
    for wrong, said in (
        ({"delegate": "x@far.test", "delegate_rights": "read"}, b"no mailbox"),
        ({"delegate": "alice@a.test"}, b"what is to change"),
        ({"delegate_rights": "read"}, b"with whom"),
        ({"delegate": "anyone", "delegate_sends": "yes"}, b"Only a mailbox"),
    ):
        answer = post_mailbox(client, where, is_shared="on", **wrong)
        assert answer.status_code == 200
        assert said in answer.content
    assert post_mailbox(client, where, password="new one").status_code == 302
    assert not directory.find_mailbox("info@a.test").is_shared


def test_a_mailbox_is_made_with_its_password(client: Client, people: People) -> None:
    answer = post_mailbox(
        client,
        url(Mailbox, "add"),
        domain=people.domain.pk,
        local_part="Carol",
        quota_bytes="2G",
        quota_folders="9",
        password="carol's secret",
        name="Carol",
    )
    assert answer.status_code == 302
    carol = directory.find_mailbox("carol@a.test")
    assert (carol.quota_bytes, carol.name) == (2 << 30, "Carol")
    assert (carol.quota_messages, carol.quota_folders) == (0, 9)
    assert carol.folders.count() == 6
    found = login.check("carol@a.test", "carol's secret", service="t", peer="").result(20)
    assert isinstance(found, login.Identity)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"local_part": "alice", "password": "x"}, "already exists"),
        ({"local_part": "ALICE", "password": "x"}, "exists already"),
        ({"local_part": "a b", "password": "x"}, "before the @"),
        ({"local_part": "new", "password": ""}, "cannot be empty"),
        ({"local_part": "new", "password": "x", "quota_bytes": "lots"}, "no size"),
        ({"local_part": "new", "password": "x", "quota_messages": "-1"}, "greater than or equal"),
    ],
)
def test_what_cannot_be_made_is_said_in_the_form(
    client: Client, people: People, fields: dict[str, str], said: str
) -> None:
    before = Mailbox.objects.count()
    answer = post_mailbox(client, url(Mailbox, "add"), domain=people.domain.pk, **fields)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert Mailbox.objects.count() == before


def test_a_mailbox_is_changed_and_its_address_is_not(client: Client, people: People) -> None:
    where = url(Mailbox, "change", people.alice.pk)
    answer = post_mailbox(
        client,
        where,
        name="Alice L.",
        quota_bytes="1G",
        quota_messages="7",
        quota_folders="8",
        password="new one",
        local_part="mallory",
    )
    assert answer.status_code == 302
    alice = directory.find_mailbox("alice@a.test")
    assert (alice.name, alice.quota_bytes) == ("Alice L.", 1 << 30)
    assert (alice.quota_messages, alice.quota_folders) == (7, 8)
    found = login.check("alice@a.test", "new one", service="t", peer="").result(20)
    assert isinstance(found, login.Identity)


def test_no_password_given_keeps_the_password(client: Client, people: People) -> None:
    post_mailbox(client, url(Mailbox, "change", people.alice.pk), name="Alice")
    found = login.check("alice@a.test", PASSWORD, service="t", peer="").result(20)
    assert isinstance(found, login.Identity)


def act(client: Client, model: Any, action: str, *rows: Any) -> Any:
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(url(model, "changelist"), form, follow=True)


def test_actions_go_through_the_directory(client: Client, people: People) -> None:
    assert directory.resolve(to("alice@a.test")).kind == "local"
    act(client, Mailbox, "suspend", people.alice)
    assert directory.resolve(to("alice@a.test")).enhanced == "5.2.1"
    act(client, Mailbox, "resume", people.alice)
    for model, row in ((Domain, people.domain), (Tenant, people.tenant)):
        act(client, model, "suspend", row)
        assert directory.resolve(to("alice@a.test")).enhanced == "5.2.1"
        act(client, model, "resume", row)
        assert directory.resolve(to("alice@a.test")).kind == "local"


def test_rows_are_switched_and_deleted_from_their_list(client: Client, people: People) -> None:
    alias, other = (
        directory.create_alias(f"{name}@a.test", ["alice@a.test"]) for name in ("info", "press")
    )
    assert "disabled" in act(client, Alias, "disable", alias).text
    assert directory.resolve(to("info@a.test")).enhanced == "5.1.1"
    assert "1 was enabled." in act(client, Alias, "enable", alias).text
    assert directory.resolve(to("info@a.test")).kind == "local"
    form = {"action": "delete_selected", "_selected_action": [alias.pk], "post": "yes"}
    client.post(url(Alias, "changelist"), form)
    assert directory.resolve(to("info@a.test")).enhanced == "5.1.1"
    assert list(Alias.objects.all()) == [other]


def test_deleting_a_mailbox_can_be_undone_and_purging_cannot(
    client: Client, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudged: list[str] = []
    monkeypatch.setattr(mailbox_pages, "nudge", lambda task, within: nudged.append(task))
    store_mail(people.alice, 1)
    client.post(url(Mailbox, "delete", people.alice.pk), {"post": "yes"})
    people.alice.refresh_from_db()
    assert people.alice.removed_at is not None
    said = "Only what was removed before can be purged."
    assert said in act(client, Mailbox, "purge", people.bob).text
    assert Mailbox.objects.filter(pk=people.bob.pk).exists()
    act(client, Mailbox, "restore", people.alice)
    assert directory.find_mailbox("alice@a.test").folders.get(name="INBOX").exists_count == 1
    form = {"action": "delete_selected", "_selected_action": [people.alice.pk], "post": "yes"}
    client.post(url(Mailbox, "changelist"), form)
    assert effects.wait_idle()
    assert nudged == []
    told = act(client, Mailbox, "purge", people.alice).content.decode()
    assert "1 is being purged" in told
    assert said not in told
    page = client.get(url(Mailbox, "change", people.alice.pk)).text
    assert re.search(r">\s*being purged\s*<", page)
    told = act(client, Mailbox, "restore", people.alice).content.decode()
    assert "“alice@a.test” is being purged; when that is done its address is free again." in told
    assert effects.wait_idle()
    assert nudged == [tasks.purge_mailboxes.name]
    tasks.purge_mailboxes()
    assert not Mailbox.objects.filter(pk=people.alice.pk).exists()


def test_what_pop3_shows_and_deletes_is_chosen(client: Client, people: People) -> None:
    where = url(Mailbox, "change", people.alice.pk)
    chosen = {"pop_deletion": "trash", "pop_since": "2026-11-20"}
    assert post_mailbox(client, where, **chosen).status_code == 302
    people.alice.refresh_from_db()
    assert (people.alice.pop_deletion, str(people.alice.pop_since)) == ("trash", "2026-11-20")


def test_deleted_messages_are_listed_and_brought_back(client: Client, people: People) -> None:
    for mailbox in (people.alice, people.bob):
        store_mail(mailbox, 2)
        expunge_uids(mailbox.folders.get(name="INBOX").pk, None, only_deleted=False)
    directory.remove_mailbox(people.bob)
    page = client.get(url(Mailbox, "change", people.alice.pk)).content.decode()
    assert "recoverable-0" in page
    # The page of one row tells times as the list does.
    batch = Recoverable.objects.order_by("pk")[0]
    alone = client.get(url(Recoverable, "change", batch.pk)).content.decode()
    end = batch.at + timedelta(days=14)
    assert f"{end.day} {end:%b %Y, %H:%M}" in alone.replace("\xa0", " ")
    assert str(end) not in alone
    told = act(client, Recoverable, "bring_back", *Recoverable.objects.all()).content.decode()
    assert "2 messages are in “INBOX” again." in told
    assert "Restore the removed mailbox first." in told
    assert people.alice.folders.get(name="INBOX").exists_count == 2
    assert people.bob.folders.get(name="INBOX").exists_count == 0


def test_what_has_expired_is_not_shown(client: Client, people: People) -> None:
    store_mail(people.alice, 1)
    expunge_uids(people.alice.folders.get(name="INBOX").pk, None, only_deleted=False)
    batch = Recoverable.objects.get()
    Recoverable.objects.update(at=batch.at - timedelta(days=15))
    assert "recoverable-0" not in client.get(url(Mailbox, "change", people.alice.pk)).text
    assert client.get(url(Recoverable, "change", batch.pk)).status_code == 302
    act(client, Recoverable, "bring_back", batch)
    assert people.alice.folders.get(name="INBOX").exists_count == 0


def test_a_full_mailbox_gets_nothing_back(client: Client, people: People) -> None:
    store_mail(people.alice, 1)
    expunge_uids(people.alice.folders.get(name="INBOX").pk, None, only_deleted=False)
    directory.set_quota(people.alice, 1)
    told = act(client, Recoverable, "bring_back", *Recoverable.objects.all()).content.decode()
    assert "raise its quota first" in told
    assert Recoverable.objects.get().messages == 1


def test_only_who_may_change_mailboxes_brings_mail_back(client: Client, people: People) -> None:
    store_mail(people.alice, 1)
    expunge_uids(people.alice.folders.get(name="INBOX").pk, None, only_deleted=False)
    onlooker = User.objects.create_user("onlooker", is_staff=True)
    onlooker.user_permissions.add(Permission.objects.get(codename="view_recoverable"))
    client.force_login(onlooker, backend="accounts.web_login.AdminBackend")
    assert client.get(url(Recoverable, "changelist")).status_code == 200
    act(client, Recoverable, "bring_back", *Recoverable.objects.all())
    assert Recoverable.objects.get().messages == 1


def post_alias(client: Client, where: str, *targets: dict[str, Any], **fields: Any) -> Any:
    form: dict[str, Any] = {"is_enabled": "on", **fields}
    form |= {"targets-TOTAL_FORMS": str(len(targets)), "targets-INITIAL_FORMS": "0"}
    for number, target in enumerate(targets):
        form |= {f"targets-{number}-{name}": value for name, value in target.items()}
    return client.post(where, form)


def test_an_alias_is_made_with_its_targets(client: Client, people: People) -> None:
    assert directory.resolve(to("info@a.test")).enhanced == "5.1.1"
    answer = post_alias(
        client,
        url(Alias, "add"),
        {"mailbox": people.alice.pk, "forward_to": ""},
        {"mailbox": "", "forward_to": "Far@Away.example"},
        domain=people.domain.pk,
        local_part="Info",
    )
    assert answer.status_code == 302
    route = directory.resolve(to("info@a.test"))
    assert route.mailboxes[0].address == "alice@a.test"
    assert route.forwards == ("Far@away.example",)


@pytest.mark.parametrize(
    ("local_part", "target", "said"),
    [
        ("bob", {"forward_to": "far@away.example"}, "A mailbox has this address"),
        ("x", {"forward_to": ""}, "not both"),
        ("x", {"forward_to": "nonsense"}, "no address"),
    ],
)
def test_aliases_that_cannot_be_made(
    client: Client, people: People, local_part: str, target: dict[str, str], said: str
) -> None:
    where = url(Alias, "add")
    answer = post_alias(
        client, where, {"mailbox": "", **target}, domain=people.domain.pk, local_part=local_part
    )
    assert answer.status_code == 200
    assert said in answer.content.decode()
    # The name of a constraint tells a reader nothing.
    assert "aliastarget_one_of" not in answer.content.decode()
    assert not Alias.objects.exists()


def test_a_domain_is_checked_and_heard_of_at_once(client: Client, people: People) -> None:
    assert directory.resolve(to("x@bücher.test")).kind == "remote"
    form = {"name": "Bücher.test", "tenant": people.tenant.pk, "plus_separator": "+"}
    form |= {"recoverable_days": "7"}
    for prefix in ("mailboxes", "aliases", "dkim_keys"):
        form |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    assert client.post(url(Domain, "add"), {**form, "name": "no name"}).status_code == 200
    assert client.post(url(Domain, "add"), form).status_code == 302
    assert Domain.objects.filter(name="xn--bcher-kva.test").exists()
    assert directory.resolve(to("x@bücher.test")).kind == "refuse"


def test_no_tenant_is_its_own_reseller(client: Client, people: People) -> None:
    below = directory.create_tenant("Below")
    below.parent = people.tenant
    below.save()
    form = {"name": "A", "slug": people.tenant.slug}
    for prefix in ("domains", "memberships"):
        form |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    change = url(Tenant, "change", people.tenant.pk)
    for parent in (people.tenant, below):
        page = client.post(change, {**form, "parent": parent.pk}).content.decode()
        assert "A tenant cannot be below itself." in page
    answer = client.post(change, {**form, "parent": people.stranger_tenant.pk})
    assert answer.status_code == 302
    people.tenant.refresh_from_db()
    assert people.tenant.parent == people.stranger_tenant


def test_a_domain_with_mailboxes_is_not_deleted(client: Client, people: People) -> None:
    client.post(url(Domain, "delete", people.domain.pk), {"post": "yes"})
    assert Domain.objects.filter(pk=people.domain.pk).exists()


def test_the_owner_of_a_mailbox_has_no_password_field_here(client: Client, people: People) -> None:
    page = client.get(url(User, "change", people.users[0].pk)).content.decode()
    assert "../password/" not in page
    assert Membership.objects.filter(user=people.users[0]).exists()
