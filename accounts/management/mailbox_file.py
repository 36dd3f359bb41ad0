"""Read mailboxes from a CSV file with the columns address, password, quota and name.

Each line stands alone: one that is wrong is reported with its number, and the others are made.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts import directory, limits
from accounts.directory import DirectoryError

COLUMNS = {"address", "password", "quota", "name"}
NEEDED = {"address", "password"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line; `mistake` is empty where the mailbox was made."""

    line: int
    address: str
    mistake: str = ""


def import_file(lines: Iterable[str], make_domain: Callable[[str], None]) -> Iterator[Outcome]:
    """Make the mailboxes one by one; DirectoryError where the header is not what is expected."""
    reader = csv.DictReader(lines, restval="")
    header = {(name or "").strip().lower() for name in reader.fieldnames or ()}
    if missing := NEEDED - header:
        raise DirectoryError(f"The first line lacks the column “{min(missing)}”.")
    if unknown := header - COLUMNS:
        raise DirectoryError(f"“{min(unknown)}” is no column; there are {', '.join(COLUMNS)}.")
    for row in _rows(reader):
        fields = {
            name.strip().lower(): (value or "").strip() if name != "password" else value or ""
            for name, value in row.items()
            if name is not None
        }
        try:
            if any(row.get(reader.restkey) or ()):
                # A comma in a password: what stands before it must not become the password.
                raise DirectoryError("There are more fields than columns; quote what has a comma.")
            with transaction.atomic():
                make_domain(fields["address"])
                _make(fields)
        except DirectoryError as error:
            yield Outcome(reader.line_num, fields["address"], str(error))
        else:
            yield Outcome(reader.line_num, fields["address"])


def _rows(reader: "csv.DictReader[str]") -> Iterator[dict[str | Any, str | Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DirectoryError(f"Line {reader.line_num + 1} cannot be read: {error}.") from None


def _make(fields: dict[str, str]) -> None:
    try:
        quota = limits.parse_size(fields.get("quota") or "0")
    except ValueError as error:
        raise DirectoryError(f"{error}.") from None
    secret = fields["password"]
    # `{SCHEME}…` is a hash; a password in clear may of course begin with a brace as well.
    is_hash = secret.startswith("{") and "}" in secret
    directory.create_mailbox(
        fields["address"],
        None if is_hash else secret,
        password_hash=secret if is_hash else "",
        quota_bytes=quota,
        name=fields.get("name", ""),
    )
