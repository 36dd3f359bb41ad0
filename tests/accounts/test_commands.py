"""`manage.py domain`, `mailbox` and `alias`: what they say, and one line for each mistake."""

import errno
import json
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, ManagementUtility, call_command

from accounts import directory, effects, login
from accounts.blobs import OutOfSpace
from accounts.management.verbs import told_in_a_line
from accounts.models import Alias, Credential, Domain, Mailbox, Tenant
from tests.accounts.test_hashers import DREPPER

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def run_as_typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error, as a shell would see them."""
    status = 0
    capsys.readouterr()
    try:
        ManagementUtility(["manage.py", *arguments]).execute()
    except SystemExit as end:
        status = int(end.code or 0) if not isinstance(end.code, str) else 1
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_mailbox_in_a_new_domain() -> None:
    said = run("mailbox", "add", "x@new.test", "--password", "secret", "--create-domain")
    assert said == "x@new.test is ready.\n"
    assert Domain.objects.get().tenant == Tenant.objects.get(slug="main")
    assert isinstance(
        login.check("x@new.test", "secret", service="t", peer="").result(), login.Identity
    )


def test_a_mailbox_that_cannot_be_made_leaves_no_domain_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--password", "", "--create-domain")
    assert run_as_typed(capsys, "mailbox", "add", "x@new.test", *options)[0] == 1
    assert not Domain.objects.exists()


def test_options_of_a_new_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("from stdin\r\nsecond line\n"))
    options = ("--password-stdin", "--quota", "5G", "--name", "Ana", "--create-domain")
    run("mailbox", "add", "ana@new.test", *options)
    mailbox = Mailbox.objects.get()
    assert (mailbox.quota_bytes, mailbox.name) == (5 << 30, "Ana")
    assert isinstance(
        login.check("ana@new.test", "from stdin", service="t", peer="").result(), login.Identity
    )


def test_lists_are_tables_or_json() -> None:
    run("mailbox", "add", "x@new.test", "--password", "p", "--create-domain", "--quota", "1K")
    run("alias", "add", "*@new.test", "x@new.test", "Far@away.example")
    assert run("mailbox", "list").splitlines()[1].split() == [
        *("x@new.test", "-", "1024", "0", "0", "0", "0", "active")
    ]
    assert json.loads(run("mailbox", "list", "--domain", "new.test", "--json")) == [
        {
            "address": "x@new.test",
            "name": "",
            "quota_bytes": 1024,
            "used_bytes": 0,
            "quota_messages": 0,
            "used_messages": 0,
            "quota_folders": 0,
            "state": "active",
        }
    ]
    assert json.loads(run("alias", "list", "--json")) == [
        {
            "address": "*@new.test",
            "targets": ["x@new.test", "Far@away.example"],
            "state": "enabled",
        }
    ]
    assert json.loads(run("domain", "list", "--json")) == [
        {
            "name": "new.test",
            "tenant": "main",
            "mailboxes": 1,
            "aliases": 1,
            "alias_of": None,
            "recoverable_days": 14,
            "state": "active",
        }
    ]
    assert json.loads(run("domain", "show", "new.test", "--json"))[0]["mailboxes"] == 1
    assert run("mailbox", "list", "--removed") == ""
    assert json.loads(run("mailbox", "list", "--removed", "--json")) == []


def test_the_life_of_a_mailbox() -> None:
    run("mailbox", "add", "x@new.test", "--password", "p", "--create-domain")
    run("mailbox", "suspend", "x@new.test")
    assert Mailbox.objects.get().is_suspended
    run("mailbox", "suspend", "x@new.test", "--undo")
    run("mailbox", "password", "x@new.test", "--password", "q")
    run("mailbox", "quota", "x@new.test", "10M")
    assert Mailbox.objects.get().quota_bytes == 10 << 20
    said = run("mailbox", "quota", "x@new.test", "--messages", "9", "--folders", "8")
    assert said == "x@new.test may hold 10M, 9 messages, 8 folders.\n"
    mailbox = Mailbox.objects.get()
    assert (mailbox.quota_bytes, mailbox.quota_messages, mailbox.quota_folders) == (10 << 20, 9, 8)
    assert "set the quotas of new.test" in run("mailbox", "quota", "x@new.test", "--setter", "yes")
    assert Mailbox.objects.get().sets_quotas
    run("mailbox", "quota", "x@new.test", "--setter", "no")
    assert not Mailbox.objects.get().sets_quotas
    assert "can be restored" in run("mailbox", "remove", "x@new.test")
    assert json.loads(run("mailbox", "list", "--removed", "--json"))[0]["state"] == "removed"
    run("mailbox", "restore", "x@new.test")
    assert isinstance(login.check("x@new.test", "q", service="t", peer="").result(), login.Identity)
    run("mailbox", "remove", "x@new.test", "--purge")
    assert not Mailbox.objects.exists()


def test_what_pop3_shows_and_deletes() -> None:
    run("mailbox", "add", "x@new.test", "--password", "p", "--create-domain")
    said = run("mailbox", "pop", "x@new.test", "--deleting", "trash", "--since", "2026-11-20")
    assert "since 2026-11-20" in said
    assert said.endswith("; when a program deletes a message, it goes to Trash.\n")
    run("mailbox", "pop", "x@new.test", "--deleting", "read")
    mailbox = Mailbox.objects.get()
    assert (mailbox.pop_deletion, str(mailbox.pop_since)) == ("read", "2026-11-20")
    run("mailbox", "pop", "x@new.test", "--since", "all")
    assert Mailbox.objects.get().pop_since is None


def test_the_life_of_a_domain() -> None:
    directory.create_tenant("Acme")
    run("domain", "add", "Example.test")
    run("domain", "add", "alias.test", "--alias-of", "example.test")
    run("domain", "suspend", "example.test")
    assert Domain.objects.get(name="example.test").is_suspended
    run("domain", "suspend", "example.test", "--undo")
    run("domain", "remove", "alias.test")
    assert [domain.name for domain in Domain.objects.all()] == ["example.test"]


def test_the_records_a_domain_needs() -> None:
    run("domain", "add", "example.test")
    records = json.loads(run("domain", "dns", "example.test", "--json"))
    assert {(each["name"], each["type"], each["value"]) for each in records} >= {
        ("example.test.", "MX", "10 mx.example.test."),
        ("example.test.", "TXT", "v=spf1 mx -all"),
        ("_imaps._tcp.example.test.", "SRV", "0 1 2993 mx.example.test."),
    }


def test_the_life_of_an_alias() -> None:
    run("domain", "add", "example.test")
    run("alias", "add", "info@example.test", "far@away.example")
    run("alias", "remove", "info@example.test")
    assert not Alias.objects.exists()


@pytest.mark.parametrize("what", ["alias", "domain", "mailbox", "queue"])
def test_a_list_of_nothing_says_so_and_gives_no_line(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_as_typed(capsys, what, "list") == (0, "", "There is nothing to list.\n")
    assert run_as_typed(capsys, what, "list", "--json") == (0, "[]\n", "")


@pytest.fixture
def import_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def import_(text: str, *options: str) -> tuple[int, str, str]:
        path = tmp_path / "mailboxes.csv"
        path.write_text(text)
        return run_as_typed(capsys, "mailbox", "import", str(path), *options)

    return import_


def test_mailboxes_are_imported_with_the_hashes_they_had(import_csv: Any) -> None:
    moved = "{SHA512-CRYPT}" + DREPPER[0][2]
    text = f"""\ufeffaddress,password,quota,name
moved@new.test,{moved},5G,"Doe, Jane"
clear@new.test, secret with spaces ,,
"""
    status, out, err = import_csv(text, "--create-domain")
    assert (status, out, err) == (0, "2 of 2 mailboxes were made.\n", "")
    mailbox = Mailbox.objects.get(local_part="moved")
    assert (mailbox.quota_bytes, mailbox.name) == (5 << 30, "Doe, Jane")

    def opens(address: str, password: str) -> bool:
        answer = login.check(address, password, service="t", peer="").result()
        return isinstance(answer, login.Identity)

    assert opens("moved@new.test", "Hello world!")
    assert opens("clear@new.test", " secret with spaces ")
    assert effects.wait_idle()
    assert Credential.objects.get(mailbox=mailbox).hash.startswith("$argon2id$")


def test_a_wrong_line_is_told_with_its_number_and_the_others_are_made(import_csv: Any) -> None:
    text = """address,password,quota
one@new.test,p,1G
nonsense,p,
two@new.test,{MD5}abc,
three@new.test,p,many
four@new.test,,
five@new.test,p,
one@new.test,p,
six@new.test,pass,word,1G
seven@new.test,p,,,,
eight@new.test,{SSHA}%s,
"""
    status, out, err = import_csv(text % ("A" * 400), "--create-domain")
    assert status == 1
    assert out == "3 of 10 mailboxes were made.\n"
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        *("line 3", "line 4", "line 5", "line 6", "line 8", "line 9", "line 11")
    ]
    assert {mailbox.local_part for mailbox in Mailbox.objects.all()} == {*("one", "five", "seven")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("address,quota\n", "lacks the column “password”"),
        ("address,password,shoe\n", "“shoe” is no column"),
        ("", "lacks the column"),
    ],
)
def test_a_file_with_another_header_is_refused(import_csv: Any, text: str, said: str) -> None:
    status, _out, err = import_csv(text)
    assert status == 1
    assert said in err
    assert err.count("\n") == 1


def test_of_a_file_that_is_not_utf8_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mailboxes.csv"
    lines = "".join(f"user{number}@new.test,p\n" for number in range(1000))
    path.write_bytes(b"address,password\n" + lines.encode() + b"jos\xe9@new.test,p\n")
    words = ("mailbox", "import", str(path), "--create-domain")
    status, _out, err = run_as_typed(capsys, *words)
    assert (status, err) == (1, f"“{path}” is not UTF-8 text.\n")
    assert not Mailbox.objects.exists()


def test_a_line_that_is_no_csv_is_told_with_its_number(import_csv: Any) -> None:
    text = "address,password,name\none@new.test,p,\ntwo@new.test,p," + "n" * 200_000
    status, _out, err = import_csv(text, "--create-domain")
    assert status == 1
    assert err.startswith("Line 3 cannot be read: field larger than")
    assert Mailbox.objects.get().local_part == "one"


def test_a_long_import_tells_how_far_it_is(
    import_csv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.management.commands.mailbox.TOLD_EVERY", 2)
    text = "address,password\n" + "".join(f"user{number}@new.test,p\n" for number in range(5))
    _status, out, err = import_csv(text, "--create-domain")
    assert out == "5 of 5 mailboxes were made.\n"
    assert err == "… 2 lines, 2 mailboxes made\n… 4 lines, 4 mailboxes made\n"


MISTAKES = [
    ("mailbox add x@nowhere.test --password p", "not hosted here"),
    ("mailbox add x --password p", "no address"),
    ("mailbox add x@a.test", "--password"),
    ("mailbox add x@a.test --password p --quota lots", "no size"),
    ("mailbox quota alice@a.test --messages -1", "a whole number"),
    ("mailbox add x@a.test --password p --name " + "n" * 201, "at most 200 characters"),
    ("mailbox add \udcff@a.test --password p", "not UTF-8"),
    ("alias add x@a.test far@away.example \udcff@away.example", "not UTF-8"),
    ("queue show \udcff", "not UTF-8"),
    ("mailbox add alice@a.test --password p", "exists already"),
    ("mailbox password nobody@a.test --password p", "no mailbox"),
    ("mailbox remove nobody@a.test", "no mailbox"),
    ("mailbox restore alice@a.test", "was not removed"),
    ("mailbox list --domain nowhere.test", "not hosted here"),
    ("mailbox import /nonexistent.csv", "cannot be read"),
    ("mailbox add x@b.test --password p --create-domain --tenant nobody", "no tenant"),
    ("mailbox quota alice@a.test 9999999T", "no size"),
    ("mailbox restore alice@a.test --since 999999d", "no time"),
    ("mailbox restore alice@a.test --since 0001-01-01T00:00+14:00", "no time"),
    ("mailbox pop alice@a.test --since yesterday", "no day"),
    ("queue list --limit -1", "0 to 1000000000"),
    ("queue list --limit 99999999999999999999", "0 to 1000000000"),
    ("mailbox pop alice@a.test --deleting never", "invalid choice"),
    ("mailbox fly", "invalid choice"),
    ("serve", "the following arguments are required: SERVICE"),
    ("serve pop4", "invalid choice: 'pop4'"),
    ("backup", "the following arguments are required: directory"),
    ("fsck --mend", "unrecognized arguments: --mend"),
    ("up --home", "expected one argument"),
    ("mailbox", "required"),
    ("mailbox add", "required"),
    ("domain add a.test", "already"),
    ("domain add b.test --alias-of nowhere.test", "not hosted here"),
    ("domain remove a.test", "still has 1 mailbox"),
    ("domain dns nowhere.test", "not hosted here"),
    ("alias add alice@a.test bob@b.example", "is a mailbox"),
    ("alias remove nobody@a.test", "no alias"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_a_mistake_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    run("mailbox", "add", "alice@a.test", "--password", "p", "--create-domain")
    status, out, err = run_as_typed(capsys, *line.split())
    assert status != 0
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_password_that_is_no_text_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("mailbox", "add", "alice@a.test", "--password", "p", "--create-domain")
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\xff\n"), encoding="utf-8"))
    said = run_as_typed(capsys, "mailbox", "password", "alice@a.test", "--password-stdin")
    assert said == (1, "", "The password is not UTF-8 text.\n")


def test_several_tenants_have_to_be_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    directory.create_tenant("One")
    directory.create_tenant("Two")
    status, _out, err = run_as_typed(capsys, "domain", "add", "x.test")
    assert status == 1
    assert "--tenant" in err
    assert "one, two" in err
    run("domain", "add", "x.test", "--tenant", "two")
    assert Domain.objects.get().tenant.slug == "two"


@pytest.mark.parametrize("command", ["backup", "restore", "fsck", "serve", "up"])
def test_the_help_of_a_command_tells_what_is_its_own(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _err = run_as_typed(capsys, command, "--help")
    assert status == 0
    assert "--help" in out
    assert "--pythonpath" not in out


@pytest.mark.parametrize("noun", ["mailbox", "domain", "alias"])
def test_there_is_help(capsys: pytest.CaptureFixture[str], noun: str) -> None:
    status, out, _err = run_as_typed(capsys, noun, "--help")
    assert status == 0
    assert "list" in out
    status, out, _err = run_as_typed(capsys, noun, "add", "--help")
    assert status == 0
    assert "usage" in out


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device."),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x cannot be used: Perm"),
        (OSError("read too little"), "read too little."),
    ],
)
def test_what_the_disk_refuses_is_told_in_a_line(error: OSError, said: str) -> None:
    with pytest.raises(CommandError) as raised, told_in_a_line():
        raise error
    assert str(raised.value).startswith(said)


def test_a_full_disk_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("mailbox", "add", "x@new.test", "--password", "secret", "--create-domain")

    def full(mailbox_id: int) -> int:
        raise OutOfSpace(errno.ENOSPC, "database or disk is full")

    monkeypatch.setattr("accounts.mailstore.forgetting.forget_mailbox", full)
    said = run_as_typed(capsys, "mailbox", "forget", "x@new.test")
    assert said == (1, "", "database or disk is full.\n")
