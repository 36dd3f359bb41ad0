"""One command's text to its value; what cannot be read becomes `Invalid`.

One function a command, found by name in `_COMMANDS`. Arguments are read in the order of the RFC's
ABNF (RFC 3501 §9), so each function reads like its rule.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable

from . import commands as c
from . import options as o
from . import quota_grammar
from .cursor import Cursor, Fault, LiteralAhead, decode_text
from .fetch_grammar import fetch_items
from .fetch_items import Attribute
from .options_grammar import (
    SELECT_OPTIONS,
    STATUS_ITEMS,
    list_returns,
    search_returns,
    select_parameters,
    unchanged_since,
    words,
)
from .responses import Tagged
from .search_grammar import search_program
from .sequence_set import MAX_NUMBER
from .sort import read_sort

# RFC 2971 §3.3.
MAX_ID_PAIRS = 30
MAX_ID_KEY = 30
MAX_ID_VALUE = 1024
MAX_PATTERNS = 100

_START = re.compile(rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]++) ([A-Za-z]++)(?= |\Z)")
_TAG = re.compile(rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]++)(?: |\Z)")
_APPEND_START = re.compile(
    rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]++ (?:APPEND|((?:UID )?+REPLACE) (\*|[1-9][0-9]{0,9}+)) ",
    re.IGNORECASE,
)
_LITERAL_AT_END = re.compile(rb"\{([0-9]{1,10}+)\+?\}\Z")
_SPECIAL_USES = {
    name.upper(): name
    for name in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}
_SPECIAL_USE = re.compile(rb"\\[^\x00-\x20\x7f-\xff(){%*\"\\\]]++")


def parse(text: bytes) -> c.Command:
    """The command in `text`: its lines and literals without the last line end. Never raises."""
    start = _START.match(text)
    if start is None:
        tag = tag_of(text)
        words = "Unknown command." if tag != b"*" else "No tag."
        return invalid(tag, Fault(words))
    tag = start[1]
    read = _COMMANDS.get(start[2].upper())
    if read is None:
        return invalid(tag, Fault("Unknown command."))
    cursor = Cursor(text, start.end())
    try:
        command = read(tag, cursor)
        cursor.end()
    except Fault as fault:
        return invalid(tag, fault)
    return command


def parse_append(text: bytes) -> c.Append | c.Invalid | None:
    """An APPEND whose `text` ends where its message's literal is announced.

    None when `text` is another command, or when that literal is the folder's name.
    """
    start = _APPEND_START.match(text)
    if start is None:
        return None
    tag = tag_of(text)
    cursor = Cursor(text, start.end())
    try:
        append = _append_head(tag, cursor)
        if start[1] is None:
            return append
        number = 0 if start[2] == b"*" else int(start[2])
        if number > MAX_NUMBER:
            raise Fault("Number too large.")
        return c.Replace(
            append.tag,
            append.name,
            append.flags,
            append.keywords,
            append.internal_date,
            append.zone_minutes,
            append.size,
            number,
            is_uid=len(start[1]) > len(b"REPLACE"),
        )
    except LiteralAhead:
        return None
    except Fault as fault:
        return invalid(tag, fault)


def tag_of(text: bytes) -> bytes:
    """The tag that `text` starts with, b"*" when it has none."""
    match = _TAG.match(text)
    return match[1] if match else b"*"


def invalid(tag: bytes, fault: Fault) -> c.Invalid:
    """The event that says why a command was not understood."""
    return c.Invalid(tag, Tagged(tag, fault.status, fault.text, fault.code))


def from_base64(text: bytes) -> bytes | None:
    """The octets `text` encodes, or None when it is no base64 (RFC 4648 §4)."""
    try:
        return a2b_base64(text, strict_mode=True) if text else b""
    except Base64Error:
        return None


def _append_head(tag: bytes, cursor: Cursor) -> c.Append:
    name = cursor.folder()
    cursor.space()
    flags: tuple[int, tuple[str, ...]] = 0, ()
    if cursor.is_at(b"("):
        flags = cursor.flags(allow_recent=True)
        cursor.space()
    moment: tuple[int | None, int] = None, 0
    if cursor.is_at(b'"'):
        moment = cursor.date_time()
        cursor.space()
    literal = _LITERAL_AT_END.match(cursor.text, cursor.place)
    if literal is None:
        raise Fault("Literal expected.")
    return c.Append(tag, name, *flags, *moment, size=int(literal[1]))


def _append(tag: bytes, cursor: Cursor) -> c.Command:
    """An APPEND that came to its end without a literal for the message."""
    cursor.space()
    _append_head(tag, cursor)
    raise Fault("Literal expected.")


def _replace(tag: bytes, cursor: Cursor) -> c.Command:
    """A REPLACE that came to its end without a literal for the message."""
    cursor.space()
    cursor.expect(b"*", "Number") if cursor.is_at(b"*") else cursor.number()
    return _append(tag, cursor)


def _login(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    username = decode_text(cursor.astring())
    cursor.space()
    return c.Login(tag, username, decode_text(cursor.astring()))


def _authenticate(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    mechanism = cursor.atom().decode("ascii").upper()
    if not cursor.has_more():
        return c.Authenticate(tag, mechanism, None)
    cursor.space()
    if cursor.take(b"="):
        return c.Authenticate(tag, mechanism, b"")
    initial = from_base64(cursor.atom())
    if initial is None:
        raise Fault("The initial response is not base64.")
    return c.Authenticate(tag, mechanism, initial)


def _id(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    if not cursor.take(b"("):
        if cursor.nstring() is not None:
            raise Fault("List or NIL expected.")
        return c.Id(tag, ())
    pairs: list[tuple[str, str | None]] = []
    while not cursor.take(b")"):
        if pairs:
            cursor.space()
        key = decode_text(cursor.string())
        cursor.space()
        octets = cursor.nstring()
        value = None if octets is None else decode_text(octets)
        if len(pairs) == MAX_ID_PAIRS or len(key) > MAX_ID_KEY or len(value or "") > MAX_ID_VALUE:
            raise Fault("Too much said.")
        pairs.append((key, value))
    return c.Id(tag, tuple(pairs))


def _enable(tag: bytes, cursor: Cursor) -> c.Command:
    names: dict[str, None] = {}
    while not names or cursor.has_more():
        cursor.space()
        names[cursor.atom().decode("ascii").upper()] = None
    return c.Enable(tag, tuple(names))


def _compress(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    return c.Compress(tag, cursor.atom().decode("ascii").upper())


def _folder(cursor: Cursor) -> str:
    cursor.space()
    return cursor.folder()


def _select(tag: bytes, cursor: Cursor, *, is_read_only: bool) -> c.Command:
    name = _folder(cursor)
    return c.Select(tag, name, is_read_only, *select_parameters(cursor))


def _create(tag: bytes, cursor: Cursor) -> c.Command:
    name = _folder(cursor).removesuffix("/")
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
    old = _folder(cursor)
    return c.Rename(tag, old, _folder(cursor))


def _list(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    select: frozenset[o.SelectOption] = frozenset()
    returned: frozenset[o.ReturnOption] = frozenset()
    items: tuple[o.StatusItem, ...] = ()
    is_extended = cursor.is_at(b"(")
    if is_extended:
        select = frozenset(words(cursor, SELECT_OPTIONS))
        # RFC 5258 §3.1: it says how another option is meant.
        if "RECURSIVEMATCH" in select and not select - {"RECURSIVEMATCH", "REMOTE"}:
            raise Fault("RECURSIVEMATCH needs another option.")
        cursor.space()
    reference = cursor.folder()
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
        returned, items = list_returns(cursor)
    names = tuple(patterns)
    return c.List(tag, reference, names, select, returned, False, is_extended, items)


def _lsub(tag: bytes, cursor: Cursor) -> c.Command:
    cursor.space()
    reference = cursor.folder()
    cursor.space()
    patterns = (cursor.pattern(),)
    return c.List(tag, reference, patterns, frozenset(), frozenset(), True, False)


def _status(tag: bytes, cursor: Cursor) -> c.Command:
    name = _folder(cursor)
    cursor.space()
    items = words(cursor, STATUS_ITEMS)
    if not items:
        raise Fault("Status item expected.")
    return c.Status(tag, name, tuple(items))


def _search(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    returned: frozenset[o.SearchReturn] | None = None
    page: o.Page | None = None
    if cursor.text[cursor.place : cursor.place + 7].upper() == b"RETURN ":
        cursor.place += 7
        returned, page = search_returns(cursor)
        cursor.space()
    return c.Search(tag, search_program(cursor), is_uid, returned, page)


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
    return c.Copy(tag, numbers, _folder(cursor), is_uid)


def _move(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    cursor.space()
    numbers = cursor.sequence_set()
    return c.Move(tag, numbers, _folder(cursor), is_uid)


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
        case b"COPY":
            return _copy(tag, cursor, is_uid=True)
        case b"MOVE":
            return _move(tag, cursor, is_uid=True)
        case b"REPLACE":
            return _replace(tag, cursor)
        case b"EXPUNGE":
            cursor.space()
            return c.Expunge(tag, cursor.sequence_set())
        case _:
            raise Fault("Unknown UID command.")


_STORE_MODES = {mode.value.encode("ascii"): mode for mode in c.StoreMode}

_COMMANDS: dict[bytes, Callable[[bytes, Cursor], c.Command]] = {
    b"CAPABILITY": lambda tag, _: c.Capability(tag),
    b"NOOP": lambda tag, _: c.Noop(tag),
    b"LOGOUT": lambda tag, _: c.Logout(tag),
    b"ID": _id,
    b"STARTTLS": lambda tag, _: c.StartTls(tag),
    b"LOGIN": _login,
    b"AUTHENTICATE": _authenticate,
    b"ENABLE": _enable,
    b"COMPRESS": _compress,
    b"SELECT": lambda tag, cursor: _select(tag, cursor, is_read_only=False),
    b"EXAMINE": lambda tag, cursor: _select(tag, cursor, is_read_only=True),
    b"CREATE": _create,
    b"DELETE": lambda tag, cursor: c.Delete(tag, _folder(cursor)),
    b"RENAME": _rename,
    b"SUBSCRIBE": lambda tag, cursor: c.Subscribe(tag, _folder(cursor)),
    b"UNSUBSCRIBE": lambda tag, cursor: c.Unsubscribe(tag, _folder(cursor)),
    b"LIST": _list,
    b"LSUB": _lsub,
    b"NAMESPACE": lambda tag, _: c.Namespace(tag),
    b"STATUS": _status,
    b"APPEND": _append,
    b"REPLACE": _replace,
    b"IDLE": lambda tag, _: c.Idle(tag),
    b"CHECK": lambda tag, _: c.Check(tag),
    b"CLOSE": lambda tag, _: c.Close(tag),
    b"UNSELECT": lambda tag, _: c.Unselect(tag),
    b"UNAUTHENTICATE": lambda tag, _: c.Unauthenticate(tag),
    b"EXPUNGE": lambda tag, _: c.Expunge(tag, None),
    b"SEARCH": lambda tag, cursor: _search(tag, cursor, is_uid=False),
    b"SORT": lambda tag, cursor: read_sort(tag, cursor, is_uid=False),
    b"FETCH": lambda tag, cursor: _fetch(tag, cursor, is_uid=False),
    b"STORE": lambda tag, cursor: _store(tag, cursor, is_uid=False),
    b"COPY": lambda tag, cursor: _copy(tag, cursor, is_uid=False),
    b"MOVE": lambda tag, cursor: _move(tag, cursor, is_uid=False),
    b"UID": _uid,
    **quota_grammar.COMMANDS,
}
