"""Reading the commands on access control lists (RFC 4314 §7)."""

import unicodedata
from collections.abc import Callable
from typing import TypeAlias

from .acl import Change, DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from .cursor import Cursor, Fault

Command: TypeAlias = SetAcl | DeleteAcl | GetAcl | ListRights | MyRights

# The rights of RFC 4314 §2.1 with the two of RFC 2086 that stand for several (§2.1.1).
RIGHTS = frozenset(b"lrswipkxteacd")
_CHANGES: dict[bytes, Change] = {b"+": "+", b"-": "-"}
# Longer than any address (RFC 5321 §4.5.3.1.3), with the dash of a negative right.
MAX_IDENTIFIER = 400


def _set(tag: bytes, cursor: Cursor) -> SetAcl:
    name, identifier = _name(cursor), _identifier(cursor)
    cursor.space()
    rights = cursor.astring()
    change = _CHANGES.get(rights[:1], "")
    rights = rights.removeprefix(change.encode())
    # RFC 4314 §3.1: one that is not known must not be passed over.
    if not RIGHTS.issuperset(rights):
        raise Fault("There is no such right.")
    return SetAcl(tag, name, identifier, change, rights.decode("ascii"))


def _name(cursor: Cursor) -> str:
    cursor.space()
    return cursor.folder()


def _identifier(cursor: Cursor) -> str:
    """Who is meant, prepared as RFC 4314 §3 wants: what cannot be the name of anybody is BAD."""
    cursor.space()
    octets = cursor.astring()
    # Before it is normalised: Python takes a second for some tens of thousands of marks.
    if len(octets) > 16 * MAX_IDENTIFIER:
        raise Fault("No such identifier.")
    try:
        text = unicodedata.normalize("NFKC", octets.decode("utf-8"))
    except UnicodeDecodeError:
        raise Fault("An identifier is UTF-8.") from None
    if not text.removeprefix("-") or len(text) > MAX_IDENTIFIER:
        raise Fault("No such identifier.")
    if any(unicodedata.category(char)[0] == "C" for char in text):
        raise Fault("An identifier has no control characters.")
    return text


COMMANDS: dict[bytes, Callable[[bytes, Cursor], Command]] = {
    b"SETACL": _set,
    b"DELETEACL": lambda tag, cursor: DeleteAcl(tag, _name(cursor), _identifier(cursor)),
    b"GETACL": lambda tag, cursor: GetAcl(tag, _name(cursor)),
    b"LISTRIGHTS": lambda tag, cursor: ListRights(tag, _name(cursor), _identifier(cursor)),
    b"MYRIGHTS": lambda tag, cursor: MyRights(tag, _name(cursor)),
}
