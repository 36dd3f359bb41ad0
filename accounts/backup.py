"""Back up the platform's state while it runs, and put it back.

A backup is a directory: the database, the segments its rows point at, the keys, and a manifest with
the SHA-256 of every file. Rules:

1. The database is copied first, as of one moment; octets are durable before the rows that point at
   them, so the segments copied afterwards hold everything the copied rows need.
2. No segment is unlinked meanwhile (`blobs.backup_running`); sealed segments never change, so on
   one filesystem they are hard links. A segment still appended to is copied.
3. The manifest is written last, durably: a directory without one is no backup.
4. What a backup holds, and what a restore puts back, is its user's alone to read.
5. A restore proves every file before it changes anything, moves what is in its way aside, and
   raises UIDNEXT, MODSEQ, UIDVALIDITY and the keys of messages by RAISE: what was handed out after
   the backup is never handed out again for something else (RFC 9051 §2.3.1.1, RFC 8474 §5.1).
   Every message has changed and the history is forgotten, for who was told of what is lost.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery

from accounts import blobs, flag_deeds, marks_of_life, stamps
from accounts.blobs.place import SEGMENTS, SPOOLS, sync_directory
from accounts.blobs.segments import is_abandoned
from accounts.database_copies import BackupError, dump, load, sync_file
from accounts.models import (
    DirectoryVersion,
    Domain,
    Entry,
    Folder,
    FolderSnapshot,
    Mailbox,
    Message,
    Segment,
)

FORMAT = 1
MANIFEST = "manifest.json"
RAISE = 1_000_000

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a backup: its path in the backup, size in octets and SHA-256."""

    path: str
    size: int
    sha256: str


def back_up(target: Path, progress: Progress) -> int:
    """Write a backup into `target`, which must be new or empty; returns its octets.

    OSError where the segments are not there at all.
    """
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is not empty; name a new directory for each backup.")
    blobs.look_for_segments()
    os.umask(0o077)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    with blobs.backup_running():
        progress("copying the database")
        dump(target)
        _copy_segments(target, progress)
    _copy_keys(target)
    progress("computing checksums")
    files = [_described(target, path) for path in _files(target)]
    manifest = {
        "format": FORMAT,
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "database": connection.vendor,
        "files": [asdict(file) for file in files],
    }
    draft = target / f"{MANIFEST}.draft"
    with draft.open("w") as stream:
        json.dump(manifest, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(target / MANIFEST)
    _sync_directories(target)
    return sum(file.size for file in files)


def restore(source: Path, progress: Progress, *, is_forced: bool = False) -> None:
    """Put a backup back into an empty home (or, forced, in the place of what is there)."""
    manifest = _manifest(source)
    if manifest["database"] != connection.vendor:
        raise BackupError(
            f"The backup is of {manifest['database']}, and the settings name {connection.vendor}."
        )
    progress("proving the backup's files")
    files = [_File(**each) for each in manifest["files"]]
    for file in files:
        path = source / file.path
        if not path.is_file() or _described(source, path) != file:
            raise BackupError(f"{path} is missing or is not what was backed up.")
    os.umask(0o077)
    _require_stopped()
    _require_room(sum(file.size for file in files if file.path.startswith("blobs/")))
    _make_way(is_forced=is_forced)
    progress("restoring the octets")
    _put_back(source)
    progress("restoring the database")
    load(source)
    call_command("migrate", verbosity=0)
    raise_counters()


def raise_counters() -> None:
    """Raise what may have been handed out since the backup past anything that can have been."""
    with transaction.atomic():
        stamps.change()
        for folder_id in flag_deeds.unsettled():
            flag_deeds.settle(folder_id)
        raised = F("highest_modseq") + RAISE
        Mailbox.objects.update(
            highest_modseq=raised,
            pruned_modseq=raised,
            next_uidvalidity=F("next_uidvalidity") + RAISE,
        )
        DirectoryVersion.objects.update(last_uidvalidity=F("last_uidvalidity") + RAISE)
        Folder.objects.update(
            uidnext=F("uidnext") + RAISE, highest_modseq=raised, pruned_modseq=raised
        )
        # Whoever was told of what is lost hears what there is now (RFC 7162 §3.1).
        folder = Folder.objects.filter(pk=OuterRef("folder_id"))
        Entry.objects.update(modseq=Subquery(folder.values("highest_modseq")))
        # A snapshot would claim to know everything up to the MODSEQ it was taken at.
        FolderSnapshot.objects.all().delete()
        _raise_message_keys()


def _raise_message_keys() -> None:
    """What EMAILID and THREADID are made of."""
    table = Message._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # There is no row before the first message, which may have come after the backup.
            cursor.execute(
                "INSERT INTO sqlite_sequence (name, seq) SELECT %s, 0"
                " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = %s)",
                [table, table],
            )
            cursor.execute(
                "UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [RAISE, table]
            )
            return
        sequence = "pg_get_serial_sequence(%s, 'id')"
        cursor.execute(
            f"SELECT setval({sequence}, nextval({sequence}) + %s)",
            [table, table, RAISE],
        )


def _copy_segments(target: Path, progress: Progress) -> None:
    rows = list(Segment.objects.order_by("pk").values_list("name", "is_sealed"))
    for number, (name, is_sealed) in enumerate(rows, 1):
        origin = blobs.directory() / name
        copy = target / "blobs" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            if is_sealed:
                _link_or_copy(origin, copy)
            else:
                _copy_durably(origin, copy)
        except FileNotFoundError:
            # Never: a segment of rows. Harmless: an open segment that its process just created.
            progress(f"{name} is missing; fsck tells whether anything needs it")
        if number % 100 == 0:
            progress(f"{number} of {len(rows)} segments")


def _link_or_copy(origin: Path, copy: Path) -> None:
    try:
        os.link(origin, copy)
    except FileNotFoundError:
        raise
    except OSError:
        # Another filesystem, or one without hard links.
        _copy_durably(origin, copy)


def _copy_durably(origin: Path, copy: Path) -> None:
    shutil.copyfile(origin, copy)
    sync_file(copy)


_KEPT = ("keys", "demo-credentials.json")


def _copy_keys(target: Path) -> None:
    for name in _KEPT:
        origin = settings.HOME / name
        if origin.is_dir():
            _copy_privately(origin, target / "home" / name)
        elif origin.is_file():
            (target / "home").mkdir(exist_ok=True, mode=0o700)
            _copy_durably(origin, target / "home" / name)


def _put_back(source: Path) -> None:
    if (source / "blobs").is_dir():
        # Copies, not links: the backup must outlive whatever happens to the store.
        _copy_privately(source / "blobs", blobs.directory())
        _sync_directories(blobs.directory())
    if (source / "home").is_dir():
        _copy_privately(source / "home", settings.HOME)


def _copy_privately(source: Path, target: Path) -> None:
    """Copy what a directory holds, for this user alone, whatever the backup's modes became."""
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for origin in source.iterdir():
        if origin.is_dir():
            _copy_privately(origin, target / origin.name)
        else:
            _copy_durably(origin, target / origin.name)
            (target / origin.name).chmod(0o600)


def _require_stopped() -> None:
    """BackupError while anything of this home runs, though it may have stored nothing yet."""
    home: Path = settings.HOME
    if not is_abandoned(home / "run" / "up.lock") or marks_of_life.living(home):
        raise BackupError("The server is running; stop it first.")


def _require_room(octets: int) -> None:
    """BackupError where so much mail has no room: before anything there is touched."""
    volume = blobs.directory()
    while not volume.exists():
        volume = volume.parent
    free = shutil.disk_usage(volume).free
    if octets > free:
        raise BackupError(
            f"The mail takes {octets / 1_000_000:.1f} MB, and {volume} has"
            f" {free / 1_000_000:.1f} MB free; nothing was changed."
        )


def _make_way(*, is_forced: bool) -> None:
    """Move what a restore would mix with aside, or refuse."""
    segments = list((blobs.directory() / SEGMENTS).glob("*/*.seg"))
    has_rows = _has_rows()
    if not segments and not has_rows:
        return
    if not is_forced:
        raise BackupError(
            f"{settings.HOME} holds domains or mail already; name an empty home, or say"
            " --force to put the backup in their place."
        )
    if has_rows and any(
        not is_abandoned(blobs.directory() / name)
        for name in Segment.objects.filter(is_sealed=False).values_list("name", flat=True)
    ):
        raise BackupError("The server is running; stop it first.")
    aside = settings.HOME / time.strftime("replaced-%Y%m%d-%H%M%S")
    aside.mkdir(parents=True, mode=0o700)
    # Not the directory itself: it may be where another volume is mounted, or a link to one.
    for part in (blobs.directory() / SEGMENTS, blobs.directory() / SPOOLS):
        if part.exists():
            (aside / "blobs").mkdir(exist_ok=True, mode=0o700)
            shutil.move(part, aside / "blobs" / part.name)
    if connection.vendor == "sqlite":
        connection.close()
        name = Path(connection.settings_dict["NAME"])
        for path in name.parent.glob(name.name + "*"):
            shutil.move(path, aside / path.name)


def _has_rows() -> bool:
    if "accounts_domain" not in connection.introspection.table_names():
        return False
    return Domain.objects.exists()


def _manifest(source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text())
    except (OSError, ValueError):
        raise BackupError(f"{source} holds no complete backup (no readable {MANIFEST}).") from None
    if manifest.get("format") != FORMAT:
        raise BackupError(f"{source} was made by a version this one cannot read.")
    return manifest


def _files(target: Path) -> Iterator[Path]:
    return (path for path in sorted(target.rglob("*")) if path.is_file())


def _described(target: Path, path: Path) -> _File:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return _File(str(path.relative_to(target)), path.stat().st_size, digest)


def _sync_directories(top: Path) -> None:
    for path in (top, *(path for path in top.rglob("*") if path.is_dir())):
        sync_directory(path)
