"""Reading commands on folders (RFC 3501 §6.3)."""

import re
from collections.abc import Callable

from . import commands as c
from . import options as o
from .cursor import Cursor, Fault
from .options_grammar import (
    SELECT_OPTIONS,
    STATUS_ITEMS,
    ListReturns,
    list_returns,
    select_parameters,
    words,
)

MAX_PATTERNS = 100

_SPECIAL_USES = {
    name.upper(): name
    for name in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}
_SPECIAL_USE = re.compile(rb"\\[^\x00-\x20\x7f-\xff(){%*\"\\\]]++")


def folder_argument(cursor: Cursor) -> str:
    """A folder's name, behind a space."""
    cursor.space()
    return cursor.folder()


def _select(tag: bytes, cursor: Cursor, *, is_read_only: bool) -> c.Command:
    try:
        name = folder_argument(cursor)
    except Fault as fault:
        # RFC 9051 §6.3.2: after a NO nothing is selected; BAD was no SELECT.
        fault.leaves_folder = fault.status == "NO"
        raise
    return c.Select(tag, name, is_read_only, *select_parameters(cursor))


def _create(tag: bytes, cursor: Cursor) -> c.Command:
    name = folder_argument(cursor).removesuffix("/")
    uses: dict[str, None] = {}
    if cursor.has_more():
        # RFC 6154 §3: CREATE name (USE (\Sent)).
        cursor.expect(b" (", "Parameters")
        if cursor.word() != b"USE":
            raise Fault("No such parameter.")
        cursor.expect(b" (", "Special uses")
        while not cursor.take(b")"):
            if uses:
                cursor.space()
            match = _SPECIAL_USE.match(cursor.text, cursor.place)
            if match is None:
                raise Fault("Special use expected.")
            cursor.place = match.end()
            use = match[0].decode("ascii")
            uses[_SPECIAL_USES.get(use.upper(), use)] = None
        cursor.expect(b")", "Closing parenthesis")
    return c.Create(tag, name, tuple(uses))


def _rename(tag: bytes, cursor: Cursor) -> c.Command:
    old = folder_argument(cursor)
    return c.Rename(tag, old, folder_argument(cursor))


def _list(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    select: frozenset[o.SelectOption] = frozenset()
    returned = ListReturns()
    is_extended = cursor.is_at(b"(")
    if is_extended:
        select = frozenset(words(cursor, SELECT_OPTIONS))
        # RFC 5258 §3.1: it says how another option is meant.
        if "RECURSIVEMATCH" in select and not select - {"RECURSIVEMATCH", "REMOTE"}:
            raise Fault("RECURSIVEMATCH needs another option.")
        cursor.space()
    reference = cursor.reference()
    cursor.space()
    patterns = []
    if cursor.take(b"("):
        is_extended = True
        patterns.append(cursor.pattern())
        while cursor.take(b" "):
            patterns.append(cursor.pattern())
        cursor.expect(b")", "Closing parenthesis")
        if len(patterns) > MAX_PATTERNS:
            raise Fault("Too many patterns.")
    else:
        patterns.append(cursor.pattern())
    if cursor.has_more():
        is_extended = True
        cursor.space()
        if cursor.word() != b"RETURN":
            raise Fault("RETURN expected.")
        cursor.space()
        returned = list_returns(cursor)
    names = tuple(patterns)
    return c.List(
        tag, reference, names, select, returned.options, False, is_extended, *returned[1:]
    )


def _lsub(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    reference = cursor.reference()
    cursor.space()
    patterns = (cursor.pattern(),)
    return c.List(tag, reference, patterns, frozenset(), frozenset(), True, False)


def _status(tag: bytes, cursor: Cursor) -> c.Command:
    name = folder_argument(cursor)
    cursor.space()
    items = words(cursor, STATUS_ITEMS)
    if not items:
        raise Fault("Status item expected.")
    return c.Status(tag, name, tuple(items))


COMMANDS: dict[bytes, Callable[[bytes, Cursor], c.Command]] = {
    b"SELECT": lambda tag, cursor: _select(tag, cursor, is_read_only=False),
    b"EXAMINE": lambda tag, cursor: _select(tag, cursor, is_read_only=True),
    b"CREATE": _create,
    b"DELETE": lambda tag, cursor: c.Delete(tag, folder_argument(cursor)),
    b"RENAME": _rename,
    b"SUBSCRIBE": lambda tag, cursor: c.Subscribe(tag, folder_argument(cursor)),
    b"UNSUBSCRIBE": lambda tag, cursor: c.Unsubscribe(tag, folder_argument(cursor)),
    b"LIST": _list,
    b"LSUB": _lsub,
    b"NAMESPACE": lambda tag, _: c.Namespace(tag),
    b"STATUS": _status,
}
