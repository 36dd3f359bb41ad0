"""backup and restore, on a platform of its own: everything comes back, and no number twice."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).parents[2]

PLAY = """
import sys
from tests.accounts.mail import HELLO, append_many, content, inbox, make_mailbox, delivery
from accounts import commit
from accounts.mailstore import folders
from accounts.models import Folder, Mailbox
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a mailbox of 21 messages, one of them large."""
    where = tmp_path_factory.mktemp("template")
    manage(where, "migrate", "-v0")
    play(where, FILL)
    return where


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A copy of that home."""
    return Path(shutil.copytree(template, tmp_path / "home"))


def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAILHOST_")}
    kept["PYTHONPATH"] = str(ROOT)
    return {**kept, "MAILHOST_HOME": str(home), "DJANGO_SETTINGS_MODULE": "mailhost.settings"}


def manage(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def play(home: Path, script: str) -> str:
    """Run Python inside that home; the process ends without goodbye, as a crash would."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import django; django.setup()" + PLAY + script + "\nsys.stdout.flush()",
        ],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


FILL = """
box = make_mailbox()
append_many(box, inbox(box), 20)
large = HELLO + b"x" * (2 << 20)
from accounts.blobs import Spool
from accounts.mailstore.append import append_message
spool = Spool(); spool.write(large)
append_message(box, inbox(box), spool).result()
"""

SAY = """
import hashlib, json
box = Mailbox.objects.get().pk
digests = {uid: hashlib.sha256(data).hexdigest() for uid, data in content(inbox(box)).items()}
print(json.dumps(digests))
"""

if "sqlite" not in settings.DATABASES["default"]["ENGINE"]:
    pytest.skip("has its own database; the same on every platform", allow_module_level=True)


def test_everything_comes_back(home: Path, tmp_path: Path) -> None:
    before = json.loads(play(home, SAY))
    assert len(before) == 21
    done = manage(home, "backup", str(tmp_path / "saved"))
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "saved" / "manifest.json").read_text())
    assert {"database.sqlite3", "home/keys/secret-key"} <= {
        file["path"] for file in manifest["files"]
    }
    # What came after the backup is lost, but its numbers are never used again.
    lost = play(home, "box = Mailbox.objects.get().pk; print(append_many(box, inbox(box), 3))")
    shutil.rmtree(home)

    fresh = tmp_path / "fresh"
    done = manage(fresh, "restore", str(tmp_path / "saved"))
    assert done.returncode == 0, done.stderr
    assert json.loads(play(fresh, SAY)) == before
    checked = manage(fresh, "fsck")
    assert checked.returncode == 0, checked.stdout
    after = play(
        fresh,
        "box = Mailbox.objects.get().pk; print(append_many(box, inbox(box), 1),"
        " folders.create_folder(box, 'new').uidvalidity)",
    )
    assert lost == "[22, 23, 24]"
    assert after == "[1000022] 1000007"
    assert (fresh / "keys" / "secret-key").stat().st_mode & 0o777 == 0o600


def test_a_restore_does_not_mix_with_what_is_there(home: Path, tmp_path: Path) -> None:
    assert manage(home, "backup", str(tmp_path / "saved")).returncode == 0
    play(home, "box = Mailbox.objects.get().pk; append_many(box, inbox(box), 1)")
    refused = manage(home, "restore", str(tmp_path / "saved"))
    assert refused.returncode == 1
    assert "holds mail already" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = manage(home, "restore", "--force", str(tmp_path / "saved"))
    assert done.returncode == 0, done.stderr
    assert len(json.loads(play(home, SAY))) == 21
    [aside] = home.glob("replaced-*")
    assert (aside / "mailhost.sqlite3").exists()
    assert (aside / "blobs" / "segments").is_dir()
    assert manage(home, "fsck").returncode == 0


def test_a_damaged_backup_is_refused_before_anything_happens(home: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    assert manage(home, "backup", str(saved)).returncode == 0
    segment = max((saved / "blobs").rglob("*.seg"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[-1] ^= 1
    segment.unlink()
    segment.write_bytes(data)
    fresh = tmp_path / "fresh"
    done = manage(fresh, "restore", str(saved))
    assert done.returncode == 1
    assert "is not what was backed up" in done.stderr
    assert not (fresh / "mailhost.sqlite3").exists()
    (saved / "manifest.json").unlink()
    assert "no complete backup" in manage(fresh, "restore", str(saved)).stderr


def test_a_backup_needs_a_directory_of_its_own(home: Path, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "mine.txt").write_text("precious")
    done = manage(home, "backup", str(tmp_path / "saved"))
    assert done.returncode == 1
    assert "not empty" in done.stderr


def test_a_backup_while_mail_comes_in_is_whole(home: Path, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import django; django.setup()" + PLAY + "box = Mailbox.objects.get().pk\n"
            "print('ready', flush=True)\nwhile True: append_many(box, inbox(box), 20)",
        ],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        done = manage(home, "backup", str(tmp_path / "saved"))
        assert done.returncode == 0, done.stderr
        refused = manage(home, "restore", "--force", str(tmp_path / "saved"))
        assert "The server is running" in refused.stderr
    finally:
        writer.kill()
        writer.wait()
    fresh = tmp_path / "fresh"
    assert manage(fresh, "restore", str(tmp_path / "saved")).returncode == 0
    checked = manage(fresh, "fsck")
    assert checked.returncode == 0, checked.stdout
    assert len(json.loads(play(fresh, SAY))) >= 21
