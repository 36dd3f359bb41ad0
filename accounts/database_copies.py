"""The database's part of a backup: a file of its own on SQLite, pg_dump's on PostgreSQL."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from django.apps import apps
from django.db import connection

from accounts.blobs.place import sync_directory


class BackupError(Exception):
    """Why a backup or restore cannot be made, as a sentence for the operator."""


def dump(target: Path) -> None:
    """Copy the database into a directory, as of one moment."""
    if connection.vendor == "sqlite":
        # All pages in one step: a copy in several starts over whenever somebody else writes.
        try:
            with (
                closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=20)) as live,
                closing(sqlite3.connect(target / "database.sqlite3")) as copy,
            ):
                live.backup(copy, pages=-1)
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"The database cannot be copied to {target}: {error}.") from error
        sync_file(target / "database.sqlite3")
        return
    _postgres("pg_dump", "--format=custom", "--file", str(target / "database.pgdump"))
    sync_file(target / "database.pgdump")


def load(source: Path) -> None:
    """Put such a copy in the place of the database."""
    connection.close()
    if connection.vendor == "sqlite":
        name = Path(connection.settings_dict["NAME"])
        name.parent.mkdir(parents=True, exist_ok=True)
        draft = name.with_name(name.name + ".restoring")
        shutil.copyfile(source / "database.sqlite3", draft)
        draft.chmod(0o600)
        sync_file(draft)
        draft.rename(name)
        sync_directory(name.parent)
        return
    _drop_newer_tables(source / "database.pgdump")
    _postgres(
        "pg_restore",
        *("--clean", "--if-exists", "--no-owner", "--exit-on-error", "--single-transaction"),
        *("--dbname", str(connection.settings_dict["NAME"]), str(source / "database.pgdump")),
    )


def _drop_newer_tables(dump: Path) -> None:
    """Tables that a newer version made: they lean on those that are about to be replaced."""
    listed = _postgres("pg_restore", "--list", str(dump)).splitlines()
    # "215; 1259 16389 TABLE public accounts_alias mailhost"
    known = {words[5] for line in listed if (words := line.split())[3:4] == ["TABLE"]}
    ours = tuple(f"{app.label}_" for app in apps.get_app_configs())
    with connection.cursor() as cursor:
        for name in set(connection.introspection.table_names(cursor)) - known:
            if name.startswith(ours):
                cursor.execute(f"DROP TABLE {connection.ops.quote_name(name)} CASCADE")
    connection.close()


def _postgres(program: str, *arguments: str) -> str:
    found = shutil.which(program) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))[::-1]),
        None,
    )
    if found is None:
        raise BackupError(
            f"{program} is not installed; it comes with PostgreSQL's client programs."
        )
    done = subprocess.run(  # noqa: S603 the program is PostgreSQL's own
        [found, *arguments],
        env={**os.environ, **_connection_variables()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise BackupError(f"{program} failed: {reason}")
    return done.stdout


def _connection_variables() -> dict[str, str]:
    """How we connect to PostgreSQL, as the variables its programs read: others see no secret."""
    # Late: the embedded database needs none of it.
    from psycopg.pq import Conninfo

    database = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    given = {name: database[key] for name, key in names.items()}
    given |= {"dbname": database["NAME"], **database["OPTIONS"]}
    return {
        known.envvar.decode(): str(value)
        for known in Conninfo.get_defaults()
        if known.envvar and (value := given.get(known.keyword.decode()))
    }


def sync_file(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
