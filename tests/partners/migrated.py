"""Instances whose databases have their tables already: migrations cost each start a second.

The first start of a home, which makes its tables itself, is for `tests/wiring/test_up.py`.
"""

import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from django.conf import settings

from tests.partners.instance import Instance
from tests.partners.platform import scaled_settings

_FILE = "mailhost.sqlite3"
_NAME = f"migrated_{os.getpid()}"


def instance(home: Path, address: str, name: str, own: Mapping[str, str]) -> Instance:
    """One that was never started; `name` is for its database on PostgreSQL."""
    template = _template()
    database = scaled_settings(name, template=_NAME)
    found = Instance(home, address, {**database, **own})
    if not database:
        shutil.copy(template / _FILE, home)
    return found


@cache
def _template() -> Path:
    """The home of a database that this process copies; on PostgreSQL its name is `_NAME`."""
    home = Path(settings.MAILHOST.home).with_name("migrated")
    Instance(home, "127.0.0.1", scaled_settings(_NAME)).manage("migrate", "--verbosity", "0")
    return home
