"""Which rights a mailbox has in a folder: the only place that answers (RFC 4314).

Rules of the file:

1. The owner has every right in the own folders, always, and is never looked up.
2. Everybody else has what an entry for them or for `anyone` gives and none takes away, only within
   the tenant, and only while nothing between them and the folder is suspended or removed. That is
   read each time, by one query: what was taken away is gone at the next command, in every process.
3. To somebody without the right to look a folder up, it does not exist (RFC 4314 §6).
"""

from collections.abc import Iterable, Sequence
from enum import IntFlag
from typing import Any

from django.db import connection

from accounts.mailstore.refusals import BadRights, NoSuchFolder, NotPermitted
from accounts.models import Domain, FolderRight, Mailbox, Tenant
from accounts.suspension import is_tenant_suspended

GONE = "There is no folder of that name."


class Right(IntFlag):
    """The standard rights, in the order of RFC 4314 §2.1."""

    LOOKUP = 1
    READ = 2
    SEEN = 4
    WRITE = 8
    INSERT = 16
    POST = 32
    CREATE = 64
    DELETE = 128
    MARK_DELETED = 256
    EXPUNGE = 512
    ADMINISTER = 1024


NONE = Right(0)
LETTERS = dict(zip("lrswipkxtea", Right, strict=True))
ALL = Right(sum(Right))
# RFC 4314 §2.1.1: what older clients call create and delete.
CREATE_OLD = Right.CREATE | Right.DELETE
DELETE_OLD = Right.MARK_DELETED | Right.EXPUNGE
_WORDS = {**LETTERS, "c": CREATE_OLD, "d": DELETE_OLD}
# RFC 4314 §4: with one of them MYRIGHTS is answered.
TELLING = Right.LOOKUP | Right.READ | Right.INSERT | Right.CREATE | Right.DELETE | Right.ADMINISTER


def parse(letters: str) -> Right:
    """The rights that letters stand for. BadRights."""
    found = NONE
    for letter in letters:
        if letter not in _WORDS:
            raise BadRights(f"There is no right “{letter}”." if letter.isalnum() else "No right.")
        found |= _WORDS[letter]
    return found


def spell(rights: Right) -> str:
    """The letters of a set of rights, in the order of the RFC."""
    return "".join(letter for letter, right in LETTERS.items() if right & rights)


def spell_for_clients(rights: Right) -> str:
    """The same with what older clients look for (RFC 4314 §2.1.1)."""
    old = "c" * bool(rights & CREATE_OLD) + "d" * bool(rights & DELETE_OLD)
    return spell(rights) + old


def combined(entries: Iterable[tuple[str, bool]]) -> Right:
    """What entries, given as (letters, is it taken away), come to."""
    given = taken = NONE
    for letters, is_negative in entries:
        if is_negative:
            taken |= parse(letters)
        else:
            given |= parse(letters)
    return given & ~taken


# Entries `r` that count for the mailbox whose key is the parameter: `o` gave them, `g` has them.
ENTRIES = (
    f" FROM {FolderRight._meta.db_table} r"
    f" JOIN {Mailbox._meta.db_table} o ON o.id = r.mailbox_id"
    f" JOIN {Domain._meta.db_table} od ON od.id = o.domain_id AND od.tenant_id = r.tenant_id"
    f" JOIN {Mailbox._meta.db_table} g ON g.id = %s"
    f" JOIN {Domain._meta.db_table} gd ON gd.id = g.domain_id AND gd.tenant_id = r.tenant_id"
    f" JOIN {Tenant._meta.db_table} t ON t.id = r.tenant_id"
)
THAT_COUNT = (
    "(r.grantee_id = g.id OR r.grantee_id IS NULL) AND o.id <> g.id"
    " AND o.removed_at IS NULL AND g.removed_at IS NULL"
    " AND NOT (o.is_suspended OR g.is_suspended OR od.is_suspended OR gd.is_suspended"
    " OR t.is_suspended)"
)
_HELD = f"SELECT r.letters, r.is_negative, t.parent_id{ENTRIES} WHERE {THAT_COUNT} AND "


def held(actor: int, owner: int, folder_id: int) -> Right:
    """The rights of mailbox `actor` in a folder of mailbox `owner`; no query for the own."""
    if actor == owner:
        return ALL
    return _read("r.mailbox_id = %s AND r.folder_id = %s", (actor, owner, folder_id))


def held_at_root(actor: int, owner: int) -> Right:
    """The rights of mailbox `actor` above the folders of mailbox `owner`."""
    if actor == owner:
        return ALL
    return _read("r.mailbox_id = %s AND r.folder_id IS NULL", (actor, owner))


def _read(condition: str, parameters: Sequence[int]) -> Right:
    with connection.cursor() as cursor:
        cursor.execute(_HELD + condition, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    if not rows or is_tenant_suspended(rows[0][2]):
        return NONE
    return combined((letters, bool(is_negative)) for letters, is_negative, _ in rows)


def require(actor: int, owner: int, folder_id: int, needed: Right) -> Right:
    """The actor's rights, which hold all that is needed. NoSuchFolder, NotPermitted."""
    return checked(held(actor, owner, folder_id), needed)


def checked(rights: Right, needed: Right) -> Right:
    """The rights, where they hold all that is needed. NoSuchFolder, NotPermitted."""
    # First what nearly everybody has, in folders of one's own: sets of rights are slow.
    if rights is ALL or needed & rights == needed:
        return rights
    if Right.LOOKUP in rights:
        raise NotPermitted("You have no right to do that in this folder.")
    raise NoSuchFolder(GONE)
