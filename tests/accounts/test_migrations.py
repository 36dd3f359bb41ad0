"""A new home begins with one migration an app: it is what all those that it replaces come to."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.accounts.test_backup import environment, manage

ALL_THE_WAY = """
import sys
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
executor.loader.replace_migrations = False
executor.loader.build_graph()
if len(sys.argv) > 1:
    executor.migrate([("accounts", sys.argv[1]), ("delivery", "0002_words_for_readers")])
    sys.exit()
ends = [made.replaces[-1] for made in executor.loader.disk_migrations.values() if made.replaces]
executor.migrate(ends)
"""


def columns(statement: str) -> list[str]:
    """What a CREATE TABLE names between its brackets, in no order: a column added later is last."""
    parts, depth, at = [], 0, statement.index("(") + 1
    for place, character in enumerate(statement):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character == "," and depth == 1) or (character == ")" and depth == 0):
            parts.append(statement[at:place].strip())
            at = place + 1
    return sorted(parts)


def schema_and_rules(home: Path) -> tuple[dict[str, object], list[object]]:
    database = sqlite3.connect(home / "mailhost.sqlite3")
    made = database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    schema = {name: columns(sql) if kind == "table" else sql for kind, name, sql in made}
    return schema, database.execute(
        "SELECT name, field, value, capabilities, is_enabled FROM accounts_clientrule"
    ).fetchall()


def test_a_new_home_is_as_one_that_came_all_the_way(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("has SQLite databases of its own; the same on every platform")
    new, old, half = tmp_path / "new", tmp_path / "old", tmp_path / "half"
    assert manage(new, "migrate", "-v0").returncode == 0
    script = [sys.executable, "-c", ALL_THE_WAY]
    subprocess.run(script, env=environment(old), check=True)
    subprocess.run([*script, "0025_a_mark_a_committer"], env=environment(half), check=True)
    for home in (old, half):
        done = manage(home, "migrate", "-v0")
        assert done.returncode == 0, done.stderr
        assert schema_and_rules(home) == schema_and_rules(new)
    assert "accounts_message" in schema_and_rules(new)[0]
    assert len(schema_and_rules(new)[1]) == 1
