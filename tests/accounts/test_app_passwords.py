"""App passwords and tokens: made once, open what they are for, are revoked, and leave no secret."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import (
    access_tokens,
    app_passwords,
    directory,
    effects,
    generated_secrets,
    hashers,
    keyring,
    login,
    proofs,
    scram_secrets,
)
from accounts.directory import DirectoryError
from accounts.login import Identity, Refused
from accounts.models import AccessToken, Credential
from accounts.throttle import FREE
from protocols.wire import sasl
from tests.accounts.people import PASSWORD, People, settle
from tests.accounts.test_commands import run, run_as_typed

pytestmark = pytest.mark.django_db(transaction=True)
PEER = "192.0.2.1"
ALL = ("imap", "pop", "smtp")
ALICE = "alice@a.test"


@pytest.fixture
def people() -> People:
    return settle()


def check(password: str, service: str = "imap", address: str = ALICE) -> Any:
    return login.check(address, password, service=service, peer=PEER).result(20)


def check_token(token: str, service: str = "imap", username: str = "") -> Any:
    return proofs.check_token(sasl.Bearer(token, username), service=service, peer=PEER)


def test_what_is_generated() -> None:
    passwords = {generated_secrets.make_app_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(re.fullmatch(r"([a-hjkmnp-z2-9]{4}-){4}[a-hjkmnp-z2-9]{4}", p) for p in passwords)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", generated_secrets.make_token())


def test_it_opens_what_it_is_for_without_a_hash(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    _row, password = app_passwords.create_app_password(people.alice, "Phone", ["imap", "smtp"])
    monkeypatch.setattr(hashers, "verify", lambda *_: pytest.fail("hashed"))
    assert isinstance(check(password), Identity)
    assert isinstance(check(password, "submission"), Identity)


def test_it_may_be_typed_as_people_type(people: People) -> None:
    _row, password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    letters = password.replace("-", "")
    for typed in (
        letters,
        letters.upper(),
        password.replace("-", " ").title(),
        password.replace("-", "\u2013"),
        f" {password}\t",
        f"{letters[:7]} - {letters[7:]}",
    ):
        assert isinstance(check(typed), Identity), typed
    for wrong in (letters[:-1], letters + "a", password.replace("-", "_"), letters[::-1]):
        assert check(wrong) == Refused("credentials"), wrong


def test_a_password_of_its_own_counts_as_it_was_typed(people: People) -> None:
    app_passwords.create_app_password(people.alice, "Phone", ALL)
    directory.set_password(people.alice, "abcd efgh jkmn pqrs tuvw")
    assert isinstance(check("abcd efgh jkmn pqrs tuvw"), Identity)
    assert check("abcd-efgh-jkmn-pqrs-tuvw") == Refused("credentials")


def test_it_opens_nothing_else(people: People) -> None:
    _row, password = app_passwords.create_app_password(people.alice, "Phone", ["imap"])
    for service in ("pop3", "submission", "web"):
        assert check(password, service) == Refused("credentials")
    assert check(password, address="bob@a.test") == Refused("credentials")
    assert isinstance(check(PASSWORD), Identity)


def test_no_row_has_the_secret(people: People) -> None:
    _row, password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    _token_row, token = access_tokens.create_token(people.alice, "Phone", ALL)
    rows = [*Credential.objects.values_list(), *AccessToken.objects.values_list()]
    assert password not in repr(rows)
    assert token not in repr(rows)


def test_a_revoked_one_opens_nothing_and_its_sessions_end(people: People) -> None:
    row, password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    identity = check(password)
    app_passwords.revoke_app_password(people.alice, row.pk)
    assert not login.still_valid(identity)
    assert check(password) == Refused("credentials")


def test_nobody_revokes_what_is_anothers(people: People) -> None:
    row, _password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    token, _secret = access_tokens.create_token(people.alice, "Phone", ALL)
    own = Credential.objects.get(mailbox=people.alice, kind=Credential.Kind.PASSWORD)
    with pytest.raises(DirectoryError):
        app_passwords.revoke_app_password(people.bob, row.pk)
    with pytest.raises(DirectoryError):
        access_tokens.revoke_token(people.bob, token.pk)
    with pytest.raises(DirectoryError):
        app_passwords.revoke_app_password(people.alice, own.pk)


@pytest.mark.parametrize(
    ("label", "protocols"),
    [("", ALL), (" ", ALL), ("x" * 101, ALL), ("a\nb", ALL), ("x", []), ("x", ["http"])],
)
def test_what_cannot_be_made(people: People, label: str, protocols: Any) -> None:
    for make in (app_passwords.create_app_password, access_tokens.create_token):
        with pytest.raises(DirectoryError):
            make(people.alice, label, protocols)


def test_a_shared_mailbox_has_none(people: People) -> None:
    directory.set_shared(people.alice, is_shared=True)
    for make in (app_passwords.create_app_password, access_tokens.create_token):
        with pytest.raises(DirectoryError, match="nobody logs in"):
            make(people.alice, "phone", ALL)


def test_there_is_an_end_to_them(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_passwords, "MAX_PER_MAILBOX", 1)
    monkeypatch.setattr(access_tokens, "MAX_PER_MAILBOX", 1)
    for make in (app_passwords.create_app_password, access_tokens.create_token):
        make(people.alice, "One", ALL)
        with pytest.raises(DirectoryError):
            make(people.alice, "Two", ALL)


def test_labels_tell_them_apart(people: People) -> None:
    app_passwords.create_app_password(people.alice, "Phone", ALL)
    with pytest.raises(DirectoryError):
        app_passwords.create_app_password(people.alice, " Phone ", ALL)


def test_the_last_use_is_noted_once_a_minute(people: People) -> None:
    row, password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    token_row, token = access_tokens.create_token(people.alice, "Phone", ALL)
    for each, use in ((row, lambda: check(password)), (token_row, lambda: check_token(token))):
        noted = []
        for ago in (None, timedelta(seconds=50), timedelta(seconds=70)):
            before = timezone.now() - ago if ago is not None else None
            type(each).objects.filter(pk=each.pk).update(last_used_at=before)
            assert isinstance(use(), Identity)
            assert effects.wait_idle()
            each.refresh_from_db()
            noted.append(each.last_used_at != before)
        assert noted == [True, False, True]


def test_a_mailbox_may_want_app_passwords_only(people: People) -> None:
    _row, password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    identity = check(PASSWORD)
    app_passwords.allow_app_passwords_only(people.alice)
    assert not login.still_valid(identity)
    # Also where the password is remembered, because the web takes it.
    assert isinstance(check(PASSWORD, "web"), Identity)
    for service in ("imap", "pop3", "submission"):
        assert check(PASSWORD, service) == Refused("credentials")
        assert isinstance(check(password, service), Identity)
    app_passwords.allow_app_passwords_only(people.alice, is_so=False)
    assert isinstance(check(PASSWORD), Identity)


def test_a_suspended_mailbox_stays_shut(people: People) -> None:
    _row, password = app_passwords.create_app_password(people.alice, "Phone", ALL)
    _token_row, token = access_tokens.create_token(people.alice, "Phone", ALL)
    directory.suspend_mailbox(people.alice)
    assert check(password) == Refused("suspended")
    assert check_token(token) == Refused("suspended")


# SCRAM.


def keys(address: str = ALICE, service: str = "imap") -> Any:
    return proofs.scram_keys(address, service=service, peer=PEER)


def check_scram(key_id: int | None, service: str = "imap") -> Any:
    proof = sasl.ScramProof(ALICE, key_id)
    return proofs.check_scram(proof, service=service, peer=PEER)


def test_all_app_passwords_of_a_mailbox_share_a_salt(people: People, settings: Any) -> None:
    first, password = app_passwords.create_app_password(people.alice, "One", ALL)
    settings.SECRET_KEY = "another key, of which salts are made from now on"
    second, _ = app_passwords.create_app_password(people.alice, "Two", ["imap"])
    found = keys()
    assert [key.id for key in found.keys] == [first.pk, second.pk]
    assert found.keys[0] == sasl.make_key(first.pk, password, found.salt)
    assert found.salt == scram_secrets.read(0, second.scram).salt
    assert [key.id for key in keys(service="pop3").keys] == [first.pk]


def test_nobody_can_tell_which_addresses_have_keys(people: People) -> None:
    before = keys()
    assert before.keys == ()
    app_passwords.create_app_password(people.alice, "One", ALL)
    assert (keys().salt, keys().iterations) == (before.salt, before.iterations)
    unknown = keys("nobody@a.test")
    assert (unknown.keys, unknown.iterations) == ((), before.iterations)
    assert unknown.salt == keys("Nobody@A.test").salt
    assert unknown.salt != before.salt
    assert len(unknown.salt) == len(before.salt)


def test_what_a_proof_comes_to(people: People) -> None:
    row, _password = app_passwords.create_app_password(people.alice, "One", ["imap"])
    assert isinstance(check_scram(row.pk), Identity)
    assert check_scram(row.pk, "pop3") == Refused("credentials")
    assert check_scram(None) == Refused("credentials")
    app_passwords.revoke_app_password(people.alice, row.pk)
    assert check_scram(row.pk) == Refused("credentials")


def test_a_proof_does_not_open_a_suspended_mailbox(people: People) -> None:
    row, _password = app_passwords.create_app_password(people.alice, "One", ALL)
    directory.suspend_mailbox(people.alice)
    assert check_scram(row.pk) == Refused("suspended")


def test_a_proof_clears_the_failures_before_it(people: People) -> None:
    row, _password = app_passwords.create_app_password(people.alice, "One", ALL)
    for _ in range(2):
        for _ in range(FREE - 1):
            assert check_scram(None) == Refused("credentials")
        assert isinstance(check_scram(row.pk), Identity)


def test_guessers_wait_here_too(people: People) -> None:
    row, password = app_passwords.create_app_password(people.alice, "One", ALL)
    for _ in range(FREE):
        assert check_scram(None) == Refused("credentials")
    assert keys() == Refused("throttled")
    assert check_scram(row.pk) == Refused("throttled")
    assert check(password) == Refused("throttled")


# Tokens.


def test_a_token_opens_what_it_is_for(people: People) -> None:
    _row, token = access_tokens.create_token(people.alice, "Phone", ["imap"])
    assert check_token(token).address == ALICE
    assert check_token(token, username="Alice@A.test").address == ALICE
    assert check_token(token, "pop3") == Refused("credentials")
    assert check_token(token, username="bob@a.test") == Refused("credentials")
    assert check_token(token + "x") == Refused("credentials")
    assert check_token("") == Refused("credentials")


def test_a_token_ends(people: People) -> None:
    row, token = access_tokens.create_token(people.alice, "Phone", ALL, timedelta(hours=1))
    identity = check_token(token)
    assert isinstance(identity, Identity)
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for _ in range(FREE + 1):
        # It was good once: a program that repeats it guesses nothing.
        assert check_token(token, username=ALICE) == Refused("credentials")
    assert isinstance(check(PASSWORD), Identity)
    access_tokens.revoke_token(people.alice, row.pk)
    assert not login.still_valid(identity)


@pytest.mark.parametrize("is_before", [True, False])
def test_a_token_that_is_revoked_at_that_moment_opens_nothing_for_long(
    people: People, monkeypatch: pytest.MonkeyPatch, is_before: bool
) -> None:
    row, token = access_tokens.create_token(people.alice, "Phone", ALL)
    read = keyring._read

    def read_and_revoke(*which: Any) -> Any:
        ring = None if is_before else read(*which)
        access_tokens.revoke_token(people.alice, row.pk)
        return read(*which) if is_before else ring

    with monkeypatch.context() as patch:
        patch.setattr(keyring, "_read", read_and_revoke)
        found = check_token(token)
    assert found == Refused("credentials") or not login.still_valid(found)


def test_expired_tokens_make_room(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "MAX_PER_MAILBOX", 1)
    access_tokens.create_token(people.alice, "Old", ALL, timedelta(hours=1))
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    access_tokens.create_token(people.alice, "New", ALL)
    assert [row.label for row in access_tokens.list_tokens(people.alice)] == ["New"]


# The command line.


def test_app_passwords_from_the_command_line(people: People) -> None:
    said = run("mailbox", "app-password", ALICE, "add", "--label", "Phone", "--protocols", "imap")
    assert isinstance(check(said.splitlines()[-1]), Identity)
    (row,) = json.loads(run("mailbox", "app-password", ALICE, "list", "--json"))
    assert (row["label"], row["protocols"]) == ("Phone", "imap")
    assert "Phone" in run("mailbox", "app-password", ALICE, "list")
    made = run("mailbox", "app-password", ALICE, "add", "--label", "Pad", "--json")
    assert isinstance(check(json.loads(made)[0]["password"], "pop3"), Identity)
    run("mailbox", "app-password", ALICE, "revoke", str(row["id"]))
    assert check(said.splitlines()[-1]) == Refused("credentials")
    run("mailbox", "app-password", ALICE, "only")
    assert check(PASSWORD) == Refused("credentials")
    run("mailbox", "app-password", ALICE, "only", "--undo")
    assert isinstance(check(PASSWORD), Identity)


def test_tokens_from_the_command_line(people: People) -> None:
    said = run("mailbox", "token", ALICE, "add", "--label", "Phone", "--expires-in", "90d")
    assert isinstance(check_token(said.splitlines()[-1]), Identity)
    (row,) = json.loads(run("mailbox", "token", ALICE, "list", "--json"))
    assert row["expires_at"] is not None
    made = json.loads(run("mailbox", "token", ALICE, "add", "--label", "Pad", "--json"))
    assert isinstance(check_token(made[0]["token"]), Identity)
    run("mailbox", "token", ALICE, "revoke", str(row["id"]))
    assert check_token(said.splitlines()[-1]) == Refused("credentials")


@pytest.mark.parametrize(
    "words",
    [
        ("app-password", "nobody@a.test", "list"),
        ("app-password", ALICE, "add", "--label", "x", "--protocols", "http"),
        ("app-password", ALICE, "add"),
        ("app-password", ALICE),
        ("app-password", ALICE, "revoke", "77"),
        ("app-password", ALICE, "revoke", "x"),
        ("token", ALICE, "add", "--label", "x", "--expires-in", "soon"),
        ("token", ALICE, "add", "--label", "x", "--expires-in", ""),
        ("token", ALICE, "revoke", "77"),
    ],
)
def test_mistakes_on_the_command_line(
    people: People, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, _out, error = run_as_typed(capsys, "mailbox", *words)
    assert status != 0
    assert len(error.strip().splitlines()) == 1
