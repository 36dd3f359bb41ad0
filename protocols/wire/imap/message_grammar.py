"""Reading commands on the selected folder and its messages (RFC 3501 §6.4)."""

from collections.abc import Callable

from . import commands as c
from .append_grammar import replace
from .contexts import read_cancel_update
from .cursor import Cursor, Fault
from .fetch_grammar import fetch_items
from .fetch_items import Attribute
from .folder_grammar import folder_argument
from .options_grammar import unchanged_since
from .returns_grammar import return_argument, returning
from .search import asks_fuzzy
from .search_grammar import search_program
from .sort import read_sort
from .thread import read_thread

_STORE_MODES = {mode.value.encode("ascii"): mode for mode in c.StoreMode}


def _search(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    returned = return_argument(cursor)
    with returning(returned):
        program = search_program(cursor)
    if "RELEVANCY" in (returned.options or ()) and not asks_fuzzy(program):
        raise Fault("RELEVANCY needs a FUZZY key.")
    return c.Search(tag, program, is_uid, *returned)


def _fetch(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    items, (changed_since, wants_vanished, page) = fetch_items(cursor)
    if is_uid and Attribute.UID not in items:
        items = (Attribute.UID, *items)
    if changed_since is not None and Attribute.MODSEQ not in items:
        items = (*items, Attribute.MODSEQ)
    if wants_vanished and (changed_since is None or not is_uid):
        raise Fault("VANISHED needs UID FETCH and CHANGEDSINCE.")
    return c.Fetch(tag, numbers, items, is_uid, changed_since, wants_vanished, page)


def _store(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    since = unchanged_since(cursor)
    word = cursor.word()
    is_silent = word.endswith(b".SILENT")
    mode = _STORE_MODES.get(word.removesuffix(b".SILENT"))
    if mode is None:
        raise Fault("FLAGS, +FLAGS or -FLAGS expected.")
    cursor.space()
    bits, keywords = cursor.flags(allow_recent=False)
    return c.Store(tag, numbers, mode, bits, keywords, is_silent, is_uid, since)


def _copy(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    numbers = cursor.sequence_set()
    return c.Copy(tag, numbers, folder_argument(cursor), is_uid)


def _move(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    numbers = cursor.sequence_set()
    return c.Move(tag, numbers, folder_argument(cursor), is_uid)


def _uid(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    match cursor.word():
        case b"FETCH":
            return _fetch(tag, cursor, is_uid=True)
        case b"STORE":
            return _store(tag, cursor, is_uid=True)
        case b"SEARCH":
            return _search(tag, cursor, is_uid=True)
        case b"SORT":
            return read_sort(tag, cursor, is_uid=True)
        case b"THREAD":
            return read_thread(tag, cursor, is_uid=True)
        case b"COPY":
            return _copy(tag, cursor, is_uid=True)
        case b"MOVE":
            return _move(tag, cursor, is_uid=True)
        case b"REPLACE":
            return replace(tag, cursor, is_uid=True)
        case b"EXPUNGE":
            cursor.space()
            return c.Expunge(tag, cursor.sequence_set())
        case _:
            raise Fault("Unknown UID command.")


COMMANDS: dict[bytes, Callable[[bytes, Cursor], c.Command]] = {
    b"CHECK": lambda tag, _: c.Check(tag),
    b"CANCELUPDATE": read_cancel_update,
    b"CLOSE": lambda tag, _: c.Close(tag),
    b"UNSELECT": lambda tag, _: c.Unselect(tag),
    b"EXPUNGE": lambda tag, _: c.Expunge(tag, None),
    b"SEARCH": lambda tag, cursor: _search(tag, cursor, is_uid=False),
    b"SORT": lambda tag, cursor: read_sort(tag, cursor, is_uid=False),
    b"THREAD": lambda tag, cursor: read_thread(tag, cursor, is_uid=False),
    b"FETCH": lambda tag, cursor: _fetch(tag, cursor, is_uid=False),
    b"STORE": lambda tag, cursor: _store(tag, cursor, is_uid=False),
    b"COPY": lambda tag, cursor: _copy(tag, cursor, is_uid=False),
    b"MOVE": lambda tag, cursor: _move(tag, cursor, is_uid=False),
    b"UID": _uid,
}
