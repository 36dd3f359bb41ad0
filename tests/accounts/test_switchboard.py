"""The switchboard: whom a rule is about, what it masks, and that a change is heard at once."""

import json
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from accounts import directory
from accounts.directory import DirectoryError, switchboard
from accounts.directory.switchboard import hides, masked_by, rules_about
from accounts.models import ClientRule, User
from tests.accounts.people import People, settle
from tests.accounts.test_commands import run, run_as_typed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> People:
    return settle()


def masked(said: dict[str, str], mailbox_id: int | None = None) -> set[str]:
    return set(masked_by(rules_about(said), mailbox_id))


@pytest.mark.parametrize(
    ("field", "value", "is_exact", "said", "fits"),
    [
        ("name", "outlook", False, {"name": "Microsoft Outlook"}, True),
        ("name", "OUTLOOK", True, {"name": "Outlook"}, True),
        ("name", "Outlook", True, {"name": "Microsoft Outlook"}, False),
        ("name", "outlook", False, {"vendor": "outlook"}, False),
        ("", "outlook", False, {"vendor": "Outlook"}, True),
        ("version", "16.", False, {"name": "Outlook", "version": "16.0.1"}, True),
        ("name", "outlook", False, {}, False),
        ("name", "STRASSE", False, {"name": "straße"}, True),
    ],
)
def test_whom_a_rule_is_about(
    field: str, value: str, is_exact: bool, said: dict[str, str], fits: bool
) -> None:
    switchboard.create_rule("r", ["notify"], field=field, value=value, is_exact=is_exact)
    assert masked(said) == ({"NOTIFY"} if fits else set())


def test_a_mailbox_is_spared_after_its_login_and_no_other(people: People) -> None:
    switchboard.create_rule("r", ["COMPRESS"], mailbox=people.alice)
    assert masked({}, people.alice.pk) == {"COMPRESS"}
    assert masked({"name": "any"}, people.bob.pk) == masked({}) == set()


@pytest.mark.parametrize(
    ("names", "more"),
    [
        ("acl", "LIST-MYRIGHTS RIGHTS"),
        ("condstore,sort", "QRESYNC CONTEXT=SORT ESORT"),
        ("esearch", "CONTEXT ESORT MULTISEARCH PARTIAL SEARCHRES IMAP4REV2"),
        ("list-extended", "LIST-METADATA LIST-MYRIGHTS LIST-STATUS IMAP4REV2"),
        ("metadata", "FILTERS LIST-METADATA"),
        ("special-use", "CREATE-SPECIAL-USE IMAP4REV2"),
    ],
)
def test_what_is_built_on_the_masked_goes_too(names: str, more: str) -> None:
    switchboard.create_rule("r", [names], value="x")
    assert masked({"name": "x"}) == {*names.upper().split(","), *more.split()}


@pytest.mark.parametrize("name", ["move", "STATUS", "list-extended", "STATUS=SIZE"])
def test_imap4rev2_is_not_told_without_what_it_has_in_it(name: str) -> None:
    switchboard.create_rule("r", [name], value="x")
    assert "IMAP4REV2" in masked({"name": "x"})
    switchboard.create_rule("s", ["notify"], value="y")
    assert masked({"name": "y"}) == {"NOTIFY"}


def test_names_with_and_without_their_argument() -> None:
    assert hides(frozenset({"COMPRESS"}), "COMPRESS=DEFLATE")
    assert hides(frozenset({"AUTH=LOGIN"}), "auth=login")
    assert not hides(frozenset({"AUTH=LOGIN"}), "AUTH=PLAIN")
    assert not hides(frozenset({"SORT=DISPLAY"}), "SORT")
    assert not hides(frozenset(), "IDLE")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "at least one"),
        (["STARTTLS"], "cannot be masked"),
        (["imap4rev1"], "cannot be masked"),
        (["LOGINDISABLED"], "cannot be masked"),
        (["IDLE", "NO\x00NE"], "no name"),
        (["*"], "no name"),
        (["IDEL"], "no name"),
        (["SORT=FAST"], "no name"),
    ],
)
def test_what_cannot_be_masked(names: list[str], said: str) -> None:
    with pytest.raises(DirectoryError, match=said):
        switchboard.create_rule("r", names, value="x")
    assert not ClientRule.objects.exists()


def test_a_rule_about_nobody_is_none() -> None:
    with pytest.raises(DirectoryError, match="about a program"):
        switchboard.create_rule("r", ["IDLE"], value="  ")
    with pytest.raises(IntegrityError):
        ClientRule.objects.create(name="r", capabilities="IDLE")


@pytest.mark.parametrize(("name", "field", "value"), [("r", "n" * 900, "x"), ("r" * 900, "", "x")])
def test_what_is_longer_than_its_column_is_no_rule(name: str, field: str, value: str) -> None:
    with pytest.raises(DirectoryError, match="900"):
        switchboard.create_rule(name, ["IDLE"], field=field, value=value)
    assert not ClientRule.objects.exists()


def test_a_change_is_heard_at_once_and_costs_no_query_after(
    django_assert_num_queries: Any,
) -> None:
    rule = switchboard.create_rule("r", ["COMPRESS"], value="x")
    assert masked({"name": "x"}) == {"COMPRESS"}
    with django_assert_num_queries(0):
        masked({"name": "x"})
    switchboard.enable_rule(rule, is_enabled=False)
    assert masked({"name": "x"}) == set()
    switchboard.enable_rule(rule)
    assert masked({"name": "x"}) == {"COMPRESS"}
    switchboard.remove_rule(rule)
    assert masked({"name": "x"}) == set()


def test_there_are_not_too_many_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.limits.CLIENT_RULES", 1)
    switchboard.create_rule("r", ["IDLE"], value="x")
    with pytest.raises(DirectoryError, match="all there may be"):
        switchboard.create_rule("s", ["IDLE"], value="x")


def test_the_rule_of_a_new_instance_is_not_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    migration = import_module("accounts.migrations.0027_a_rule_for_offlineimap")
    monkeypatch.setattr("accounts.limits.CLIENT_RULES", 2)
    for name in ("r", "s"):
        switchboard.create_rule(name, ["IDLE"], value="x")
    migration.add_rule(apps, None)
    assert not ClientRule.objects.filter(name=migration.NAME).exists()
    switchboard.remove_rule(switchboard.find_rule("s"))
    for _again in range(2):
        migration.add_rule(apps, None)
    assert ClientRule.objects.get(name=migration.NAME).capabilities == "COMPRESS=DEFLATE"


# The command.


def test_rules_by_command(people: People) -> None:
    said = run("switchboard", "add", "Old Outlook", "compress", "IDLE", "--client", "Outlook")
    assert said.startswith("“Old Outlook” masks COMPRESS IDLE")
    run("switchboard", "add", "s", "SORT", "--client", "version=1.0", "--mailbox", "alice@a.test")
    run("switchboard", "add", "t", "MOVE", "--client", "*~apple")
    assert json.loads(run("switchboard", "list", "--json")) == [
        {
            "name": "Old Outlook",
            "program": "name~Outlook",
            "mailbox": "",
            "masks": ["COMPRESS", "IDLE"],
            "state": "enabled",
        },
        {
            "name": "s",
            "program": "version=1.0",
            "mailbox": "alice@a.test",
            "masks": ["SORT"],
            "state": "enabled",
        },
        {
            "name": "t",
            "program": "*~apple",
            "mailbox": "",
            "masks": ["MOVE"],
            "state": "enabled",
        },
    ]
    asked = ("--client", "name=outlook 2003", "--client", "version=1.0")
    assert run("switchboard", "show", *asked).split() == [
        "capability",
        "COMPRESS",
        "IDLE",
        "IMAP4REV2",
    ]
    run("switchboard", "disable", "Old Outlook")
    shown = run("switchboard", "show", *asked, "--mailbox", "alice@a.test", "--json")
    assert [row["capability"] for row in json.loads(shown)] == ["CONTEXT=SORT", "ESORT", "SORT"]
    run("switchboard", "enable", "Old Outlook")
    run("switchboard", "remove", "s")
    assert run("switchboard", "list").split()[5:7] == ["Old", "Outlook"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "r", "IDLE"),
        ("add", "r", "STARTTLS", "--client", "x"),
        ("add", "r", "IDLE", "--mailbox", "nobody@a.test"),
        ("remove", "r"),
        ("show", "--client", "outlook"),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    status, out, err = run_as_typed(capsys, "switchboard", *arguments)
    assert (status, out, len(err.splitlines())) == (1, "", 1)


def test_help_tells_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run_as_typed(capsys, "switchboard", "--help")
    assert status == 0
    assert "disable" in out


# The admin.


@pytest.fixture
def admin_page(people: People) -> Client:
    client = Client()
    user = User.objects.create_superuser("admin", "secret")
    client.force_login(user, backend="accounts.web_login.AdminBackend")
    return client


def url(page: str, *arguments: object) -> str:
    return reverse(f"admin:accounts_clientrule_{page}", args=arguments)


def test_rules_in_the_admin(admin_page: Client, people: People) -> None:
    form = {"name": "r", "field": "Name", "value": "Outlook", "capabilities": "idle, move"}
    assert admin_page.post(url("add"), {**form, "is_enabled": "on"}).status_code == 302
    rule = ClientRule.objects.get()
    assert (rule.field, rule.capabilities) == ("name", "IDLE MOVE")
    assert masked({"name": "outlook"}) == {"IDLE", "MOVE", "IMAP4REV2"}
    found = admin_page.get(url("changelist"), {"q": "outl", "is_enabled__exact": "1"})
    assert "name~Outlook" in found.content.decode()
    answer = admin_page.post(url("change", rule.pk), {**form, "capabilities": "IDLE"})
    assert answer.status_code == 302
    assert masked({"name": "outlook"}) == set()
    chosen = {"action": "enable", "_selected_action": [rule.pk]}
    admin_page.post(url("changelist"), chosen)
    assert masked({"name": "outlook"}) == {"IDLE", "IMAP4REV2"}
    admin_page.post(url("delete", rule.pk), {"post": "yes"})
    assert masked({"name": "outlook"}) == set()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"value": ""}, "about a program, a mailbox, or both"),
        ({"value": "", "capabilities": "COMPRES"}, "about a program, a mailbox, or both"),
        ({"capabilities": "STARTTLS"}, "cannot be masked"),
        ({"capabilities": " , "}, "at least one"),
    ],
)
def test_a_rule_that_cannot_be_made(admin_page: Client, changed: dict[str, str], said: str) -> None:
    form = {"name": "r", "field": "name", "value": "Outlook", "capabilities": "IDLE", **changed}
    answer = admin_page.post(url("add"), form)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    # The name of a constraint tells a reader nothing.
    assert "clientrule_about" not in answer.content.decode()
    assert not ClientRule.objects.exists()


def test_the_pages_speak_spanish(admin_page: Client) -> None:
    page = admin_page.get(url("add"), headers={"accept-language": "es"}).content.decode()
    assert "Separadas por espacios" in page


def test_the_directory_is_what_is_asked(people: People) -> None:
    # A rule of a mailbox that is purged goes with it.
    switchboard.create_rule("r", ["IDLE"], mailbox=people.alice)
    directory.purge_mailbox(people.alice)
    assert not ClientRule.objects.exists()
