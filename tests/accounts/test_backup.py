"""backup and restore: everything comes back, no number twice, and nothing is mixed or lost."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import blobs, commit, directory, flag_deeds, fsck
from accounts.backup import back_up, restore
from accounts.blobs import Spool
from accounts.database_copies import BackupError
from accounts.mailstore import folders, index
from accounts.mailstore.append import append_message
from accounts.mailstore.flags import Flag, StoreMode
from accounts.mailstore.vanished import vanished_since
from accounts.models import Domain, Folder, Mailbox, Message, Tenant
from tests.accounts import as_owner
from tests.accounts.mail import HELLO, append_many, content, inbox, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]


def quiet(text: str) -> None:
    pass


def filled() -> int:
    """A mailbox of 11 messages, one of them in a segment of its own."""
    mailbox_id = make_mailbox()
    append_many(mailbox_id, inbox(mailbox_id), 10)
    spool = Spool()
    spool.write(HELLO + b"x" * (2 << 20))
    append_message(mailbox_id, inbox(mailbox_id), spool).result(20)
    return mailbox_id


def test_everything_comes_back_and_no_number_twice(tmp_path: Path) -> None:
    mailbox_id = filled()
    before = content(inbox(mailbox_id))
    back_up(tmp_path / "saved", quiet)
    # What came after the backup is lost, but its numbers are never used again.
    lost = append_many(mailbox_id, inbox(mailbox_id), 3)
    lost_uidvalidity = folders.create_folder(mailbox_id, "new").uidvalidity
    as_owner.expunge_uids(inbox(mailbox_id), [1, 2], only_deleted=False)
    modseq = Mailbox.objects.get().highest_modseq
    last_key = Message.objects.latest("pk").pk
    commit.reset()

    restore(tmp_path / "saved", quiet, is_forced=True)
    assert content(inbox(mailbox_id)) == before
    assert not [finding for finding in fsck.check(quiet) if finding.is_fault]
    assert Mailbox.objects.get().highest_modseq > modseq
    assert append_many(mailbox_id, inbox(mailbox_id), 1)[0] > max(lost)
    # EMAILID and THREADID of what is lost do not come again with other octets (RFC 8474 §5).
    assert Message.objects.latest("pk").pk > last_key
    assert folders.create_folder(mailbox_id, "new").uidvalidity > lost_uidvalidity
    [aside] = settings.HOME.glob("replaced-*")
    assert (aside / "blobs" / "segments").is_dir()
    shutil.rmtree(aside)


def test_nobody_else_may_read_a_backup_or_what_it_gave_back(tmp_path: Path) -> None:
    filled()
    settings.HOME.chmod(0o700)
    umask = os.umask(0o022)
    try:
        (tmp_path / "saved").mkdir(mode=0o755)
        back_up(tmp_path / "saved", quiet)
        assert open_to_others(tmp_path / "saved") == [tmp_path / "saved"]
        # As another program may have copied it.
        for path in (tmp_path / "saved").rglob("*"):
            path.chmod(0o755)
        commit.reset()
        os.umask(0o022)
        restore(tmp_path / "saved", quiet, is_forced=True)
    finally:
        os.umask(umask)
    assert settings.HOME.stat().st_mode & 0o077 == 0
    assert open_to_others(blobs.directory()) == []
    for aside in settings.HOME.glob("replaced-*"):
        assert aside.stat().st_mode & 0o077 == 0
        shutil.rmtree(aside)


def forget_what_was_replaced() -> None:
    for aside in settings.HOME.glob("replaced-*"):
        shutil.rmtree(aside)


def open_to_others(top: Path) -> list[Path]:
    return [path for path in (top, *top.rglob("*")) if path.stat().st_mode & 0o077]


def test_a_backup_of_a_house_without_mail_gives_no_number_twice_either(tmp_path: Path) -> None:
    mailbox_id = make_mailbox()
    back_up(tmp_path / "saved", quiet)
    append_many(mailbox_id, inbox(mailbox_id), 3)
    last_key = Message.objects.latest("pk").pk
    commit.reset()
    restore(tmp_path / "saved", quiet, is_forced=True)
    append_many(mailbox_id, inbox(mailbox_id), 1)
    assert Message.objects.latest("pk").pk > last_key
    for aside in settings.HOME.glob("replaced-*"):
        shutil.rmtree(aside)


def test_who_was_told_of_what_is_lost_is_told_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flag_deeds, "LEFT_FROM", 2)
    mailbox_id = filled()
    folder_id = inbox(mailbox_id)
    as_owner.store_flags(folder_id, [3, 4], StoreMode.ADD, Flag.FLAGGED)
    back_up(tmp_path / "saved", quiet)
    as_owner.store_flags(folder_id, [1], StoreMode.ADD, Flag.SEEN)
    as_owner.expunge_uids(folder_id, [2], only_deleted=False)
    lost = append_many(mailbox_id, folder_id, 2)
    told = Folder.objects.get(pk=folder_id).highest_modseq
    commit.reset()

    restore(tmp_path / "saved", quiet, is_forced=True)
    picture = index.picture(folder_id)
    assert list(picture.uids) == list(range(1, 12))
    assert [bool(flags & Flag.FLAGGED) for flags in picture.flags[:5]] == [0, 0, 1, 1, 0]
    # RFC 7162 §3.1, §3.2.5: flags that are as they were again, mail that is back, mail that is not.
    assert min(picture.modseqs) > told
    gone = vanished_since(picture, told, None)
    assert [each for each in lost if any(low <= each <= high for low, high in gone)] == lost
    assert not [finding for finding in fsck.check(quiet) if finding.is_fault]
    forget_what_was_replaced()


def test_a_restore_does_not_mix_with_what_is_there(tmp_path: Path) -> None:
    mailbox_id = filled()
    back_up(tmp_path / "saved", quiet)
    with pytest.raises(BackupError, match="holds domains or mail already"):
        restore(tmp_path / "saved", quiet)
    with pytest.raises(BackupError, match="server is running"):
        restore(tmp_path / "saved", quiet, is_forced=True)
    assert len(content(inbox(mailbox_id))) == 11


def test_a_restore_over_domains_that_only_forward_is_refused(tmp_path: Path) -> None:
    back_up(tmp_path / "saved", quiet)
    directory.create_domain(Tenant.objects.create(name="Forwards"), "forwards.test")
    with pytest.raises(BackupError, match="holds domains or mail already"):
        restore(tmp_path / "saved", quiet)
    assert Domain.objects.filter(name="forwards.test").exists()


def test_a_restore_that_has_no_room_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox_id = filled()
    back_up(tmp_path / "saved", quiet)
    commit.reset()
    usage = shutil.disk_usage(tmp_path)._replace(free=2 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BackupError, match="free; nothing was changed"):
        restore(tmp_path / "saved", quiet, is_forced=True)
    assert len(content(inbox(mailbox_id))) == 11


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    filled()
    saved = tmp_path / "saved"
    back_up(saved, quiet)
    segment = max((saved / "blobs").rglob("*.seg"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[-1] ^= 1
    segment.unlink()
    with pytest.raises(BackupError, match=r"missing or is not what was backed up"):
        restore(saved, quiet, is_forced=True)
    segment.write_bytes(data)
    with pytest.raises(BackupError, match=r"missing or is not what was backed up"):
        restore(saved, quiet, is_forced=True)
    (saved / "manifest.json").unlink()
    with pytest.raises(BackupError, match="no complete backup"):
        restore(saved, quiet, is_forced=True)


def test_a_backup_of_another_database_is_refused(tmp_path: Path) -> None:
    back_up(tmp_path / "saved", quiet)
    manifest = tmp_path / "saved" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"{connection.vendor}"', '"oracle"'))
    with pytest.raises(BackupError, match="is of oracle"):
        restore(tmp_path / "saved", quiet)


def test_a_backup_needs_a_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(BackupError, match="not empty"):
        back_up(tmp_path, quiet)


def test_sealed_segments_are_linked_and_open_ones_copied(tmp_path: Path) -> None:
    filled()
    back_up(tmp_path / "saved", quiet)
    links = {path.stat().st_nlink for path in (tmp_path / "saved" / "blobs").rglob("*.seg")}
    assert links == {1, 2} or os.stat(tmp_path).st_dev != blobs.directory().stat().st_dev


def test_without_the_volume_of_mail_there_is_no_backup(tmp_path: Path) -> None:
    filled()
    commit.reset()
    there = blobs.directory() / "segments"
    there.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(CommandError, match="is the volume mounted"):
            call_command("backup", str(tmp_path / "saved"))
        assert not (tmp_path / "saved").exists()
    finally:
        (tmp_path / "elsewhere").rename(there)


def test_without_its_programs_postgresql_cannot_be_backed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite needs no other program")
    monkeypatch.setattr("accounts.database_copies.shutil.which", lambda name: None)
    monkeypatch.setattr("accounts.database_copies.Path.glob", lambda self, pattern: iter(()))
    with pytest.raises(BackupError, match="pg_dump is not installed"):
        back_up(tmp_path / "saved", quiet)


def test_the_programs_of_postgresql_connect_as_we_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite needs no other program")
    options = {**connection.settings_dict["OPTIONS"], "sslmode": "x"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    with pytest.raises(BackupError, match='invalid sslmode value: "x"'):
        back_up(tmp_path / "saved", quiet)


def test_a_restore_drops_what_a_newer_version_has_added(tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("of SQLite the whole file is replaced")
    mailbox_id = filled()
    before = content(inbox(mailbox_id))
    back_up(tmp_path / "saved", quiet)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE accounts_newer (message_id bigint REFERENCES accounts_message (id))"
        )
        cursor.execute("CREATE TABLE somebody_elses (id bigint)")
    commit.reset()
    try:
        restore(tmp_path / "saved", quiet, is_forced=True)
        names = connection.introspection.table_names()
        assert "accounts_newer" not in names
        assert "somebody_elses" in names
        assert content(inbox(mailbox_id)) == before
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS accounts_newer, somebody_elses")
    forget_what_was_replaced()


def test_a_restore_waits_for_a_server_that_has_stored_nothing(tmp_path: Path) -> None:
    back_up(tmp_path / "saved", quiet)
    run = settings.HOME / "run"
    run.mkdir(exist_ok=True)
    with (run / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="server is running"):
            restore(tmp_path / "saved", quiet)
    # One that `up` did not start.
    waits = "import time; print(flush=True); time.sleep(60)"
    server = subprocess.Popen(
        [sys.executable, "-c", waits, "manage.py"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline()
    mark = run / f"server-{server.pid}.ready"
    mark.touch()
    try:
        with pytest.raises(BackupError, match="server is running"):
            restore(tmp_path / "saved", quiet)
        server.kill()
        server.wait()
        # Its mark is left, and says nothing.
        commit.reset()
        restore(tmp_path / "saved", quiet, is_forced=True)
    finally:
        server.kill()
        server.communicate()
        mark.unlink()
    forget_what_was_replaced()


WRITER = """
import django
django.setup()
from tests.accounts import as_owner
from tests.accounts.mail import append_many, inbox, make_mailbox
from tests.accounts import as_owner
box = make_mailbox()
append_many(box, inbox(box), 20)
print("ready", flush=True)
while True:
    append_many(box, inbox(box), 20)
"""


def test_the_commands_while_mail_comes_in(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("has a SQLite database of its own; the same on every platform")
    home, fresh, saved = tmp_path / "home", tmp_path / "fresh", str(tmp_path / "saved")
    assert manage(home, "migrate", "-v0").returncode == 0
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], env=environment(home), stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        done = manage(home, "backup", saved)
        assert done.returncode == 0, done.stderr
    finally:
        writer.kill()
        writer.wait()
    done = manage(fresh, "restore", saved)
    assert done.returncode == 0, done.stderr
    checked = manage(fresh, "fsck")
    assert (checked.returncode, checked.stdout) == (0, "clean\n")
    key = fresh / "keys" / "secret-key"
    assert key.read_text() == (home / "keys" / "secret-key").read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    refused = manage(fresh, "restore", saved)
    assert refused.returncode == 1
    assert "holds domains or mail already" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["backup", "fsck"])
def test_a_database_without_tables_is_one_line(tmp_path: Path, command: str) -> None:
    arguments = [str(tmp_path / "saved")] if command == "backup" else []
    refused = manage(tmp_path / "home", command, *arguments)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "is it migrated?" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAILHOST_")}
    kept["PYTHONPATH"] = str(ROOT)
    return {**kept, "MAILHOST_HOME": str(home), "DJANGO_SETTINGS_MODULE": "mailhost.settings"}


def manage(
    home: Path, *arguments: str, most_blocks: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, which may write no file longer than so many blocks of 512 octets."""
    limit = ["sh", "-c", 'ulimit -f "$0"; exec "$@"', str(most_blocks)] if most_blocks else []
    return subprocess.run(
        [*limit, sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
