"""Collect rows during a commit and insert them in bulk, parents before children.

Rows come as model instances, or, on the hot path, as tuples of database values: making an instance
and having Django prepare it costs several times what the database asks for the row itself.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.db import models

from accounts.key_lists import MAX_PARAMETERS
from accounts.statements import execute, fetch, own_database


class PendingRow:
    """A row given as values: `pk` is there once it is inserted. Others may point at it before."""

    __slots__ = ("pk", "values")

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self.pk: int | None = None


Model = type[models.Model]
_Key = tuple[Model, tuple[str, ...]]


class Inserts:
    """Rows that wait to be inserted."""

    def __init__(self) -> None:
        self._instances: dict[Model, list[models.Model]] = {}
        self._rows: dict[_Key, list[PendingRow]] = {}

    def add(self, row: models.Model) -> None:
        """Insert an instance; it may point at instances that are still waiting."""
        self._instances.setdefault(type(row), []).append(row)

    def add_values(
        self, model: Model, columns: tuple[str, ...], values: tuple[Any, ...]
    ) -> PendingRow:
        """Insert database values into columns; a value may be a PendingRow."""
        row = PendingRow(values)
        self._rows.setdefault((model, columns), []).append(row)
        return row

    def take(self, other: "Inserts") -> None:
        """Wait for what another collection waits for, too."""
        for model, instances in other._instances.items():
            self._instances.setdefault(model, []).extend(instances)
        for key, rows in other._rows.items():
            self._rows.setdefault(key, []).extend(rows)

    def write(self) -> None:
        """Insert all that waits."""
        if not self._instances and not self._rows:
            return
        instances, self._instances = self._instances, {}
        rows, self._rows = self._rows, {}
        for model in sorted({*instances, *(key[0] for key in rows)}, key=depth):
            if model in instances:
                model._base_manager.bulk_create(instances[model])
            for key in rows:
                if key[0] is model:
                    insert_rows(model, key[1], rows[key])


def insert_rows(model: Model, columns: tuple[str, ...], rows: Sequence[PendingRow]) -> None:
    """Insert rows and learn their keys."""
    step = MAX_PARAMETERS // len(columns)
    for start in range(0, len(rows), step):
        _insert(model, columns, rows[start : start + step])


def _insert(model: Model, columns: tuple[str, ...], rows: Sequence[PendingRow]) -> None:
    plan = _plan(model, columns, len(rows))
    parameters: list[Any] = [
        value.pk if type(value) is PendingRow else value for row in rows for value in row.values
    ]
    keys: Iterable[int]
    if plan.place_of_key is not None:
        execute(plan.statement, parameters)
        keys = parameters[plan.place_of_key :: len(columns)]
    elif plan.counts_up and own_database().vendor == "sqlite":
        # Its AUTOINCREMENT counts one up for each row, and a transaction that writes is alone: the
        # last key tells all. To be told them row by row would hand the interpreter to another
        # thread as often.
        _, last = execute(plan.statement, parameters)
        keys = range(last - len(rows) + 1, last + 1)
    else:
        keys = (key for (key,) in fetch(plan.with_keys, parameters))
    for row, key in zip(rows, keys, strict=True):
        row.pk = key


class _Plan(NamedTuple):
    """How so many rows of some columns are inserted."""

    statement: str
    with_keys: str
    # Among the columns, if it is given.
    place_of_key: int | None
    counts_up: bool


@lru_cache(maxsize=512)
def _plan(model: Model, columns: tuple[str, ...], count: int) -> _Plan:
    key = _key(model)
    one = "(" + ",".join(["%s"] * len(columns)) + ")"
    names = ",".join(f'"{name}"' for name in columns)
    statement = (
        f"INSERT INTO {model._meta.db_table} ({names})"  # noqa: S608 our own names
        f" VALUES {','.join([one] * count)}"
    )
    return _Plan(
        statement,
        f"{statement} RETURNING {key.column}",
        columns.index(key.column) if key.column in columns else None,
        isinstance(key, models.AutoField),
    )


@cache
def _key(model: Model) -> "models.Field[Any, Any]":
    key = model._meta.pk
    assert key is not None
    return key


@cache
def depth(model: Model) -> int:
    """How many models must be written before this one: the longest way along its foreign keys."""

    def walk(at: Model, seen: frozenset[Model]) -> int:
        targets = {
            field.related_model
            for field in at._meta.concrete_fields
            if field.is_relation and isinstance(field.related_model, type)
        }
        return 1 + max((walk(target, seen | {at}) for target in targets - seen - {at}), default=0)

    return walk(model, frozenset())
