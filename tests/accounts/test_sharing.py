"""Shared mailboxes: no login, delegates with rights, and who may send as them."""

import json
from io import StringIO

import pytest

from accounts import access_tokens, app_passwords, directory, login
from accounts.directory import DirectoryError, sharing
from accounts.mailstore import changes, folders, rights
from accounts.models import Mailbox, SenderRight, Tenant, User
from delivery.submission import may_send_as
from protocols.wire.smtp.address import Address
from tests.accounts.test_commands import run, run_as_typed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def house() -> None:
    for slug in "ab":
        directory.create_domain(Tenant.objects.create(slug=slug, name=slug), f"{slug}.test")
    for address in ("alice@a.test", "bob@a.test", "mallory@b.test"):
        directory.create_mailbox(address, "secret")
    directory.create_mailbox("info@a.test", is_shared=True)


def seen(address: str) -> dict[str, str]:
    """The folders of others that a mailbox sees, with its rights."""
    found = folders.list_all_seen(directory.find_mailbox(address).pk)
    return {
        folder.name: rights.spell(folder.rights)
        for folder in found
        if folder.name.startswith("Shared/")
    }


def sends_as(address: str, other: str) -> bool:
    identity = login.check(address, "secret", service="t", peer="").result()
    assert isinstance(identity, login.Identity)
    local, _, domain = other.partition("@")
    return may_send_as(identity, Address(local, domain))


def test_nobody_logs_in_to_a_shared_mailbox() -> None:
    mailbox = directory.find_mailbox("info@a.test")
    assert mailbox.user is None
    assert not User.objects.filter(username="info@a.test").exists()
    with pytest.raises(DirectoryError):
        directory.set_password(mailbox, "secret")
    with pytest.raises(DirectoryError):
        directory.create_mailbox("new@a.test", "secret", is_shared=True)
    # Not by a secret from before it was shared, of whatever kind.
    alice = directory.find_mailbox("alice@a.test")
    _, app_password = app_passwords.create_app_password(alice, "phone", ["imap"])
    access_tokens.create_token(alice, "script", ["imap"])
    identity = login.check("alice@a.test", "secret", service="imap", peer="").result()
    assert isinstance(identity, login.Identity)
    directory.set_shared(alice, is_shared=True)
    assert not login.still_valid(identity)
    for secret in ("secret", app_password):
        answer = login.check("alice@a.test", secret, service="imap", peer="").result()
        assert answer == login.Refused("credentials")
    assert not User.objects.get(username="alice@a.test").is_active
    directory.set_shared(alice, is_shared=False)
    answer = login.check("alice@a.test", "secret", service="imap", peer="").result()
    assert isinstance(answer, login.Identity)


def test_delegates_have_rights_in_all_folders_and_those_to_come() -> None:
    info = directory.find_mailbox("info@a.test")
    sharing.share_mailbox(info, "Bob@A.test", "read", send=None)
    assert len(seen("bob@a.test")) == 6
    assert set(seen("bob@a.test").values()) == {"lrs"}
    folders.create_folder(info.pk, "Later/Deep")
    assert seen("bob@a.test")["Shared/info@a.test/Later/Deep"] == "lrs"
    # A name that only holds others is a new folder when it is made again.
    folders.delete_folder(info.pk, "Later")
    folders.create_folder(info.pk, "Later")
    assert seen("bob@a.test")["Shared/info@a.test/Later"] == "lrs"
    # In place of what was; in one folder only what is named.
    sharing.share_mailbox(info, "bob@a.test", "lrik", send=None)
    assert set(seen("bob@a.test").values()) == {"lrik"}
    bob = directory.find_mailbox("bob@a.test")
    folders.create_folder(bob.pk, "Shared/info@a.test/Top")
    sharing.share_mailbox(info, "bob@a.test", "all", folder="Top", send=None)
    assert seen("bob@a.test")["Shared/info@a.test/Top"] == "lrswipkxtea"
    assert sharing.delegates(info) == [sharing.Delegate("bob@a.test", "lrik", False)]
    sharing.share_mailbox(info, "bob@a.test", "none", send=None)
    assert seen("bob@a.test") == {}
    assert sharing.delegates(info) == []


def test_a_delegate_hears_of_a_mailbox_at_once() -> None:
    bob = directory.find_mailbox("bob@a.test")
    heard: list[tuple[int, int]] = []
    leave = changes.subscribe_mailbox(bob.pk, lambda *notice: heard.append(notice), known_modseq=0)
    sharing.share_mailbox(directory.find_mailbox("info@a.test"), "bob@a.test", "read", send=None)
    leave()
    assert (0, 0) in heard


@pytest.mark.parametrize("name", ["mallory@b.test", "nobody@a.test", "info@a.test", "", "a b"])
def test_only_others_of_the_tenant_are_delegates(name: str) -> None:
    info = directory.find_mailbox("info@a.test")
    with pytest.raises(DirectoryError):
        sharing.share_mailbox(info, name, "read", send=True)
    assert sharing.delegates(info) == []


def test_to_send_as_is_given_to_mailboxes_only() -> None:
    info = directory.find_mailbox("info@a.test")
    for name in ("anyone", "-bob@a.test"):
        with pytest.raises(DirectoryError):
            sharing.share_mailbox(info, name, "read", send=True)
    assert not sends_as("bob@a.test", "info@a.test")
    sharing.share_mailbox(info, "bob@a.test", send=True)
    assert sends_as("bob@a.test", "info@a.test")
    assert not sends_as("alice@a.test", "info@a.test")
    # What somebody wrote past the verbs leads nowhere.
    SenderRight.objects.create(mailbox=info, grantee=directory.find_mailbox("mallory@b.test"))
    assert not sends_as("mallory@b.test", "info@a.test")
    directory.suspend_mailbox(info)
    assert not sends_as("bob@a.test", "info@a.test")
    directory.suspend_mailbox(info, is_suspended=False)
    sharing.share_mailbox(info, "bob@a.test", send=False)
    assert not sends_as("bob@a.test", "info@a.test")


def test_sharing_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("mailbox", "add", "team@a.test", "--shared") == "team@a.test is ready.\n"
    assert Mailbox.objects.get(local_part="team").is_shared
    said = run(
        *("mailbox", "share", "team@a.test", "--with", "bob@a.test"),
        *("--rights", "write", "--send-as"),
    )
    assert said == "bob@a.test has the rights lrswite in team@a.test and sends as it.\n"
    assert json.loads(run("mailbox", "share", "team@a.test", "--json")) == [
        {"with": "bob@a.test", "rights": "lrswite", "sends_as": True}
    ]
    said = run(
        *("mailbox", "share", "team@a.test", "--with", "bob@a.test"),
        *("--rights", "none", "--no-send-as"),
    )
    assert said == "bob@a.test has no rights in team@a.test and does not send as it.\n"
    run(
        *("mailbox", "share", "team@a.test", "--with", "anyone"),
        *("--rights", "read", "--folder", "INBOX"),
    )
    assert seen("bob@a.test") == {"Shared/team@a.test/INBOX": "lrs"}
    assert json.loads(run("mailbox", "share", "team@a.test", "--folder", "INBOX", "--json")) == [
        {"with": "anyone", "rights": "lrs", "sends_as": False}
    ]
    asked = ("mailbox", "share", "team@a.test", "--folder", "INBOX", "--with")
    said = run(*asked, "anyone")
    assert said == "anyone has the rights lrs in “INBOX” of team@a.test and does not send as it.\n"
    said = run(*asked, "bob@a.test")
    assert said.startswith("bob@a.test has no rights in “INBOX” of team@a.test ")
    for wrong in (
        # Without whom, nothing would happen, and nobody would be told.
        ("--rights", "read"),
        ("--send-as",),
        ("--folder", "none"),
        ("--with", "mallory@b.test", "--rights", "read"),
        ("--with", "bob@a.test", "--rights", "lrz"),
        ("--with", "bob@a.test", "--rights", "read", "--folder", "none"),
    ):
        status, _, err = run_as_typed(capsys, "mailbox", "share", "team@a.test", *wrong)
        assert status
        assert "Traceback" not in err
    listed = json.loads(run("mailbox", "list", "--json"))
    assert {row["address"]: row["state"] for row in listed}["team@a.test"] == "shared"


@pytest.mark.parametrize("way", [("--password", "p"), ("--password-stdin",)])
def test_a_password_for_a_shared_mailbox_is_refused(
    way: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("p\n"))
    status, _, err = run_as_typed(capsys, "mailbox", "add", "x@a.test", "--shared", *way)
    assert status
    assert err == "A shared mailbox has no password: nobody logs in to it.\n"
