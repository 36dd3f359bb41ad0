"""`docs/rfcs.md` names files that exist and leaves out no IMAP command or capability."""

import re
from pathlib import Path
from typing import get_args

from protocols.wire.imap import capabilities, commands

TOP = Path(__file__).parents[2]
TEXT = (TOP / "docs" / "rfcs.md").read_text()


def test_the_files_named_exist() -> None:
    named = set(re.findall(r"`((?:protocols|delivery|accounts|tests)/[\w/.]+)`", TEXT))
    assert named
    assert [path for path in sorted(named) if not (TOP / path).exists()] == []


def test_every_imap_event_has_its_row() -> None:
    names = {kind.__name__ for kind in get_args(commands.Event)}
    assert sorted(name for name in names if f"`{name}`" not in TEXT) == []


def test_every_imap_capability_has_its_row() -> None:
    names = {name.partition("=")[0] for name in (*capabilities.ALWAYS, *capabilities.AFTER_LOGIN)}
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert sorted(name for name in names if not any(name in row for row in rows)) == []
