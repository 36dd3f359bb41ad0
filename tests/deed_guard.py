"""Hold the product to the rules of `accounts.flag_deeds` in every test of the embedded database.

A statement of the product that reads or changes flags, keywords or MODSEQs of a folder's entries
comes after somebody has asked for the deeds on them or has settled these: in the same transaction,
or, outside of one, just before that statement. Whether any deed was left makes no difference, for
most tests have none.
"""

import re
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import deletion

from accounts import flag_deeds, statements, transactions
from accounts.rows import Rows
from tests.authorship import author, is_at_work, is_product

_TABLE = "accounts_entry"
_COLUMN = re.compile(r"\b(flags|keywords|modseq)\b")
# What is read of others to become entries is no flag of an entry yet, and values are no columns.
_WRITTEN = re.compile(rf'\s*INSERT INTO "?{_TABLE}"? \([^)]*\)')
_OF_OTHERS = re.compile(r"""'(?:[^']|'')*'|"?accounts_(?!entry\b)\w+"?\.\S+""")
_FOLDER = re.compile(r'\bfolder_id"? = (\d+)')
ALL = 0

# What broke the rules since the test began.
broken: list[str] = []


class _Known(threading.local):
    """The folders whose deeds this thread has asked for or settled, or ALL."""

    def __init__(self) -> None:
        self.folders: set[int] = set()


_known = _Known()


def install() -> None:
    """From here on every connection is watched."""
    connection_created.connect(_watch)
    rows: Any = Rows
    rows.settle = _noting(rows.settle, lambda _, folder: folder.id)
    guarded: Any = flag_deeds
    guarded.left = _noting(guarded.left, lambda folder_id: folder_id)
    guarded.settle = _noting(guarded.settle, lambda folder_id: folder_id)
    guarded.unsettled = _noting(guarded.unsettled, lambda: ALL)
    guarded.leave = _forgetting(guarded.leave)
    wrapper: Any = BaseDatabaseWrapper
    for name in ("commit", "rollback", "savepoint_rollback"):
        setattr(wrapper, name, _forgetting(getattr(wrapper, name)))
    transactions.commit = _forgetting(transactions.commit)


def _watch(sender: object, connection: Any, **_: object) -> None:
    if connection.vendor == "sqlite":
        # It has the values in it, and sees what goes past Django's cursors.
        connection.connection.set_trace_callback(_look)


def _look(statement: str) -> None:
    if _TABLE not in statement or not _reads_flags(statement) or not _is_of_product():
        return
    folder = _FOLDER.search(statement)
    if not {ALL, int(folder.group(1)) if folder else ALL} & _known.folders:
        broken.append(f"without its deeds: {statement[:300]}")
    if not transaction.get_connection().in_atomic_block:
        _known.folders.clear()


def _reads_flags(statement: str) -> bool:
    statement = _OF_OTHERS.sub("", _WRITTEN.sub("", statement))
    return _TABLE in statement and bool(_COLUMN.search(statement))


def _is_of_product() -> bool:
    name = author(passed_over=(statements.__file__,))
    if not is_product(name) or name == flag_deeds.__file__:
        return False
    # Django reads all of what it is about to delete, and looks at the keys.
    return not is_at_work(deletion.__file__)


def _noting(function: Callable[..., Any], folder_of: Callable[..., int]) -> Callable[..., Any]:
    @wraps(function)
    def noting(*arguments: Any) -> Any:
        done = function(*arguments)
        _known.folders.add(folder_of(*arguments))
        return done

    return noting


def _forgetting(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def forgetting(*arguments: Any) -> Any:
        _known.folders.clear()
        return function(*arguments)

    return forgetting
