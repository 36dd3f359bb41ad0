"""Hold the product to the first rule of `accounts.stamps` in every test of the embedded database.

A transaction of the product that changes what a stamp answers for must have said so before it
commits. What a test changes by itself, as no product does, is announced for it.
"""

import re
from collections.abc import Callable, Collection
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from accounts import stamps, statements, transactions
from accounts.stamps import Step
from tests.authorship import author, is_product

_WRITE = re.compile(r'\s*(INSERT|UPDATE|DELETE)\b.*?\b"?(accounts_\w+)"?', re.DOTALL)
# What a login hangs on; of folders, entries and the switchboard's rules everything counts.
_LOGIN = re.compile(
    r'\b"?(credential_version|is_suspended|removed_at|is_shared|domain_id|local_part|tenant_id'
    r'|parent_id|app_passwords_only|sets_quotas|pop_deletion|pop_since|scopes|kind)"? ='
)
_CONTENT = {"accounts_folder", "accounts_entry", "accounts_vanished", "accounts_clientrule"}
_OWNERS = {"accounts_mailbox", "accounts_domain"}

# What broke the rule since the test began.
broken: list[str] = []


def install() -> None:
    """From here on every connection is watched."""
    connection_created.connect(_watch)
    stamps.change = _noting(stamps.change)
    wrapper: Any = BaseDatabaseWrapper
    wrapper.commit = _checking(wrapper.commit)
    transactions.commit = _checking(transactions.commit)
    wrapper.rollback = _forgetting(wrapper.rollback)
    # What goes past Django's cursors goes past them here, too, and is seen all the same.
    statements._is_watched = _is_watched_by_others
    statements._native = _seeing(statements._native)


def _watch(sender: object, connection: Any, **_: object) -> None:
    if connection.vendor == "sqlite" and _look not in connection.execute_wrappers:
        connection.execute_wrappers.append(_look)


def _is_watched_by_others(connection: BaseDatabaseWrapper) -> bool:
    others = [each for each in connection.execute_wrappers if each is not _look]
    return bool(others or connection.queries_logged)


def _seeing(native: Callable[[str], str]) -> Callable[[str], str]:
    def seeing(statement: str) -> str:
        if _counts(statement):
            _note_of_product(transaction.get_connection(), statement)
        return native(statement)

    return seeing


def _look(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
    context = arguments[-1]
    done = execute(sql, *arguments)
    if _counts(sql):
        connection = context["connection"]
        match _author():
            case "product":
                _note_of_product(connection, sql)
            case "tests" if connection.in_atomic_block:
                stamps.change()
            case "tests":
                with transaction.atomic():
                    stamps.change()
    return done


def _note_of_product(connection: Any, sql: str) -> None:
    connection.unsaid = sql[:200]
    if not connection.in_atomic_block:
        broken.append(f"outside a transaction: {sql[:200]}")


def _counts(sql: str) -> bool:
    if not (found := _WRITE.match(sql)):
        return False
    verb, table = found.groups()
    if table in _CONTENT:
        return True
    if verb == "DELETE":
        # A secret more, or another hash of the same password, makes no login bad.
        return table in {*_OWNERS, "accounts_credential"}
    owners = {*_OWNERS, "accounts_tenant", "accounts_credential"}
    return verb == "UPDATE" and table in owners and bool(_LOGIN.search(sql.split("WHERE")[0]))


def _author() -> str:
    name = author()
    if is_product(name):
        return "product"
    return "tests" if name else "nobody"


def _noting(change: Callable[..., dict[int, Step]]) -> Callable[..., dict[int, Step]]:
    def noting(mailbox_ids: Collection[int] | None = None) -> dict[int, Step]:
        steps = change(mailbox_ids)
        if mailbox_ids is None or mailbox_ids:
            transaction.get_connection().has_said = True
        return steps

    return noting


def _checking(commit: Callable[..., None]) -> Callable[..., None]:
    def checking(self: Any) -> None:
        unsaid, has_said = _taken(self)
        if unsaid and not has_said:
            broken.append(f"committed without a word: {unsaid}")
        commit(self)

    return checking


def _forgetting(rollback: Callable[..., None]) -> Callable[..., None]:
    def forgetting(self: Any) -> None:
        _taken(self)
        rollback(self)

    return forgetting


def _taken(connection: Any) -> tuple[str, bool]:
    found = connection.__dict__
    return found.pop("unsaid", ""), found.pop("has_said", False)
