"""Who uses the admin with few permissions does and reads nothing beyond them."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts import app_passwords, directory, login
from accounts.admin.store import WIDE
from accounts.directory.sharing import delegates
from accounts.models import Alias, Credential, Domain, Mailbox, Message, User
from tests.accounts.people import PASSWORD, People, settle

pytestmark = pytest.mark.django_db(transaction=True)

admin.autodiscover()


@pytest.fixture
def people() -> People:
    return settle()


def staff(*permissions: str) -> Client:
    with transaction.atomic():
        user = User.objects.create_user("-".join(permissions), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user, backend="accounts.web_login.AdminBackend")
    return client


def url(model: Any, page: str, *arguments: object) -> str:
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=arguments)


def change(client: Client, mailbox: Mailbox, **fields: Any) -> Any:
    page = url(Mailbox, "change", mailbox.pk)
    form: dict[str, Any] = {"name": "", "quota_bytes": "0", "pop_deletion": "remove"}
    for formset in client.get(page).context["inline_admin_formsets"]:
        counts = formset.formset.management_form
        form |= {counts.add_prefix(name): counts[name].value() for name in counts.fields}
    return client.post(page, form | fields)


def opens(password: str) -> bool:
    answer = login.check("alice@a.test", password, service="web", peer="").result(20)
    return isinstance(answer, login.Identity)


HELPER = ("view_mailbox", "change_mailbox", "view_credential", "add_credential")
NEW = "another horse battery"
SECRETS: dict[str, Any] = {
    "password": NEW,
    "delegate": "bob@a.test",
    "delegate_rights": "all",
    "delegate_sends": "yes",
    "credentials-TOTAL_FORMS": "1",
    "credentials-INITIAL_FORMS": "0",
    "credentials-0-label": "phone",
    "credentials-0-protocols": ["imap"],
}


def test_who_may_change_mailboxes_lets_people_into_them(people: People) -> None:
    assert change_all(staff(*HELPER), people.alice)
    assert opens(NEW)
    assert [each.name for each in delegates(people.alice)] == ["bob@a.test"]
    assert Credential.objects.filter(kind=Credential.Kind.APP_PASSWORD).count() == 1


@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_nobody_gets_into_the_mailbox_of_an_admin_by_that(people: People, right: str) -> None:
    User.objects.filter(mailbox=people.alice).update(**{right: True})
    assert change_all(staff(*HELPER), people.alice)
    assert opens(PASSWORD)
    assert not delegates(people.alice)
    assert not app_passwords.list_app_passwords(people.alice)
    people.alice.refresh_from_db()
    assert people.alice.name == "Changed"
    for client in (staff("view_mailbox"), staff("change_mailbox")):
        assert client.get(url(Mailbox, "change", people.alice.pk)).status_code == 200


def test_who_may_change_users_may_change_an_admins_mailbox(people: People) -> None:
    User.objects.filter(mailbox=people.alice).update(is_staff=True)
    change_all(staff(*HELPER, "change_user"), people.alice)
    assert opens(NEW)


def change_all(client: Client, mailbox: Mailbox) -> bool:
    return bool(change(client, mailbox, **{"name": "Changed", **SECRETS}).status_code == 302)


def test_an_admin_changes_their_own_password(people: People) -> None:
    owner = people.alice.user
    assert owner
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    owner.user_permissions.set(Permission.objects.filter(codename="change_mailbox"))
    client = Client()
    client.force_login(owner, backend="accounts.web_login.MailboxBackend")
    change(client, people.alice, password=NEW)
    assert opens(NEW)


@pytest.mark.parametrize("column", WIDE)
def test_no_list_answers_what_stands_in_mail(people: People, column: str) -> None:
    page = url(Message, "changelist")
    client = staff("view_message")
    assert client.get(page, {"size__gt": "1"}).status_code == 200
    for lookup in (column, f"{column}__contains", f"{column}__gt"):
        assert client.get(page, {lookup: "private"}).status_code == 400


@pytest.mark.parametrize("word", ["page", "list"])
def test_aliases_go_with_their_domain_where_one_may_delete_aliases(
    people: People, word: str
) -> None:
    domain = directory.create_domain(people.tenant, "empty.test")
    directory.create_alias("info@empty.test", ["alice@a.test"])

    def delete(client: Client) -> None:
        if word == "page":
            client.post(url(Domain, "delete", domain.pk), {"post": "yes"})
        else:
            form = {"action": "delete_selected", "_selected_action": [domain.pk], "post": "yes"}
            client.post(url(Domain, "changelist"), form)

    delete(staff("view_domain", "delete_domain"))
    assert Alias.objects.exists()
    delete(staff("view_domain", "delete_domain", "delete_alias"))
    assert not Domain.objects.filter(pk=domain.pk).exists()
